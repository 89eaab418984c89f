"""A source or a data set directory in, all that is said of its images out."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tlkit.dataset import formats as sources
from tlkit.dataset.annotations.objects_file import read_objects
from tlkit.dataset.formats import ImageRecord, ReaderOptions, Rejected
from tlkit.dataset.manifest import Manifest
from tlkit.progress import Progress


@dataclass(frozen=True)
class Collection:
    """Annotated images.

    Attributes:
        root: What their paths are relative to.
        pages: What is said of them.
        classes: Those that are listed, in order.
        rejected: What is not used.
        digests: sha256 of the images where it is known, by path.
        origin: What tells them apart from others between runs, if the root does not:
            the archive.
    """

    root: Path
    pages: Sequence[ImageRecord]
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
        src, reading=reading, workers=workers, progress=progress, made=made
    )
    if kind == "auto":
        kind = sources.detect(source, "shapes")
    scan = sources.read(source, kind)
    progress.note(scan.note)
    for line in scan.warnings:
        progress.warn(line)
    used = {page.path for page in scan.pages} | {page.file for page in scan.pages}
    used |= scan.consumed | scan.named.keys() | {r.file for r in scan.rejected}
    unused = [
        Rejected(file, "unlabeled", "No annotation leads to it.")
        for file in scan.files
        if file not in used
    ]
    rejected = [*scan.rejected, *unused]
    return Collection(
        root=scan.root or source.root,
        pages=scan.pages,
        classes=scan.classes,
        rejected=rejected,
        origin=source.place,
    )


def of_dataset(directory: Path) -> Collection:
    """Read a data set directory."""
    manifest = Manifest.read(directory)
    drawn: dict[str, list[ImageRecord]] = defaultdict(list)
    for page in read_objects(directory):
        drawn[page.path].append(page)
    pages: dict[str, list[ImageRecord]] = {}
    for example in manifest.examples:
        if example.path in pages:
            continue
        labels = manifest.labels_of(example) if example.box is None else ()
        plain = [ImageRecord(example.path, example.annotation, labels=labels)]
        pages[example.path] = [
            dataclasses.replace(page, split=example.split)
            for page in drawn.get(example.path, plain)
        ]
    left = "The data set leaves it out; its rejected.csv says why."
    return Collection(
        root=manifest.source,
        pages=[page for each in pages.values() for page in each],
        classes=manifest.labels,
        rejected=[Rejected(p, "left-out", left) for p in drawn if p not in pages],
        digests={example.path: example.sha256 for example in manifest.examples},
    )
