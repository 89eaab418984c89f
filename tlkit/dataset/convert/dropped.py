"""Descriptions of what a format cannot hold, in the same words for each format."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from tlkit.dataset.annotations.shapes import Bounds, around
from tlkit.dataset.convert.records import DroppedField, OutputImage
from tlkit.dataset.records import Annotation, ImageRecord

# Name of the field, detail.
Field = tuple[str, str]

# The field of a mark by which an object belongs to none of the classes.
IGNORED_FIELD = "ignored"
# Pixels: a given box may be rounded to whole ones.
TOLERANCE = 1.0
# What a kind of shape becomes where it cannot stay; any other becomes its box.
REPLACEMENTS = {
    "rectangle": "as its four corners",
    "oriented_rectangle": "as its four corners",
    "circle": "as an outline of many corners",
    "ellipse": "as an outline of many corners",
    "mask": "as its outline, holes filled",
}


def collect(
    image: OutputImage,
    of_image: Iterable[Field],
    of_objects: Iterable[Iterable[Field]],
) -> list[DroppedField]:
    """List what is dropped of an image and of the objects on it."""
    dropped = [DroppedField(image.name, 0, *field) for field in of_image]
    for number, fields in enumerate(of_objects, 1):
        dropped += [DroppedField(image.name, number, *field) for field in fields]
    return dropped


def of_image(record: ImageRecord) -> Iterator[Field]:
    """Describe what is dropped of an image where only its split is kept."""
    if record.labels:
        yield "labels", f"{', '.join(record.labels)}: only objects have labels."
    if record.group:
        yield "group", f"{record.group}: left out."
    yield from attributes(record.attributes, ())


def attributes(
    values: Mapping[str, Any], kept: Collection[str], fate: str = "left out"
) -> Iterator[Field]:
    """Describe the attributes that are not kept."""
    if names := ", ".join(name for name in values if name not in kept):
        yield "attributes", f"{names}: {fate}."


def shapes(obj: Annotation, kept: Collection[str]) -> Iterator[Field]:
    """Describe the replacements of shapes whose kinds are not kept."""
    for kind in sorted({shape.kind for shape in obj.shapes} - set(kept)):
        article = "An" if kind[0] in "aeio" else "A"
        replacement = REPLACEMENTS.get(kind, "as its box")
        yield "shape", f"{article} {kind}, written {replacement}."


def ignored(obj: Annotation) -> Iterator[Field]:
    """Describe an object marked as none of the classes, which is written as one.

    To leave it out would lose an object, and "crowd" or "difficult" mean something
    else; so it stays, and a warning is given.
    """
    if obj.ignored:
        detail = f"It is marked to be ignored; written as any other {obj.label}."
        yield IGNORED_FIELD, detail


def box_differs(obj: Annotation) -> bool:
    """Compare the box that was given of an object with that around its shapes."""
    return differ(obj.bounds, around(obj.shapes))


def differ(one: Bounds, other: Bounds) -> bool:
    """Compare two boxes, but for rounding to whole pixels."""
    return max(abs(a - b) for a, b in zip(one, other, strict=True)) > TOLERANCE
