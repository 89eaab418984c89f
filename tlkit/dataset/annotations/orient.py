"""Pages as drawn in, pages in pixels of the upright image out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from tlkit.dataset.annotations.shapes import BadShape, rectangle, upright
from tlkit.dataset.inspection.image_info import ImageInfo
from tlkit.dataset.records import Annotation_, ImageRecord, Rejected


def upright_pages(
    pages: Iterable[ImageRecord],
    known: Mapping[str, ImageInfo],
    unreadable: Iterable[Rejected],
) -> tuple[list[ImageRecord], list[Rejected]]:
    """Bring all pages to the pixels of their images."""
    faults = {rejection.file: rejection for rejection in unreadable}
    readable: list[ImageRecord] = []
    rejected = []
    for page in pages:
        if page.path in known:
            turned = upright_page(page, known[page.path])
            if isinstance(turned, ImageRecord):
                readable.append(turned)
            else:
                rejected.append(turned)
        elif page.shown != page.path:
            fault = faults[page.path]
            detail = f"Its image {page.path}: {fault.detail}"
            rejected.append(Rejected(page.shown, fault.reason, detail))
    return readable, rejected


def upright_page(page: ImageRecord, facts: ImageInfo) -> ImageRecord | Rejected:
    """Bring what was drawn to the pixels of the upright image."""
    size = facts.width, facts.height
    if page.size in {None, size} or not page.things:
        return page
    stored = size[::-1] if facts.orientation >= 5 else size
    if page.size != stored:
        drawn = " x ".join(map(str, page.size or ()))
        detail = f"Drawn on {drawn} pixels, the image has {size[0]} x {size[1]}."
        return Rejected(page.shown, "size-mismatch", detail)
    try:
        things = tuple(
            _turned(thing, facts.orientation, stored) for thing in page.things
        )
    except BadShape as error:
        return Rejected(page.shown, error.args[0], f"{error.args[1]}.")
    return replace(page, things=things, size=size)


def _turned(thing: Annotation_, orientation: int, size: tuple[int, int]) -> Annotation_:
    told = thing.told and upright(rectangle(thing.told), orientation, size).bounds
    shapes = tuple(upright(shape, orientation, size) for shape in thing.shapes)
    return replace(thing, shapes=shapes, told=told)
