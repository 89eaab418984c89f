"""The objects of a COCO JSON, by the ID of their image."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tlkit.dataset.annotations.coco_segmentation import (
    decode_segmentation,
    encode_segmentation,
    nearly_equal,
    total_area,
)
from tlkit.dataset.annotations.shapes import (
    MAX_MASK_PIXELS,
    Bounds,
    Shape,
    around,
    rectangle,
)
from tlkit.dataset.formats.common import Faults
from tlkit.dataset.records import Annotation
from tlkit.imaging.safe_read import Unusable

Id = int | str
Entry = Mapping[str, Any]
Size = tuple[int, int] | None
# Label, supercategory; "" where that has no meaning of its own.
Category = tuple[str, str]

# Where tlkit writes what COCO has no place for.
EXTRA = "tlkit"
# Keys that are not attributes; IDs are given again when they are written.
KNOWN = {"id", "image_id", "category_id", "segmentation", "bbox", "area", EXTRA}
EMPTY: tuple[Any, ...] = (None, "", [], {})
# Written by all programs, and mostly without a meaning.
USUAL = {"iscrowd": 0, "ignore": 0}
# A stated area within such a share of the outline's area is not kept.
AREA_SLACK = 0.02


def entries(content: Entry, name: str, faults: Faults) -> Iterator[tuple[str, Entry]]:
    """Yield the entries of a list, each with its place for messages."""
    found = content.get(name)
    for number, entry in enumerate(found if isinstance(found, list) else [], 1):
        what = f"{name}, entry {number}"
        if isinstance(entry, dict):
            yield what, entry
        else:
            faults.add("bad-entry", f"{what}: not an object")


def key_of(entry: Entry, name: str) -> Id | None:
    """Return an ID, if it can be one."""
    value = entry.get(name)
    return value if isinstance(value, int | str) else None


def extra_of(entry: Entry) -> Entry:
    """Return what tlkit wrote about an entry."""
    extra = entry.get(EXTRA)
    return extra if isinstance(extra, dict) else {}


def image_size(entry: Entry) -> Size:
    """Return the width and height that an entry gives its image."""
    width, height = entry.get("width"), entry.get("height")
    if type(width) is int and type(height) is int and width > 0 and height > 0:
        return (width, height) if width * height <= MAX_MASK_PIXELS else None
    return None


def read_objects(
    content: Entry,
    sizes: Mapping[Id, Size],
    categories: Mapping[Id, Category],
    faults: Faults,
) -> dict[Id, list[Annotation]]:
    """Read the list of objects."""
    objects: dict[Id, list[Annotation]] = defaultdict(list)
    for what, entry in entries(content, "annotations", faults):
        image, category = key_of(entry, "image_id"), key_of(entry, "category_id")
        if image is None or image not in sizes:
            value = entry.get("image_id")
            faults.add("unknown-image", f"{what}: no image has the id {value!r}"[:200])
        elif category is None or category not in categories:
            value = entry.get("category_id")
            faults.add("unknown-class", f"{what}: no class has the id {value!r}"[:200])
        else:
            try:
                obj = _read(entry, sizes[image], categories[category], what, faults)
                objects[image].append(obj)
            except Unusable as error:
                faults.add(error.reason, f"{what}: {error.detail}")
    return objects


def _read(
    entry: Entry, size: Size, category: Category, what: str, faults: Faults
) -> Annotation:
    label, supercategory = category
    box, extra = _box(entry.get("bbox")), extra_of(entry)
    shapes = _exact_shapes(extra.get("shapes"), entry.get("segmentation"), box, size)
    if not shapes:
        shapes = _shapes(entry.get("segmentation"), size, box, what, faults)
    kept = extra.get("attributes")
    return Annotation(
        label=label,
        shapes=shapes,
        bbox=box,
        attributes={
            **_attributes(entry, shapes, box),
            **({"supercategory": supercategory} if supercategory else {}),
            **(kept if isinstance(kept, dict) else {}),
        },
    )


def _box(value: Any) -> Bounds | None:
    if value in EMPTY:
        return None
    try:
        x, y, width, height = (float(v) for v in value)
        # A shape's own checks: finite, and not absurdly far away.
        (x0, y0), (x1, y1) = rectangle((x, y, x + width, y + height)).points
        if width >= 0 and height >= 0:
            return x0, y0, x1, y1
    except (TypeError, ValueError, OverflowError, Unusable) as error:
        raise Unusable("bad-box", f"its bbox is {value!r}"[:200]) from error
    raise Unusable("bad-box", f"its bbox is {value!r}")


def _shapes(
    segmentation: Any, size: Size, box: Bounds | None, what: str, faults: Faults
) -> tuple[Shape, ...]:
    """Return what is usable of the segmentation, or the box where nothing is."""
    shapes, bad = decode_segmentation(segmentation)
    if isinstance(segmentation, dict) and shapes:
        height, width = segmentation["size"]
        if size and size != (width, height):
            shapes = []
            bad.append(Unusable("bad-mask", f"a mask of {width} x {height} pixels"))
    if not shapes and bad and box:
        detail = "; ".join(dict.fromkeys(fault.detail for fault in bad))
        faults.add("bad-segmentation", f"{what}: {detail}; its box is used")
        return (rectangle(box),)
    for fault in bad:
        faults.add(fault.reason, f"{what}: {fault.detail}")
    if bad and not shapes:
        raise Unusable("no-shape", "nothing of its segmentation can be used")
    if not shapes and box is None:
        raise Unusable("no-shape", "it has neither segmentation nor bbox")
    return tuple(shapes) if shapes or box is None else (rectangle(box),)


def _exact_shapes(
    drawn: Any, segmentation: Any, box: Bounds | None, size: Size
) -> tuple[Shape, ...]:
    """Return the shapes that tlkit wrote; none where the object was changed since."""
    try:
        shapes = tuple(
            Shape.make(shape["shape_type"], shape["points"], shape.get("mask"))
            for shape in drawn or ()
        )
        masked = any(shape.kind == "mask" for shape in shapes)
        if masked and size is None:
            height, width = segmentation["size"]
            size = image_size({"width": width, "height": height})
        if not shapes or (masked and size is None):
            return ()
        written = encode_segmentation(shapes, size or (0, 0))
    except (Unusable, TypeError, ValueError, KeyError, AttributeError):
        return ()
    # Other programs write an empty list again for what has no area.
    if segmentation in EMPTY and not total_area(shapes):
        return shapes if nearly_equal(around(shapes), box) else ()
    return shapes if nearly_equal(written, segmentation) else ()


def _attributes(
    entry: Entry, shapes: Sequence[Shape], box: Bounds | None
) -> dict[str, Any]:
    attributes = {
        name: value
        for name, value in entry.items()
        if name not in KNOWN and value not in EMPTY and USUAL.get(name) != value
    }
    area = entry.get("area")
    # The area of a mask follows from the mask.
    if isinstance(area, int | float) and not any(s.kind == "mask" for s in shapes):
        own = total_area(shapes)
        of_box = (box[2] - box[0]) * (box[3] - box[1]) if box else own
        slack = AREA_SLACK * max(own, 1.0)
        if min(abs(area - own), abs(area - of_box)) > slack:
            attributes["area"] = area
    return attributes
