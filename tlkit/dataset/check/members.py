"""A finished split in, by whomever it was made, the images of its sides out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from tlkit.dataset import formats as sources
from tlkit.dataset.formats import ParsedSource, ReaderOptions, Rejected, Source
from tlkit.dataset.manifest import INFO, MANIFEST, Manifest
from tlkit.dataset.records import SPLIT_NAMES, in_natural_order, natural_key
from tlkit.errors import DatasetError

# The side of images that lie on none.
UNSPLIT = "all"


@dataclass(frozen=True)
class Member:
    """An image on a side of a split.

    Attributes:
        file: POSIX, relative to the root.
        side: "train", "val" or "test"; else what the user calls it.
        label: Of the whole image; "" where it has none or is not known.
        group: What it must not be parted from; "" for nothing.
        sha256: What the file was when it was prepared; "" for unknown.
    """

    file: str
    side: str
    label: str = ""
    group: str = ""
    sha256: str = ""


@dataclass(frozen=True)
class Members:
    """The images of a data set.

    Attributes:
        root: What their files are relative to.
        members: In natural order; one a file and side.
        labels: The labels on each side, of images and of things on them.
        edited: Files of a data set directory that were changed since.
        remarks: What a person should know of the reading.
    """

    root: Path
    members: tuple[Member, ...]
    labels: dict[str, set[str]] = field(default_factory=dict)
    edited: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


def members_of(place: Path, *, allow_outside: bool = False) -> Members:
    """List what lies on the sides of a split."""
    if (place / INFO).is_file():
        return _prepared(Manifest.read(place, as_it_is=True))
    source = _opened(place, allow_outside)
    try:
        parsed = sources.read(source, sources.detect(source))
    except DatasetError:
        parsed = None  # no labels, then
    if parsed and any(record.split for record in parsed.records):
        return _told(source, parsed)
    return _named(source)


def files_of(place: Path, side: str, *, allow_outside: bool = False) -> Members:
    """List a folder of images in any order, or a data set directory."""
    if (place / INFO).is_file():
        manifest = Manifest.read(place, as_it_is=True)
        paths = {example.path for example in manifest.examples}
        return Members(manifest.source, _all_on(side, paths))
    source = _opened(place, allow_outside)
    return Members(source.root, _all_on(side, source.files), remarks=_left_out(source))


def _opened(place: Path, allow_outside: bool) -> Source:
    if not place.is_dir():
        what = "is not a folder" if place.exists() else "does not exist"
        raise DatasetError(
            f"{place} {what}.",
            hint="Name what tlkit prepare made, or a folder with train, val or test.",
        )
    source = sources.open_source(
        place, reading=ReaderOptions(allow_outside=allow_outside)
    )
    if not source.files:
        left_out = " ".join(_left_out(source))
        raise DatasetError(f"There are no files in {place}. {left_out}".strip())
    return source


def _prepared(manifest: Manifest) -> Members:
    whole: dict[tuple[str, str], Member] = {}
    labels: dict[str, set[str]] = defaultdict(set)
    for example in manifest.examples:
        labels[example.split].update(manifest.labels_of(example))
        label = example.label if example.box is None else ""
        whole[example.path, example.split] = Member(
            example.path, example.split, label, example.group, example.sha256
        )
    intact = manifest.checksum == manifest.info["checksum"]
    return Members(
        manifest.source,
        tuple(whole.values()),
        dict(labels),
        edited=() if intact else (MANIFEST,),
    )


def _told(source: Source, parsed: ParsedSource) -> Members:
    # what annotations or class folders say
    members = {}
    labels: dict[str, set[str]] = defaultdict(set)
    records = [record for record in parsed.records if record.split]
    for record in records:
        side = str(record.split)
        labels[side].update(record.labels, (obj.label for obj in record.objects))
        label = " | ".join(in_natural_order(record.labels))
        members[record.path, side] = Member(record.path, side, label, record.group)
    left = len(parsed.records) - len(records)
    remarks = (f"{left} image(s) are on no side and left out.",) if left else ()
    ordered = sorted(members.values(), key=lambda m: (natural_key(m.file), m.side))
    return Members(
        source.root,
        tuple(ordered),
        {side: names - {""} for side, names in labels.items()},
        remarks=(*remarks, *_left_out(source)),
    )


def _named(source: Source) -> Members:
    # folders named as sides with files in any order
    sides = {path: SPLIT_NAMES.get(path.split("/")[0].lower()) for path in source.files}
    inner = {path: side for path, side in sides.items() if side and "/" in path}
    remarks = _left_out(source)
    if not inner:
        return Members(source.root, _all_on(UNSPLIT, source.files), remarks=remarks)
    if left := len(sides) - len(inner):
        remarks = (f"{left} file(s) are on no side and left out.", *remarks)
    members = tuple(Member(path, side) for path, side in inner.items())
    return Members(source.root, members, remarks=remarks)


def _all_on(side: str, files: Iterable[str]) -> tuple[Member, ...]:
    return tuple(Member(file, side) for file in in_natural_order(files))


def _left_out(source: Source) -> tuple[str, ...]:
    outside: list[Rejected] = [
        r for r in source.rejected if r.reason == "outside-source"
    ]
    if not outside:
        return ()
    return (
        f"{len(outside)} link(s) that lead out of {source.place} are left out "
        "(--allow-outside follows them).",
    )
