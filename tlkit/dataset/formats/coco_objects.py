"""The lists of one COCO JSON in, images by id and the objects on them out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
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
from tlkit.dataset.records import Annotation, is_label
from tlkit.imaging.safe_read import Unusable

Id = int | str


def read_images(content: Entry, faults: Faults) -> dict[Id, Entry]:
    """Read the list of images."""
    images: dict[Id, Entry] = {}
    for what, entry in _entries(content, "images", faults):
        key = _id(entry.get("id"))
        if key is None:
            faults.add("bad-id", f"{what}: its id is {entry.get('id')!r}"[:200])
        elif key not in images:
            images[key] = entry
        elif named(entry) != named(images[key]):
            both = f"{named(images[key])!r} and {named(entry)!r}"
            faults.add("duplicate-id", f"{what}: {both} have the same id {key!r}")
    return images


def named(entry: Entry) -> str:
    """The name that an entry gives its image."""
    for key in ("file_name", "coco_url", "path", "flickr_url"):
        name = entry.get(key)
        if isinstance(name, str) and name:
            return name.split("?")[0] if "://" in name else name
    return ""


def read_categories(content: Entry, faults: Faults) -> dict[Id, Category]:
    """Read the list of classes."""
    categories: dict[Id, Category] = {}
    for what, entry in _entries(content, "categories", faults):
        key, name = _id(entry.get("id")), entry.get("name")
        if key is None:
            faults.add("bad-id", f"{what}: its id is {entry.get('id')!r}"[:200])
        elif not isinstance(name, str) or not is_label(name):
            faults.add("bad-label", f"{what}: its name is {name!r}"[:200])
        elif key not in categories:
            above = entry.get("supercategory")
            if not isinstance(above, str) or above in {"none", name}:
                above = ""
            categories[key] = Category(name.strip(), above)
        elif categories[key].label != name.strip():
            both = f"{categories[key].label!r} and {name!r}"
            faults.add("duplicate-id", f"{what}: {both} have the same id {key!r}")
    return categories


def read_objects(
    content: Entry,
    images: Mapping[Id, Entry],
    categories: Mapping[Id, Category],
    faults: Faults,
) -> dict[Id, list[Annotation]]:
    """Read the list of objects."""
    objects: dict[Id, list[Annotation]] = defaultdict(list)
    for what, entry in _entries(content, "annotations", faults):
        image, category = _id(entry.get("image_id")), _id(entry.get("category_id"))
        if image is None or image not in images:
            of = entry.get("image_id")
            faults.add("unknown-image", f"{what}: no image has the id {of!r}"[:200])
        elif category is None or category not in categories:
            of = entry.get("category_id")
            faults.add("unknown-class", f"{what}: no class has the id {of!r}"[:200])
        else:
            try:
                obj = read_thing(
                    entry, images[image], categories[category], what, faults
                )
                objects[image].append(obj)
            except Unusable as error:
                faults.add(error.reason, f"{what}: {error.detail}")
    return objects


def _entries(content: Entry, name: str, faults: Faults) -> Iterator[tuple[str, Entry]]:
    entries = content.get(name)
    for number, entry in enumerate(entries if isinstance(entries, list) else [], 1):
        what = f"{name}, entry {number}"
        if isinstance(entry, dict):
            yield what, entry
        else:
            faults.add("bad-entry", f"{what}: not an object")


def _id(value: Any) -> Id | None:
    return value if isinstance(value, int | str) else None


# Where tlkit writes what COCO has no place for.
EXTRA = "tlkit"
# What becomes a part of Thing; ids are given again when they are written.
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
    """The size that an entry gives its image."""
    width, height = entry.get("width"), entry.get("height")
    if type(width) is int and type(height) is int and width > 0 and height > 0:
        return (width, height) if width * height <= MAX_MASK_PIXELS else None
    return None


def read_thing(
    entry: Entry, image: Entry, category: Category, what: str, faults: Faults
) -> Annotation:
    """Read one object."""
    box = _box(entry.get("bbox"))
    extra = entry.get(EXTRA)
    extra = extra if isinstance(extra, dict) else {}
    shapes = _exact(extra.get("shapes"), entry, box, image_size(image))
    if not shapes:
        shapes = _drawn(entry, image, box, what, faults)
    kept = extra.get("attributes")
    return Annotation(
        label=category.label,
        shapes=shapes,
        bbox=box,
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
    drawn, bad = decode_segmentation(content)
    if isinstance(content, dict) and drawn:
        height, width = content["size"]
        if size and size != (width, height):
            drawn = []
            bad.append(Unusable("bad-mask", f"a mask of {width} x {height} pixels"))
    if not drawn and bad and box:
        detail = "; ".join(dict.fromkeys(str(fault.detail) for fault in bad))
        faults.add("bad-segmentation", f"{what}: {detail}; its box is used")
        return (rectangle(box),)
    for fault in bad:
        faults.add(fault.reason, f"{what}: {fault.detail}")
    if bad and not drawn:
        raise Unusable("no-shape", "nothing of its segmentation can be used")
    if not drawn and box is None:
        raise Unusable("no-shape", "it has neither segmentation nor bbox")
    return tuple(drawn) if drawn or box is None else (rectangle(box),)


def _box(value: Any) -> Bounds | None:
    if value in EMPTY:
        return None
    try:
        x, y, width, height = (float(v) for v in value)
        # A shape's own checks: finite, and somewhere near.
        box = rectangle((x, y, x + width, y + height)).points
    except (TypeError, ValueError, OverflowError) as error:
        raise Unusable("bad-box", f"its bbox is {value!r}"[:200]) from error
    if width < 0 or height < 0:
        raise Unusable("bad-box", f"its bbox is {value!r}")
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
        said = encode_segmentation(shapes, size or (0, 0))
    except (Unusable, TypeError, ValueError, KeyError, AttributeError):
        return ()
    # Other programs write an empty list again for what has no area.
    empty = content in EMPTY and not total_area(shapes)
    agree = nearly_equal(around(shapes), box) if empty else nearly_equal(said, content)
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
