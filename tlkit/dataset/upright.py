"""Pages as drawn in, pages in pixels of the upright picture out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from tlkit.dataset.facts import Facts
from tlkit.dataset.geometry import BadShape, rectangle, upright
from tlkit.dataset.sources.page import Page, Rejection, Thing


def upright_pages(
    pages: Iterable[Page],
    known: Mapping[str, Facts],
    unreadable: Iterable[Rejection],
) -> tuple[list[Page], list[Rejection]]:
    """Bring all pages to the pixels of their pictures.

    Args:
        pages: What the source says.
        known: Facts of the pictures that can be read, by path.
        unreadable: Those that cannot.

    Returns:
        The pages of the former, and a rejection for each of the others that has an
        annotation file of its own.
    """
    faults = {rejection.file: rejection for rejection in unreadable}
    readable: list[Page] = []
    rejected = []
    for page in pages:
        if page.path in known:
            turned = upright_page(page, known[page.path])
            if isinstance(turned, Page):
                readable.append(turned)
            else:
                rejected.append(turned)
        elif page.shown != page.path:
            fault = faults[page.path]
            detail = f"Its picture {page.path}: {fault.detail}"
            rejected.append(Rejection(page.shown, fault.reason, detail))
    return readable, rejected


def upright_page(page: Page, facts: Facts) -> Page | Rejection:
    """Bring what was drawn to the pixels of the upright picture.

    Args:
        page: As the source has it.
        facts: Of its picture.

    Returns:
        The page, turned where the picture's EXIF tag turns it and the size tells that
        it was drawn on the picture as stored; or why it cannot be.
    """
    size = facts.width, facts.height
    if page.size in {None, size} or not page.things:
        return page
    stored = size[::-1] if facts.orientation >= 5 else size
    if page.size != stored:
        drawn = " x ".join(map(str, page.size or ()))
        detail = f"Drawn on {drawn} pixels, the picture has {size[0]} x {size[1]}."
        return Rejection(page.shown, "size-mismatch", detail)
    try:
        things = tuple(
            _turned(thing, facts.orientation, stored) for thing in page.things
        )
    except BadShape as error:
        return Rejection(page.shown, error.args[0], f"{error.args[1]}.")
    return replace(page, things=things, size=size)


def _turned(thing: Thing, orientation: int, size: tuple[int, int]) -> Thing:
    told = thing.told and upright(rectangle(thing.told), orientation, size).bounds
    shapes = tuple(upright(shape, orientation, size) for shape in thing.shapes)
    return replace(thing, shapes=shapes, told=told)
