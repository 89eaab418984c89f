"""Annotations in pixels of the image as decoded, oriented by its EXIF tag."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from tlkit.dataset.annotations.shapes import TRANSPOSED, Shape, orient, rectangle, scale
from tlkit.dataset.inspection.image_info import ImageInfo
from tlkit.dataset.records import Annotation, ImageRecord, Rejected
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
    drawn_on_oriented = record.size in {None, size} and not record.relative
    if drawn_on_oriented or not record.objects:
        return record
    stored = _stored_size(info)
    if record.size != stored and not record.relative:
        drawn = " x ".join(map(str, record.size or ()))
        detail = f"Drawn on {drawn} pixels, the image has {size[0]} x {size[1]}."
        return Rejected(record.shown, "size-mismatch", detail)

    def oriented(shape: Shape) -> Shape:
        if record.relative:
            return scale(shape, size)
        return orient(shape, info.orientation, stored)

    def object_of(obj: Annotation) -> Annotation:
        bbox = obj.bbox and oriented(rectangle(obj.bbox)).bounds
        return replace(obj, shapes=tuple(map(oriented, obj.shapes)), bbox=bbox)

    try:
        objects = tuple(map(object_of, record.objects))
    except Unusable as error:
        return Rejected(record.shown, error.reason, f"{error.detail}.")
    return replace(record, objects=objects, size=size, relative=False)


def unclear_orientation(
    records: Iterable[ImageRecord], info: Mapping[str, ImageInfo]
) -> str:
    """Return a warning of images whose annotations may ignore the EXIF orientation.

    The size that an annotation gives tells stored from oriented images only where
    their width and height are swapped.
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
