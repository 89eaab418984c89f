"""Readers, one per annotation format; each returns a ParsedSource."""

from tlkit.dataset.formats.detect import FORMATS, detect, read

__all__ = ["FORMATS", "detect", "read"]
