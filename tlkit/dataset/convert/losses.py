"""What formats of boxes and outlines cannot hold, said in the same words for each."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from tlkit.dataset.annotations.shapes import Bounds, around
from tlkit.dataset.convert.records import Loss, Sheet
from tlkit.dataset.records import Annotation
from tlkit.dataset.splitting.examples import is_ignored

# The field of what is marked as none of the classes.
IGNORED = "ignored"
# A told box may be rounded to whole pixels.
SLACK = 1.0
# What a kind of shape becomes, if it does not stay.
INSTEAD = {
    "rectangle": "as its four corners",
    "oriented_rectangle": "as its four corners",
    "circle": "as an outline of many corners",
    "ellipse": "as an outline of many corners",
    "mask": "as its outline, holes filled",
}


def of_image(sheet: Sheet) -> Iterator[Loss]:
    """Say what is lost of an image itself, if only its side is kept."""
    record = sheet.record
    if record.labels:
        detail = f"{', '.join(record.labels)}: only objects have labels."
        yield Loss(sheet.name, 0, "labels", detail)
    if record.group:
        yield Loss(sheet.name, 0, "group", f"{record.group}: left out.")
    if names := left_out(record.attributes, ()):
        yield Loss(sheet.name, 0, "attributes", names)


def left_out(attributes: Mapping[str, Any], kept: Collection[str]) -> str:
    """Name the attributes that are lost."""
    names = ", ".join(name for name in attributes if name not in kept)
    return f"{names}: left out." if names else ""


def kinds(obj: Annotation, kept: Collection[str]) -> Iterator[str]:
    """Say what becomes of the shapes of a thing."""
    for kind in sorted({shape.kind for shape in obj.shapes} - set(kept)):
        article = "An" if kind[0] in "aeio" else "A"
        yield f"{article} {kind}, written {INSTEAD.get(kind, 'as its box')}."


def ignored(obj: Annotation) -> Iterator[str]:
    """Say of a thing that is marked as none of the classes that it is written as one.

    To leave it out would lose an object, and with "crowd" or "difficult" it would be
    another thing than it was; so it stays, and who trains on it is told.

    Args:
        obj: What is written.

    Yields:
        A line where it is.
    """
    if is_ignored(obj):
        yield f"It is marked to be ignored; written as any other {obj.label}."


def is_off(obj: Annotation) -> bool:
    """Whether the box that was given of a thing is not that around its shapes."""
    return differ(obj.bounds, around(obj.shapes))


def differ(one: Bounds, other: Bounds) -> bool:
    """Whether two boxes are not the same, but for rounding to whole pixels."""
    return max(abs(a - b) for a, b in zip(one, other, strict=True)) > SLACK
