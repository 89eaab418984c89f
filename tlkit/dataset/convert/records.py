"""Annotated images as convert writes them, one record each, under a name of its own."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tlkit.dataset.convert.names import unique_names
from tlkit.dataset.records import (
    Annotation,
    ImageInfo,
    ImageRecord,
    Rejected,
    natural_key,
)
from tlkit.imaging.safe_read import Unusable

# The label of objects without one, where every object must have some.
NAMELESS = "unlabeled"


@dataclass(frozen=True)
class OutputImage:
    """An image to be written: all its annotations, the name of its copy, its size.

    The name is unique, POSIX, with suffix, and may hold folders. Width and height are
    pixels of the image oriented by its EXIF tag.
    """

    record: ImageRecord
    name: str
    width: int
    height: int


@dataclass(frozen=True)
class DroppedField:
    """Something that a format cannot hold.

    Attributes:
        file: Name of the image's copy, or of a file about all images.
        obj: Number of the object on it, from 1; 0 for the image itself.
        field: What is dropped, such as "shape", "attributes", "labels".
        detail: What was done instead, for a person.
    """

    file: str
    obj: int
    field: str
    detail: str


def make_images(
    records: Iterable[ImageRecord], info: Mapping[str, ImageInfo]
) -> tuple[list[OutputImage], list[DroppedField], list[Rejected]]:
    """Merge the records of each image, in natural order; reject unusable objects."""
    by_path: dict[str, list[ImageRecord]] = defaultdict(list)
    for record in records:
        by_path[record.path].append(record)
    paths = sorted(by_path, key=natural_key)
    names = unique_names([info[path] for path in paths])
    images: list[OutputImage] = []
    dropped: list[DroppedField] = []
    rejected: list[Rejected] = []
    for path, name in zip(paths, names, strict=True):
        record = _merge(by_path[path])
        splits = dict.fromkeys(each.split for each in by_path[path] if each.split)
        if len(splits) > 1:
            detail = f"It is in {' and '.join(splits)}; {record.split} is written."
            dropped.append(DroppedField(name, 0, "split", detail))
        objects: list[Annotation] = []
        for number, obj in enumerate(record.objects, 1):
            if fault := _fault(obj):
                detail = f"Object {number}, {obj.label or NAMELESS}: {fault.detail}."
                rejected.append(Rejected(record.shown, fault.reason, detail))
                continue
            attributes, lost = _as_json(obj.attributes, name, len(objects) + 1)
            dropped += lost
            if not obj.label:
                detail = f"It has none; written as {NAMELESS!r}."
                dropped.append(DroppedField(name, len(objects) + 1, "label", detail))
            label = obj.label or NAMELESS
            objects.append(replace(obj, label=label, attributes=attributes))
        attributes, lost = _as_json(record.attributes, name, 0)
        dropped += lost
        record = replace(record, objects=tuple(objects), attributes=attributes)
        images.append(OutputImage(record, name, info[path].width, info[path].height))
    return images, dropped, rejected


def _merge(records: Sequence[ImageRecord]) -> ImageRecord:
    attributes: dict[str, Any] = {}
    for record in reversed(records):
        attributes |= record.attributes
    labels = dict.fromkeys(label for record in records for label in record.labels)
    return replace(
        records[0],
        labels=tuple(labels),
        objects=tuple(obj for record in records for obj in record.objects),
        split=next((record.split for record in records if record.split), None),
        group=next((record.group for record in records if record.group), ""),
        attributes=attributes,
    )


def _fault(obj: Annotation) -> Unusable | None:
    try:
        for shape in obj.shapes:
            if shape.kind == "mask":
                shape.pixels()
    except Unusable as error:
        return error
    return None


def _as_json(
    attributes: Mapping[str, Any], file: str, obj: int
) -> tuple[dict[str, Any], list[DroppedField]]:
    """Return the attributes that strict JSON in UTF-8 can hold; drop the others."""
    kept, dropped = {}, []
    for name, value in attributes.items():
        try:
            text = json.dumps([name, value], ensure_ascii=False, allow_nan=False)
            text.encode()
            kept[name] = value
        except (ValueError, TypeError, RecursionError) as error:
            detail = f"{name!a}: not JSON ({type(error).__name__}), left out."
            dropped.append(DroppedField(file, obj, "attributes", detail))
    return kept, dropped


def split_reserved(
    attributes: Mapping[str, Any], reserved: set[str]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Split off the attributes whose names a format has a use of its own for."""
    free = {name: value for name, value in attributes.items() if name not in reserved}
    clashing = {name: attributes[name] for name in attributes if name not in free}
    return free, clashing


def with_extra(
    content: dict[str, Any], key: str, extra: Mapping[str, Any]
) -> dict[str, Any]:
    """Add what a format has no place for under a key of its own, if there is any."""
    filled = {name: value for name, value in extra.items() if value}
    return {**content, key: filled} if filled else content
