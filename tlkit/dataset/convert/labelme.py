"""Writer of labelme JSON: one file next to each image.

Shapes of one object get a common group_id. What labelme has no place for is kept in
keys of its own, which labelme keeps and `formats.labelme` reads.
"""

from __future__ import annotations

import itertools
import posixpath
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tlkit.dataset.annotations.shapes import Shape, mask_shape
from tlkit.dataset.convert import dropped
from tlkit.dataset.convert.dropped import Field
from tlkit.dataset.convert.records import (
    DroppedField,
    OutputImage,
    split_reserved,
    with_extra,
)
from tlkit.dataset.formats.labelme import EXTRA
from tlkit.dataset.records import Annotation, ImageRecord
from tlkit.files import write_json

# The last of the fifth major version, which all from 5.0 to 7 read.
VERSION = "5.5.0"
RESERVED_OF_IMAGES = {
    *("version", "flags", "shapes", "imagePath", "imageData", "imageHeight"),
    *("imageWidth", EXTRA),
}
RESERVED_OF_OBJECTS = {
    *("label", "points", "shape_type", "mask", "line_color", "fill_color", EXTRA),
}
DISPLAYED = {"flags", "group_id", "description"}


def image_path(image: OutputImage) -> str:
    """Return the path of an image's copy."""
    return image.name


def write(
    folder: Path,
    images: Sequence[OutputImage],
    labels: Sequence[str],  # noqa: ARG001
) -> list[DroppedField]:
    """Write everything but the images."""
    lost: list[DroppedField] = []
    for image in images:
        path = folder / f"{posixpath.splitext(image.name)[0]}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, _content(image))
        record = image.record
        of_objects = map(_dropped, record.objects)
        lost += dropped.collect(image, _dropped_of_image(record), of_objects)
    return lost


def _content(image: OutputImage) -> dict[str, Any]:
    record = image.record
    flags: Any = record.attributes.get("flags")
    flags = flags if _fits("flags", flags) else {}
    free, clashing = split_reserved(record.attributes, RESERVED_OF_IMAGES)
    clashing.pop("flags", None)
    extra = {"split": record.split, "group": record.group, "attributes": clashing}
    content = {
        "version": VERSION,
        "flags": {**flags, **dict.fromkeys(record.labels, True)},
        "shapes": list(_shapes(record)),
        "imagePath": posixpath.basename(image.name),
        "imageData": None,
        "imageHeight": image.height,
        "imageWidth": image.width,
        **free,
    }
    return with_extra(content, EXTRA, extra)


def _shapes(record: ImageRecord) -> Iterator[dict[str, Any]]:
    groups = _groups(record.objects)
    for obj, group in zip(record.objects, groups, strict=True):
        unfit = {k for k, v in obj.attributes.items() if not _fits(k, v)}
        free, clashing = split_reserved(obj.attributes, RESERVED_OF_OBJECTS | unfit)
        for number, shape in enumerate(_drawable(obj.shapes)):
            # The first shape of an object holds everything.
            own = free if number == 0 else {"flags": free.get("flags", {})}
            content = {
                "label": obj.label,
                "points": [list(point) for point in shape.points],
                "description": "",
                "flags": {},
                **own,
                "group_id": group,
                "shape_type": shape.kind,
                "mask": shape.mask or None,
            }
            extra = {"attributes": clashing} if number == 0 else {}
            yield with_extra(content, EXTRA, extra)


def _fits(name: str, value: Any) -> bool:
    """Check a value as labelme does, which refuses files with unfit values."""
    if name == "flags":
        return isinstance(value, dict) and all(
            isinstance(each, bool) for each in value.values()
        )
    kind = {"group_id": int, "description": str}.get(name, object)
    return isinstance(value, kind)


def _groups(objects: Sequence[Annotation]) -> list[int | None]:
    """Return the number that joins the shapes of each object, and of no other."""
    given = [obj.attributes.get("group_id") for obj in objects]
    known = [group if isinstance(group, int) else None for group in given]
    unused = itertools.count(max((g for g in known if g is not None), default=0) + 1)
    taken: set[tuple[str, int]] = set()
    groups = []
    for obj, own in zip(objects, known, strict=True):
        group = own
        if (obj.label, own) in taken or (own is None and len(obj.shapes) > 1):
            group = next(unused)
        if group is not None:
            taken.add((obj.label, group))
        groups.append(group)
    return groups


def _drawable(shapes: Sequence[Shape]) -> Iterator[Shape]:
    """Yield shapes as labelme has them: no ellipse, no mask without pixels."""
    for shape in shapes:
        if shape.kind == "ellipse":
            yield from (Shape("polygon", tuple(line)) for line in shape.outlines())
        elif shape.kind == "mask" and not shape.mask:
            x0, y0 = (round(v) for v in shape.points[0])
            yield mask_shape(shape.pixels(), x0, y0)
        else:
            yield shape


def _dropped_of_image(record: ImageRecord) -> Iterator[Field]:
    for field, value in (("split", record.split), ("group", record.group)):
        if value:
            yield field, f"{value}: kept, but labelme has no place for it."
    if not _fits("flags", record.attributes.get("flags", {})):
        yield "flags", "Not all of them are true or false; left out."
    fate = "kept, but labelme does not show them"
    yield from dropped.attributes(record.attributes, {"flags"}, fate)


def _dropped(obj: Annotation) -> Iterator[Field]:
    if any(shape.kind == "ellipse" for shape in obj.shapes):
        yield "shape", "An ellipse, written as a polygon."
    if dropped.box_differs(obj):
        yield "box", "The given box is not that around the shapes; labelme has none."
    shown = {name for name in DISPLAYED if _fits(name, obj.attributes.get(name))}
    fate = "kept, but labelme does not show them"
    yield from dropped.attributes(obj.attributes, shown, fate)
