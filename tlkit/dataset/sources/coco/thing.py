"""One object of a COCO JSON in, a Thing out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tlkit.dataset.geometry import (
    MAX_MASK_PIXELS,
    BadShape,
    Bounds,
    Shape,
    around,
    rectangle,
)
from tlkit.dataset.segmentation import alike, parts, segmentation, total_area
from tlkit.dataset.sources.coco.faults import Faults
from tlkit.dataset.sources.page import Thing

# Where tlkit writes what COCO has no place for.
EXTRA = "tlkit"
# What becomes a part of Thing; ids are given anew when they are written.
KNOWN = {"id", "image_id", "category_id", "segmentation", "bbox", "area", EXTRA}
EMPTY: tuple[Any, ...] = (None, "", [], {})
# Written by all programs, and mostly without a meaning.
USUAL = {"iscrowd": 0, "ignore": 0}
# A stated area within such a share of the outline's says nothing of its own.
AREA_SLACK = 0.02

Entry = Mapping[str, Any]


@dataclass(frozen=True)
class Category:
    """A class that a file lists.

    Attributes:
        label: Its name.
        above: Its supercategory; "" where that tells nothing.
    """

    label: str
    above: str = ""


def image_size(entry: Entry) -> tuple[int, int] | None:
    """The size that an entry gives its picture.

    Args:
        entry: Of the list of pictures.

    Returns:
        Width and height; None where it tells none that a picture could have.
    """
    width, height = entry.get("width"), entry.get("height")
    if type(width) is int and type(height) is int and width > 0 and height > 0:
        return (width, height) if width * height <= MAX_MASK_PIXELS else None
    return None


def read_thing(
    entry: Entry, image: Entry, category: Category, what: str, faults: Faults
) -> Thing:
    """Read one object.

    Args:
        entry: Of the list of objects.
        image: That of its picture.
        category: Its class.
        what: How to call it.
        faults: Told of what cannot be used of it.

    Returns:
        The object.

    Raises:
        BadShape: Nothing of it can be used.
    """
    box = _box(entry.get("bbox"))
    extra = entry.get(EXTRA)
    extra = extra if isinstance(extra, dict) else {}
    shapes = _exact(extra.get("shapes"), entry, box, image_size(image))
    if not shapes:
        shapes = _drawn(entry, image, box, what, faults)
    kept = extra.get("attributes")
    return Thing(
        label=category.label,
        shapes=shapes,
        told=box,
        attributes={
            **_attributes(entry, shapes, box),
            **({"supercategory": category.above} if category.above else {}),
            **(kept if isinstance(kept, dict) else {}),
        },
    )


def _drawn(
    entry: Entry, image: Entry, box: Bounds | None, what: str, faults: Faults
) -> tuple[Shape, ...]:
    """What can be used of the segmentation, or the box where nothing can."""
    content, size = entry.get("segmentation"), image_size(image)
    drawn, bad = parts(content)
    if isinstance(content, dict) and drawn:
        height, width = content["size"]
        if size and size != (width, height):
            drawn = []
            bad.append(BadShape("bad-mask", f"a mask of {width} x {height} pixels"))
    if not drawn and bad and box:
        detail = "; ".join(dict.fromkeys(str(fault.args[1]) for fault in bad))
        faults.add("bad-segmentation", f"{what}: {detail}; its box is used")
        return (rectangle(box),)
    for fault in bad:
        faults.add(fault.args[0], f"{what}: {fault.args[1]}")
    if bad and not drawn:
        raise BadShape("no-shape", "nothing of its segmentation can be used")
    if not drawn and box is None:
        raise BadShape("no-shape", "it has neither segmentation nor bbox")
    return tuple(drawn) if drawn or box is None else (rectangle(box),)


def _box(value: Any) -> Bounds | None:
    if value in EMPTY:
        return None
    try:
        x, y, width, height = (float(v) for v in value)
        # A shape's own checks: finite, and somewhere near.
        box = rectangle((x, y, x + width, y + height)).points
    except (TypeError, ValueError, OverflowError) as error:
        raise BadShape("bad-box", f"its bbox is {value!r}"[:200]) from error
    if width < 0 or height < 0:
        raise BadShape("bad-box", f"its bbox is {value!r}")
    return *box[0], *box[1]


def _exact(
    told: Any, entry: Entry, box: Bounds | None, size: tuple[int, int] | None
) -> tuple[Shape, ...]:
    """What was drawn, by our own key; nothing where the others were changed since."""
    content: Any = entry.get("segmentation")
    try:
        shapes = tuple(
            Shape.make(one["shape_type"], one["points"], one.get("mask"))
            for one in told or ()
        )
        masked = any(shape.kind == "mask" for shape in shapes)
        if masked and size is None:
            height, width = content["size"]
            size = image_size({"width": width, "height": height})
        if not shapes or (masked and size is None):
            return ()
        said = segmentation(shapes, size or (0, 0))
    except (BadShape, TypeError, ValueError, KeyError, AttributeError):
        return ()
    # Other programs write an empty list again for what has no area.
    empty = content in EMPTY and not total_area(shapes)
    agree = alike(around(shapes), box) if empty else alike(said, content)
    return shapes if agree else ()


def _attributes(
    entry: Entry, shapes: Sequence[Shape], box: Bounds | None
) -> dict[str, Any]:
    attributes = {
        name: value
        for name, value in entry.items()
        if name not in KNOWN and value not in EMPTY and USUAL.get(name) != value
    }
    area = entry.get("area")
    # That of a mask is told by the mask.
    if isinstance(area, int | float) and not any(s.kind == "mask" for s in shapes):
        own = total_area(shapes)
        of_box = (box[2] - box[0]) * (box[3] - box[1]) if box else own
        slack = AREA_SLACK * max(own, 1.0)
        if min(abs(area - own), abs(area - of_box)) > slack:
            attributes["area"] = area
    return attributes
