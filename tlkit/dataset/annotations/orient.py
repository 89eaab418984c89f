"""Annotations in pixels of the image as decoded, oriented by its EXIF tag."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from tlkit.dataset.annotations.shapes import TRANSPOSED, Shape, orient, rectangle, scale
from tlkit.dataset.records import Annotation, ImageInfo, ImageRecord, Rejected
from tlkit.imaging.safe_read import Unusable


def orient_records(
    records: Iterable[ImageRecord],
    info: Mapping[str, ImageInfo],
    unreadable: Iterable[Rejected],
) -> tuple[list[ImageRecord], list[Rejected]]:
    """Orient all records; reject annotation files whose images are unreadable."""
    faults = {rejection.file: rejection for rejection in unreadable}
    readable: list[ImageRecord] = []
    rejected = []
    for record in records:
        if record.path in info:
            oriented = orient_record(record, info[record.path])
            if isinstance(oriented, ImageRecord):
                readable.append(oriented)
            else:
                rejected.append(oriented)
        elif record.shown != record.path:
            fault = faults[record.path]
            detail = f"Its image {record.path}: {fault.detail}"
            rejected.append(Rejected(record.shown, fault.reason, detail))
    return readable, rejected


def orient_record(record: ImageRecord, info: ImageInfo) -> ImageRecord | Rejected:
    """Bring shapes to pixels of the oriented image, from stored ones or from shares."""
    size = info.width, info.height
    if record.relative:
        objects = tuple(_scale(obj, size) for obj in record.objects)
        return replace(record, objects=objects, size=size, relative=False)
    if record.size in {None, size} or not record.objects:
        return record
    stored = _stored_size(info)
    if record.size != stored:
        drawn = " x ".join(map(str, record.size or ()))
        detail = f"Drawn on {drawn} pixels, the image has {size[0]} x {size[1]}."
        return Rejected(record.shown, "size-mismatch", detail)
    try:
        objects = tuple(
            _move(obj, lambda shape: orient(shape, info.orientation, stored))
            for obj in record.objects
        )
    except Unusable as error:
        return Rejected(record.shown, error.reason, f"{error.detail}.")
    return replace(record, objects=objects, size=size)


def _move(obj: Annotation, move: Callable[[Shape], Shape]) -> Annotation:
    bbox = obj.bbox and move(rectangle(obj.bbox)).bounds
    return replace(obj, shapes=tuple(map(move, obj.shapes)), bbox=bbox)


def _scale(obj: Annotation, size: tuple[int, int]) -> Annotation:
    obj = _move(obj, lambda shape: scale(shape, size))
    keypoints = obj.attributes.get("keypoints")
    if not isinstance(keypoints, list):
        return obj
    # As YOLO has them: x, y and, if given, visibility.
    width, height = size
    pixels = [[x * width, y * height, *rest] for x, y, *rest in keypoints]
    return replace(obj, attributes={**obj.attributes, "keypoints": pixels})


def unclear_orientation(
    records: Iterable[ImageRecord], info: Mapping[str, ImageInfo]
) -> str:
    """Return a warning of images whose annotations may ignore the EXIF orientation.

    The size that an annotation gives separates stored from oriented images only where
    width and height are swapped.
    """
    unclear = dict.fromkeys(
        record.path
        for record in records
        if record.objects
        and (image := info.get(record.path))
        and image.orientation != 1
        and (record.size is None or _stored_size(image) == (image.width, image.height))
    )
    if not unclear:
        return ""
    return (
        f"{len(unclear)} annotated image(s) have an EXIF orientation, such as "
        f"{next(iter(unclear))}, and the size of the image does not show if they were "
        "drawn on before or after it is applied: after is assumed. Check their crops."
    )


def _stored_size(info: ImageInfo) -> tuple[int, int]:
    size = info.width, info.height
    return size[::-1] if info.orientation in TRANSPOSED else size
