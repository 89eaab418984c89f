"""Sheets in, COCO JSON out: one file for each side of the split, images in images/.

    annotations/instances_{train,val,test}.json     or instances_default.json
    images/...

What COCO has no place for stands under the key "tlkit", where `sources.coco` finds it.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tlkit.dataset.annotations.coco_segmentation import (
    decode_segmentation,
    encode_segmentation,
    same_shapes,
    total_area,
)
from tlkit.dataset.annotations.shapes import rectangle
from tlkit.dataset.convert import losses as lost
from tlkit.dataset.convert.records import Loss, Sheet
from tlkit.dataset.formats.coco_objects import EXTRA
from tlkit.dataset.records import Annotation

# What other programs know of as well.
OF_IMAGES = {"license", "flickr_url", "coco_url", "date_captured", "flags"}
OF_THINGS = {"keypoints", "num_keypoints", "attributes", "score", "ignore"}
# Attributes that have a key of COCO's, whose value is checked.
SPECIAL = {"iscrowd", "area", "supercategory"}
OWN_OF_IMAGES = {"id", "file_name", "width", "height", EXTRA}
OWN_OF_THINGS = {"id", "image_id", "category_id", "bbox", "segmentation", EXTRA}
KNOWN_KINDS = {"polygon", "rectangle", "mask"}


def place(sheet: Sheet) -> str:
    """Where the copy of an image goes."""
    return f"images/{sheet.name}"


def write(folder: Path, sheets: Sequence[Sheet], labels: Sequence[str]) -> list[Loss]:
    """Write everything but the images."""
    losses: list[Loss] = []
    numbers = {label: number for number, label in enumerate(labels, 1)}
    above = _above(sheets)
    categories = [
        {"id": number, "name": label, "supercategory": above.get(label, "")}
        for label, number in numbers.items()
    ]
    image_ids, thing_ids = itertools.count(1), itertools.count(1)
    files: dict[str, dict[str, list[Any]]] = {}
    for sheet in sheets:
        content = files.setdefault(
            sheet.record.split or "default", {"images": [], "annotations": []}
        )
        image = next(image_ids)
        content["images"].append({"id": image, **_image(sheet, losses)})
        for number, obj in enumerate(sheet.record.objects, 1):
            content["annotations"].append(
                {
                    "id": next(thing_ids),
                    "image_id": image,
                    "category_id": numbers[obj.label],
                    **_annotation(obj, sheet, above.get(obj.label, "")),
                }
            )
            losses += _losses(obj, sheet.name, number)
    (folder / "annotations").mkdir()
    for side, content in files.items():
        info = {"description": "Written by tlkit."}
        whole = {"info": info, "licenses": [], **content, "categories": categories}
        text = json.dumps(whole, ensure_ascii=False, allow_nan=False)
        path = folder / "annotations" / f"instances_{side}.json"
        path.write_text(text + "\n", encoding="utf-8", newline="\n")
    return losses


def _above(sheets: Sequence[Sheet]) -> dict[str, str]:
    above: dict[str, str] = {}
    for sheet in sheets:
        for obj in sheet.record.objects:
            told = obj.attributes.get("supercategory")
            if isinstance(told, str):
                above.setdefault(obj.label, told)
    return above


def _image(sheet: Sheet, losses: list[Loss]) -> dict[str, Any]:
    record = sheet.record
    told = {"labels": list(record.labels), "group": record.group}
    for field, value in told.items():
        if value:
            detail = f"{value}: COCO has none, only tlkit reads it."
            losses.append(Loss(sheet.name, 0, field, detail))
    if unseen := _unseen(record.attributes, OF_IMAGES):
        losses.append(Loss(sheet.name, 0, "attributes", unseen))
    clash = {k: v for k, v in record.attributes.items() if k in OWN_OF_IMAGES}
    extra = {k: v for k, v in {**told, "attributes": clash}.items() if v}
    return {
        "file_name": sheet.name,
        "width": sheet.width,
        "height": sheet.height,
        **{k: v for k, v in record.attributes.items() if k not in OWN_OF_IMAGES},
        **({EXTRA: extra} if extra else {}),
    }


def _annotation(obj: Annotation, sheet: Sheet, above: str) -> dict[str, Any]:
    said = encode_segmentation(obj.shapes, (sheet.width, sheet.height))
    drawn, _ = decode_segmentation(said)
    x0, y0, x1, y1 = obj.bounds
    area = obj.attributes.get("area")
    if not isinstance(area, int | float):
        area = total_area(drawn)
    attributes = {
        name: value
        for name, value in obj.attributes.items()
        if name not in SPECIAL or (name == "supercategory" and value != above)
    }
    extra: dict[str, Any] = {}
    if not same_shapes(drawn or [rectangle(obj.bounds)], obj.shapes):
        extra["shapes"] = [shape.json() for shape in obj.shapes]
    if clash := {k: v for k, v in attributes.items() if k in OWN_OF_THINGS}:
        extra["attributes"] = clash
    return {
        "bbox": [x0, y0, x1 - x0, y1 - y0],
        "area": area,
        "iscrowd": int(obj.attributes.get("iscrowd") == 1),
        "segmentation": said,
        **{k: v for k, v in attributes.items() if k not in OWN_OF_THINGS},
        **({EXTRA: extra} if extra else {}),
    }


def _losses(obj: Annotation, name: str, number: int) -> Iterator[Loss]:
    kinds = {shape.kind for shape in obj.shapes}
    for kind in sorted(kinds - KNOWN_KINDS):
        outlined = any(s.outlines() for s in obj.shapes if s.kind == kind)
        instead = "a polygon" if outlined else "a polygon without area"
        detail = f"A {kind}, written as {instead}; only tlkit reads what it was."
        yield Loss(name, number, "shape", detail)
    if "mask" in kinds and len(obj.shapes) > 1:
        detail = "Several shapes, written as one mask; only tlkit reads them apart."
        yield Loss(name, number, "shape", detail)
    for detail in lost.ignored(obj):
        yield Loss(name, number, lost.IGNORED, detail)
    if unseen := _unseen(obj.attributes, OF_THINGS | SPECIAL):
        yield Loss(name, number, "attributes", unseen)


def _unseen(attributes: Mapping[str, Any], seen: set[str]) -> str:
    names = ", ".join(name for name in attributes if name not in seen)
    return f"{names}: kept, but not known to other programs." if names else ""
