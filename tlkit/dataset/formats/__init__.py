"""Readers, one per annotation format; each returns a ParsedSource."""

from tlkit.dataset.formats.detect import FORMATS, detect, read
from tlkit.dataset.records import Annotation, ImageRecord, ParsedSource, Rejected
from tlkit.dataset.sources.open import ReaderOptions, Source, open_source

__all__ = [
    "FORMATS",
    "Annotation",
    "ImageRecord",
    "ParsedSource",
    "ReaderOptions",
    "Rejected",
    "Source",
    "detect",
    "open_source",
    "read",
]
