"""A source or a data set directory in, all that is said of its images out."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tlkit.dataset import formats as sources
from tlkit.dataset.annotations.annotations_file import read_annotations
from tlkit.dataset.formats import ImageRecord, ReaderOptions, Rejected
from tlkit.dataset.manifest import Manifest
from tlkit.progress import Progress


@dataclass(frozen=True)
class Collection:
    """Annotated images.

    Attributes:
        root: What their paths are relative to.
        records: What is said of them.
        classes: Those that are listed, in order.
        rejected: What is not used.
        digests: sha256 of the images where it is known, by path.
        origin: What tells them apart from others between runs, if the root does not:
            the archive.
    """

    root: Path
    records: Sequence[ImageRecord]
    classes: Sequence[str] = ()
    rejected: Sequence[Rejected] = ()
    digests: Mapping[str, str] = field(default_factory=dict)
    origin: Path | None = None


def of_source(
    src: Path,
    kind: str,
    reading: ReaderOptions,
    made: Path,
    workers: int | None,
    progress: Progress,
) -> Collection:
    """Read a source."""
    source = sources.open_source(
        src, options=reading, workers=workers, progress=progress, made=made
    )
    if kind == "auto":
        kind = sources.detect(source, "shapes")
    parsed = sources.read(source, kind)
    progress.note(parsed.note)
    for line in parsed.warnings:
        progress.warn(line)
    used = {record.path for record in parsed.records} | {
        record.file for record in parsed.records
    }
    used |= (
        parsed.annotation_files
        | parsed.annotation_of.keys()
        | {r.file for r in parsed.rejected}
    )
    unused = [
        Rejected(file, "unlabeled", "No annotation leads to it.")
        for file in parsed.files
        if file not in used
    ]
    rejected = [*parsed.rejected, *unused]
    return Collection(
        root=parsed.root or source.root,
        records=parsed.records,
        classes=parsed.classes,
        rejected=rejected,
        origin=source.place,
    )


def of_dataset(directory: Path) -> Collection:
    """Read a data set directory."""
    manifest = Manifest.read(directory)
    drawn: dict[str, list[ImageRecord]] = defaultdict(list)
    for record in read_annotations(directory):
        drawn[record.path].append(record)
    records: dict[str, list[ImageRecord]] = {}
    for example in manifest.examples:
        if example.path in records:
            continue
        labels = example.labels if example.box is None else ()
        plain = [ImageRecord(example.path, example.annotation, labels=labels)]
        records[example.path] = [
            dataclasses.replace(record, split=example.split)
            for record in drawn.get(example.path, plain)
        ]
    left = "The data set leaves it out; its rejected.csv says why."
    return Collection(
        root=manifest.source,
        records=[record for each in records.values() for record in each],
        classes=manifest.labels,
        rejected=[Rejected(p, "left-out", left) for p in drawn if p not in records],
        digests={example.path: example.sha256 for example in manifest.examples},
    )
