"""The annotated images that convert reads, from a source or a data set directory."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tlkit.dataset import formats
from tlkit.dataset.annotations.annotations_file import read_annotations
from tlkit.dataset.manifest import Manifest
from tlkit.dataset.records import ImageRecord, Rejected
from tlkit.dataset.sources.open import ReaderOptions, open_source
from tlkit.progress import Progress


@dataclass(frozen=True)
class AnnotatedImages:
    """All records of a source, and what of it is not used.

    Attributes:
        root: The folder that paths of images are relative to.
        records: In the order of the source.
        classes: Those that the source lists, in its order.
        rejected: Files and objects that are not used.
        checksums: SHA-256 of images, where known, by path.
        origin: The folder, file or archive that was read; None for a data set.
    """

    root: Path
    records: Sequence[ImageRecord]
    classes: Sequence[str] = ()
    rejected: Sequence[Rejected] = ()
    checksums: Mapping[str, str] = field(default_factory=dict)
    origin: Path | None = None


def read_source(
    place: Path,
    format: str,
    options: ReaderOptions,
    unpacked: Path,
    workers: int | None,
    progress: Progress,
) -> AnnotatedImages:
    """Read a source, archives and drawings by way of an empty folder."""
    source = open_source(
        place, options=options, workers=workers, progress=progress, made=unpacked
    )
    if format == "auto":
        format = formats.detect(source, "shapes")
    parsed = formats.read(source, format)
    progress.note(parsed.note)
    for line in parsed.warnings:
        progress.warn(line)
    used = parsed.annotation_files | parsed.annotation_of.keys()
    used |= {file for record in parsed.records for file in (record.path, record.file)}
    used |= {rejection.file for rejection in parsed.rejected}
    unlabeled = [
        Rejected(file, "unlabeled", "No annotation leads to it.")
        for file in parsed.files
        if file not in used
    ]
    return AnnotatedImages(
        root=parsed.root or source.root,
        records=parsed.records,
        classes=parsed.classes,
        rejected=[*parsed.rejected, *unlabeled],
        origin=source.place,
    )


def read_dataset(directory: Path) -> AnnotatedImages:
    """Read a data set directory: its images with their split, and all annotations."""
    manifest = Manifest.read(directory)
    annotated: dict[str, list[ImageRecord]] = defaultdict(list)
    for record in read_annotations(directory):
        annotated[record.path].append(record)
    records: dict[str, list[ImageRecord]] = {}
    for example in manifest.examples:
        if example.path not in records:
            labels = example.labels if example.box is None else ()
            plain = [ImageRecord(example.path, example.annotation, labels=labels)]
            records[example.path] = [
                dataclasses.replace(record, split=example.split)
                for record in annotated.get(example.path, plain)
            ]
    left = "The data set leaves it out; its rejected.csv gives the reason."
    return AnnotatedImages(
        root=manifest.source,
        records=[record for each in records.values() for record in each],
        classes=manifest.labels,
        rejected=[Rejected(p, "left-out", left) for p in annotated if p not in records],
        checksums={example.path: example.sha256 for example in manifest.examples},
    )
