"""Pages as drawn in, pages in pixels of the upright image out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from tlkit.dataset.annotations.shapes import rectangle, upright
from tlkit.dataset.inspection.image_info import ImageInfo
from tlkit.dataset.records import Annotation, ImageRecord, Rejected
from tlkit.imaging.safe_read import Unusable


def upright_pages(
    records: Iterable[ImageRecord],
    known: Mapping[str, ImageInfo],
    unreadable: Iterable[Rejected],
) -> tuple[list[ImageRecord], list[Rejected]]:
    """Bring all pages to the pixels of their images."""
    faults = {rejection.file: rejection for rejection in unreadable}
    readable: list[ImageRecord] = []
    rejected = []
    for record in records:
        if record.path in known:
            turned = upright_page(record, known[record.path])
            if isinstance(turned, ImageRecord):
                readable.append(turned)
            else:
                rejected.append(turned)
        elif record.shown != record.path:
            fault = faults[record.path]
            detail = f"Its image {record.path}: {fault.detail}"
            rejected.append(Rejected(record.shown, fault.reason, detail))
    return readable, rejected


def upright_page(record: ImageRecord, info: ImageInfo) -> ImageRecord | Rejected:
    """Bring what was drawn to the pixels of the upright image."""
    size = info.width, info.height
    if record.size in {None, size} or not record.objects:
        return record
    stored = size[::-1] if info.orientation >= 5 else size
    if record.size != stored:
        drawn = " x ".join(map(str, record.size or ()))
        detail = f"Drawn on {drawn} pixels, the image has {size[0]} x {size[1]}."
        return Rejected(record.shown, "size-mismatch", detail)
    try:
        objects = tuple(
            _turned(obj, info.orientation, stored) for obj in record.objects
        )
    except Unusable as error:
        return Rejected(record.shown, error.reason, f"{error.detail}.")
    return replace(record, objects=objects, size=size)


def _turned(obj: Annotation, orientation: int, size: tuple[int, int]) -> Annotation:
    told = obj.told and upright(rectangle(obj.told), orientation, size).bounds
    shapes = tuple(upright(shape, orientation, size) for shape in obj.shapes)
    return replace(obj, shapes=shapes, told=told)
