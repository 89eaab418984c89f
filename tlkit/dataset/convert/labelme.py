"""Sheets in, labelme JSON out: one beside each image.

Shapes of one object get a common group_id. What labelme has no place for stands in keys
of its own, which labelme keeps, and `sources.labelme` reads.
"""

from __future__ import annotations

import itertools
import json
import posixpath
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tlkit.dataset.annotations.shapes import Shape, around, mask_shape
from tlkit.dataset.convert.records import Loss, Sheet
from tlkit.dataset.formats.labelme import EXTRA
from tlkit.dataset.records import Annotation, ImageRecord

# The last of the fifth major version, which all from 5.0 to 7 read.
VERSION = "5.5.0"
OWN_OF_IMAGES = {
    *("version", "flags", "shapes", "imagePath", "imageData", "imageHeight"),
    *("imageWidth", EXTRA),
}
OWN_OF_THINGS = {"label", "points", "shape_type", "mask", EXTRA}
OWN_OF_THINGS |= {"line_color", "fill_color"}
SHOWN = {"flags", "group_id", "description"}
# A told box may be rounded to whole pixels.
SLACK = 1.0


def place(sheet: Sheet) -> str:
    """Where the copy of an image goes."""
    return sheet.name


def write(folder: Path, sheets: Sequence[Sheet], labels: Sequence[str]) -> list[Loss]:  # noqa: ARG001
    """Write everything but the images."""
    losses: list[Loss] = []
    for sheet in sheets:
        path = folder / posixpath.splitext(sheet.name)[0]
        path = path.with_name(f"{path.name}.json")
        path.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps(
            _content(sheet), indent=2, ensure_ascii=False, allow_nan=False
        )
        path.write_text(text + "\n", encoding="utf-8", newline="\n")
        losses += _losses(sheet)
    return losses


def _content(sheet: Sheet) -> dict[str, Any]:
    record = sheet.record
    flags: Any = record.attributes.get("flags")
    flags = flags if _fits("flags", flags) else {}
    clash = {
        name: value
        for name, value in record.attributes.items()
        if name in OWN_OF_IMAGES and name != "flags"
    }
    told = {"split": record.split, "group": record.group, "attributes": clash}
    extra = {name: value for name, value in told.items() if value}
    return {
        "version": VERSION,
        "flags": {**flags, **dict.fromkeys(record.labels, True)},
        "shapes": list(_shapes(record)),
        "imagePath": posixpath.basename(sheet.name),
        "imageData": None,
        "imageHeight": sheet.height,
        "imageWidth": sheet.width,
        **{k: v for k, v in record.attributes.items() if k not in OWN_OF_IMAGES},
        **({EXTRA: extra} if extra else {}),
    }


def _shapes(record: ImageRecord) -> Iterator[dict[str, Any]]:
    groups = _groups(record.objects)
    for obj, group in zip(record.objects, groups, strict=True):
        known = {
            name: value
            for name, value in obj.attributes.items()
            if name not in OWN_OF_THINGS and _fits(name, value)
        }
        clash = {k: v for k, v in obj.attributes.items() if k not in known}
        for number, shape in enumerate(_drawable(obj.shapes)):
            # Of an object, its first shape tells everything.
            told = known if number == 0 else {"flags": known.get("flags", {})}
            yield {
                "label": obj.label,
                "points": [list(point) for point in shape.points],
                "description": "",
                "flags": {},
                **told,
                "group_id": group,
                "shape_type": shape.kind,
                "mask": shape.mask or None,
                **({EXTRA: {"attributes": clash}} if clash and number == 0 else {}),
            }


def _fits(name: str, value: Any) -> bool:
    """Whether labelme opens a file that has such a value; it is strict with its own."""
    if name == "flags":
        return isinstance(value, dict) and all(
            isinstance(each, bool) for each in value.values()
        )
    kind = {"group_id": int, "description": str}.get(name, object)
    return isinstance(value, kind)


def _groups(objects: Sequence[Annotation]) -> list[int | None]:
    """The number that joins the shapes of each thing, and of no other."""
    given = [obj.attributes.get("group_id") for obj in objects]
    known = [group if isinstance(group, int) else None for group in given]
    fresh = itertools.count(max((g for g in known if g is not None), default=0) + 1)
    taken: set[tuple[str, int]] = set()
    groups = []
    for obj, own in zip(objects, known, strict=True):
        group = own
        if (obj.label, own) in taken or (own is None and len(obj.shapes) > 1):
            group = next(fresh)
        if group is not None:
            taken.add((obj.label, group))
        groups.append(group)
    return groups


def _drawable(shapes: Sequence[Shape]) -> Iterator[Shape]:
    for shape in shapes:
        if shape.kind == "ellipse":
            yield from (Shape("polygon", tuple(line)) for line in shape.outlines())
        elif shape.kind == "mask" and not shape.mask:
            x0, y0 = (round(v) for v in shape.points[0])
            yield mask_shape(shape.pixels(), x0, y0)
        else:
            yield shape


def _losses(sheet: Sheet) -> Iterator[Loss]:
    record, name = sheet.record, sheet.name
    for field, value in (("split", record.split), ("group", record.group)):
        if value:
            yield Loss(name, 0, field, f"{value}: kept, but labelme knows of none.")
    if not _fits("flags", record.attributes.get("flags", {})):
        yield Loss(name, 0, "flags", "Not all of them are true or false; left out.")
    if unseen := _unseen(record.attributes, {"flags"}):
        yield Loss(name, 0, "attributes", unseen)
    for number, obj in enumerate(record.objects, 1):
        if any(shape.kind == "ellipse" for shape in obj.shapes):
            detail = "An ellipse, written as a polygon."
            yield Loss(name, number, "shape", detail)
        off = zip(obj.bounds, around(obj.shapes), strict=True)
        if max(abs(a - b) for a, b in off) > SLACK:
            detail = "The given box is not that around the shapes; labelme has none."
            yield Loss(name, number, "box", detail)
        shown = {name for name in SHOWN if _fits(name, obj.attributes.get(name))}
        if unseen := _unseen(obj.attributes, shown):
            yield Loss(name, number, "attributes", unseen)


def _unseen(attributes: Mapping[str, Any], seen: set[str]) -> str:
    names = ", ".join(name for name in attributes if name not in seen)
    return f"{names}: kept, but labelme does not show them." if names else ""
