"""Upright pages in, sheets for a writer out: one an image, under a name of its own."""

from __future__ import annotations

import hashlib
import json
import posixpath
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from tlkit.dataset.inspection import image_info as known
from tlkit.dataset.inspection.image_info import ImageInfo
from tlkit.dataset.records import Annotation, ImageRecord, Rejected, natural_key
from tlkit.dataset.sources.image_paths import SUFFIXES
from tlkit.imaging.safe_read import Unusable

# What things without a label are called where every one must have some.
NAMELESS = "unlabeled"
# Bytes, so that any suffix can follow.
LONGEST = 200


@dataclass
class Sheets:
    """What is to be written.

    Attributes:
        sheets: In natural order of the images' paths.
        info: Of the image of each.
        losses: What no format can hold.
        rejected: Objects that cannot be used.
    """

    sheets: list[Sheet] = field(default_factory=list)
    info: list[ImageInfo] = field(default_factory=list)
    losses: list[Loss] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)


def make_sheets(
    records: Iterable[ImageRecord], info: Mapping[str, ImageInfo]
) -> Sheets:
    """Bring together what is said of each image."""
    made = Sheets()
    about: dict[str, list[ImageRecord]] = defaultdict(list)
    for record in records:
        about[record.path].append(record)
    paths = sorted(about, key=natural_key)
    names = unique_names([info[path] for path in paths])
    for path, name in zip(paths, names, strict=True):
        record, losses = _merged(about[path])
        objects: list[Annotation] = []
        for number, obj in enumerate(record.objects, 1):
            fault = _fault(obj)
            if fault:
                detail = f"Object {number}, {obj.label or NAMELESS}: {fault[1]}."
                made.rejected.append(Rejected(record.shown, fault[0], detail))
            else:
                objects.append(_writable(obj, len(objects) + 1, losses))
        kept, lost = _kept(record.attributes)
        losses += [(0, "attributes", detail) for detail in lost]
        record = replace(record, objects=tuple(objects), attributes=kept)
        fact = info[path]
        made.sheets.append(Sheet(record, name, fact.width, fact.height))
        made.info.append(fact)
        made.losses += [Loss(name, *loss) for loss in losses]
    return made


_Lost = tuple[int, str, str]


def _merged(records: Sequence[ImageRecord]) -> tuple[ImageRecord, list[_Lost]]:
    first = records[0]
    sides = list(dict.fromkeys(record.split for record in records if record.split))
    losses: list[_Lost] = []
    if len(sides) > 1:
        detail = f"It is in {' and '.join(sides)}; {sides[0]} is written."
        losses.append((0, "split", detail))
    attributes: dict[str, Any] = {}
    for record in reversed(records):
        attributes |= record.attributes
    whole = replace(
        first,
        labels=tuple(
            dict.fromkeys(label for record in records for label in record.labels)
        ),
        objects=tuple(obj for record in records for obj in record.objects),
        split=sides[0] if sides else None,
        group=next((record.group for record in records if record.group), ""),
        attributes=attributes,
    )
    return whole, losses


def _fault(obj: Annotation) -> tuple[str, str] | None:
    try:
        for shape in obj.shapes:
            if shape.kind == "mask":
                shape.pixels()
    except Unusable as error:
        return error.reason, error.detail
    return None


def _writable(obj: Annotation, number: int, losses: list[_Lost]) -> Annotation:
    attributes, lost = _kept(obj.attributes)
    losses += [(number, "attributes", detail) for detail in lost]
    if not obj.label:
        detail = f"It has none; written as {NAMELESS!r}."
        losses.append((number, "label", detail))
    return replace(obj, label=obj.label or NAMELESS, attributes=attributes)


def _kept(attributes: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Those that strict JSON in UTF-8 can hold, and what is wrong with the others."""
    kept, lost = {}, []
    for name, value in attributes.items():
        try:
            text = json.dumps([name, value], ensure_ascii=False, allow_nan=False)
            text.encode()
            kept[name] = value
        except (ValueError, TypeError, RecursionError) as error:
            lost.append(f"{name!a}: no JSON ({type(error).__name__}), left out.")
    return kept, lost


def unique_names(images: Sequence[ImageInfo]) -> list[str]:
    """Give copies of images their names."""
    paths = [_plain(fact) for fact in images]
    above = _common(paths)
    taken: dict[str, int] = {}
    names = []
    for path in paths:
        stem, suffix = posixpath.splitext(path[len(above) :])
        name = stem
        while name.casefold() in taken:
            taken[stem.casefold()] += 1
            name = f"{stem}_{taken[stem.casefold()]}"
        taken[name.casefold()] = 1
        names.append(name + suffix)
    return names


def _plain(fact: ImageInfo) -> str:
    path = fact.path
    if path.startswith(("../", "/")) or re.match("[A-Za-z]:", path):
        path = posixpath.basename(path)
    # Annotations have one name a line, and "\\" for "/" on other systems.
    path = re.sub(r"[\x00-\x1f\x7f\\]", "_", path)
    folder, name = posixpath.split(path)
    stem, suffix = posixpath.splitext(name)
    if suffix.lower() not in SUFFIXES:
        usual = known.SUFFIXES.get(fact.format, (f".{fact.format.lower()}",))
        stem, suffix = stem if suffix == ".json" else name, usual[0]
    stem = stem.encode()[:LONGEST].decode(errors="ignore")
    return posixpath.join(folder, stem + suffix)


def _common(paths: Sequence[str]) -> str:
    """The folder that all paths lie in, with a "/" at its end; "" for none."""
    folders = {posixpath.dirname(path) for path in paths}
    above = posixpath.commonpath(folders) if folders else ""
    return f"{above}/" if above else ""


@dataclass(frozen=True)
class Sheet:
    """One image to be written.

    Attributes:
        record: What is said of it, upright; there is one page an image.
        name: The name that its copy gets, unique, POSIX, with suffix; it may hold
            folders.
        width: Of the upright image, pixels.
        height: Likewise.
    """

    record: ImageRecord
    name: str
    width: int
    height: int


@dataclass(frozen=True)
class Loss:
    """Something that a format cannot hold.

    Attributes:
        name: Of the image's copy.
        obj: Which of its things, from 1; 0 for the image itself.
        field: What is lost, as in "shape", "attributes", "labels".
        detail: What was done instead, for a person.
    """

    name: str
    obj: int
    field: str
    detail: str


# Stands for "/". Names that hold it themselves get a digest, so that no two are mixed.
JOINT = "+"
# Bytes; file systems take 255, and ".xml" or ".txt" has to fit in.
LONGEST_NAME = 200


def flat(name: str) -> str:
    """Take the folders into the name."""
    stem, suffix = posixpath.splitext(name)
    whole = stem.replace("/", JOINT)
    if JOINT not in stem and len(whole.encode()) <= LONGEST_NAME:
        return whole + suffix
    checksum = hashlib.sha256(stem.encode()).hexdigest()[:8]
    kept = whole.encode()[:LONGEST_NAME].decode(errors="ignore")
    return f"{kept}-{checksum}{suffix}"
