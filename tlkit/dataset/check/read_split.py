"""The images of a finished split, whoever made it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from tlkit.dataset import formats
from tlkit.dataset.dataset_files import INFO, MANIFEST
from tlkit.dataset.formats.common import NoLabels
from tlkit.dataset.manifest import Manifest
from tlkit.dataset.records import (
    SPLIT_NAMES,
    ParsedSource,
    in_natural_order,
    natural_key,
)
from tlkit.dataset.sources.open import ReaderOptions, Source, open_source
from tlkit.errors import DatasetError

# The split of images that are in none.
UNSPLIT = "all"


@dataclass(frozen=True)
class SplitImage:
    """An image in a split; its path is relative to the root of the FinishedSplit.

    `split` is "train", "val" or "test", or what the user calls it. `label` is that of
    the whole image, "" if unknown; `sha256` is from the manifest, "" if unknown.
    """

    file: str
    split: str
    label: str = ""
    group: str = ""
    sha256: str = ""


@dataclass(frozen=True)
class FinishedSplit:
    """All images of a split.

    Attributes:
        root: Folder that the files are relative to.
        images: In natural order; one per file, split and label.
        labels: The labels in each split, of images and of objects.
        edited: Files of a data set directory that were changed since prepare.
        remarks: Notes for a person.
    """

    root: Path
    images: tuple[SplitImage, ...]
    labels: dict[str, set[str]] = field(default_factory=dict)
    edited: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


def read_split(place: Path, format: str, reading: ReaderOptions) -> FinishedSplit:
    """Read a data set directory, an annotated folder, or folders named as splits."""
    if (place / INFO).is_file():
        return _from_manifest(Manifest.read(place, allow_changes=True))
    source = _open(place, reading)
    try:
        kind = formats.detect(source) if format == "auto" else format
        parsed = formats.read(source, kind)
    except NoLabels:
        if format != "auto":
            raise
        return _from_folders(source)
    if any(record.split for record in parsed.records):
        return _from_records(source, parsed)
    return _from_folders(source)


def read_folder(place: Path, split: str, reading: ReaderOptions) -> FinishedSplit:
    """Read a folder of images in any order, or a data set directory, as one split."""
    if (place / INFO).is_file():
        manifest = Manifest.read(place, allow_changes=True)
        paths = {example.path for example in manifest.examples}
        return FinishedSplit(manifest.source, _all_in(split, paths))
    source = _open(place, reading)
    return FinishedSplit(
        source.root, _all_in(split, source.files), remarks=_outside(source)
    )


def _open(place: Path, reading: ReaderOptions) -> Source:
    if not place.is_dir():
        what = "is not a folder" if place.exists() else "does not exist"
        raise DatasetError(
            f"{place} {what}.",
            hint="Name a data set directory, or a folder with train, val or test.",
        )
    source = open_source(place, options=reading)
    if not source.files:
        outside = " ".join(_outside(source))
        raise DatasetError(
            f"There are no files in {place}. {outside}".strip(),
            hint="Name a folder that holds images.",
        )
    return source


def _from_manifest(manifest: Manifest) -> FinishedSplit:
    images: dict[tuple[str, str], SplitImage] = {}
    labels: dict[str, set[str]] = defaultdict(set)
    for example in manifest.examples:
        labels[example.split].update(example.labels)
        label = example.label if example.box is None else ""
        images[example.path, example.split] = SplitImage(
            example.path, example.split, label, example.group, example.sha256
        )
    intact = manifest.checksum == manifest.info["checksum"]
    return FinishedSplit(
        manifest.source,
        tuple(images.values()),
        dict(labels),
        edited=() if intact else (MANIFEST,),
    )


def _from_records(source: Source, parsed: ParsedSource) -> FinishedSplit:
    # Records of one image that disagree stay apart: that is a conflict to report.
    images: dict[tuple[str, str, str], SplitImage] = {}
    labels: dict[str, set[str]] = defaultdict(set)
    records = [record for record in parsed.records if record.split]
    for record in records:
        split = str(record.split)
        labels[split].update(record.labels, (obj.label for obj in record.objects))
        label = " | ".join(in_natural_order(record.labels))
        images[record.path, split, label] = SplitImage(
            record.path, split, label, record.group
        )
    left = len(parsed.records) - len(records)
    remarks = (f"{left} image(s) are in no split and left out.",) if left else ()
    ordered = sorted(
        images.values(), key=lambda i: (natural_key(i.file), i.split, i.label)
    )
    return FinishedSplit(
        source.root,
        tuple(ordered),
        {split: names - {""} for split, names in labels.items()},
        remarks=(*remarks, *_outside(source)),
    )


def _from_folders(source: Source) -> FinishedSplit:
    splits = {
        path: SPLIT_NAMES.get(path.split("/")[0].lower()) for path in source.files
    }
    inner = {path: split for path, split in splits.items() if split and "/" in path}
    remarks = _outside(source)
    if not inner:
        return FinishedSplit(
            source.root, _all_in(UNSPLIT, source.files), remarks=remarks
        )
    if left := len(splits) - len(inner):
        remarks = (f"{left} file(s) are in no split and left out.", *remarks)
    images = tuple(SplitImage(path, split) for path, split in inner.items())
    return FinishedSplit(source.root, images, remarks=remarks)


def _all_in(split: str, files: Iterable[str]) -> tuple[SplitImage, ...]:
    return tuple(SplitImage(file, split) for file in in_natural_order(files))


def _outside(source: Source) -> tuple[str, ...]:
    number = sum(row.reason == "outside-source" for row in source.rejected)
    if not number:
        return ()
    return (
        f"{number} link(s) that lead out of {source.place} are left out "
        "(--allow-outside follows them).",
    )
