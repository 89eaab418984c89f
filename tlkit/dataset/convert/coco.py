"""Writer of COCO JSON: one file for each split, images in images/.

    annotations/instances_{train,val,test}.json     or instances_default.json
    images/...

What COCO has no place for is kept under the key "tlkit", where `formats.coco` finds it.
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
from tlkit.dataset.convert import dropped
from tlkit.dataset.convert.dropped import Field
from tlkit.dataset.convert.records import (
    DroppedField,
    OutputImage,
    split_reserved,
    with_extra,
)
from tlkit.dataset.formats.coco_objects import EXTRA
from tlkit.dataset.records import Annotation, ImageRecord
from tlkit.files import write_text

# Attributes that other programs know as well.
OF_IMAGES = {"license", "flickr_url", "coco_url", "date_captured", "flags"}
OF_OBJECTS = {"keypoints", "num_keypoints", "attributes", "score", "ignore"}
# Attributes with a key of COCO's, whose value is checked.
CHECKED = {"iscrowd", "area", "supercategory"}
RESERVED_OF_IMAGES = {"id", "file_name", "width", "height", EXTRA}
RESERVED_OF_OBJECTS = {
    *("id", "image_id", "category_id", "bbox", "segmentation", EXTRA)
}
KNOWN_KINDS = {"polygon", "rectangle", "mask"}


def image_path(image: OutputImage) -> str:
    """Return the path of an image's copy."""
    return f"images/{image.name}"


def write(
    folder: Path, images: Sequence[OutputImage], labels: Sequence[str]
) -> list[DroppedField]:
    """Write everything but the images."""
    numbers = {label: number for number, label in enumerate(labels, 1)}
    above = _supercategories(images)
    categories = [
        {"id": number, "name": label, "supercategory": above.get(label, "")}
        for label, number in numbers.items()
    ]
    lost: list[DroppedField] = []
    object_ids = itertools.count(1)
    files: dict[str, dict[str, list[Any]]] = {}
    for image_id, image in enumerate(images, 1):
        content = files.setdefault(
            image.record.split or "default", {"images": [], "annotations": []}
        )
        content["images"].append({"id": image_id, **_image(image)})
        content["annotations"] += [
            {
                "id": next(object_ids),
                "image_id": image_id,
                "category_id": numbers[obj.label],
                **_annotation(obj, image, above.get(obj.label, "")),
            }
            for obj in image.record.objects
        ]
        record = image.record
        of_objects = map(_dropped, record.objects)
        lost += dropped.collect(image, _dropped_of_image(record), of_objects)
    (folder / "annotations").mkdir()
    for split, content in files.items():
        info = {"description": "Written by tlkit."}
        whole = {"info": info, "licenses": [], **content, "categories": categories}
        text = json.dumps(whole, ensure_ascii=False, allow_nan=False)
        write_text(folder / "annotations" / f"instances_{split}.json", text + "\n")
    return lost


def _supercategories(images: Sequence[OutputImage]) -> dict[str, str]:
    """Return the first supercategory of each label."""
    above: dict[str, str] = {}
    for image in images:
        for obj in image.record.objects:
            name = obj.attributes.get("supercategory")
            if isinstance(name, str):
                above.setdefault(obj.label, name)
    return above


def _image(image: OutputImage) -> dict[str, Any]:
    record = image.record
    free, clashing = split_reserved(record.attributes, RESERVED_OF_IMAGES)
    content = {"file_name": image.name, "width": image.width, "height": image.height}
    return with_extra(
        content | free,
        EXTRA,
        {"labels": list(record.labels), "group": record.group, "attributes": clashing},
    )


def _annotation(
    obj: Annotation, image: OutputImage, supercategory: str
) -> dict[str, Any]:
    segmentation = encode_segmentation(obj.shapes, (image.width, image.height))
    again, _ = decode_segmentation(segmentation)
    x0, y0, x1, y1 = obj.bounds
    area = obj.attributes.get("area")
    if not isinstance(area, int | float):
        area = total_area(again)
    attributes = {
        name: value
        for name, value in obj.attributes.items()
        if name not in CHECKED or (name == "supercategory" and value != supercategory)
    }
    free, clashing = split_reserved(attributes, RESERVED_OF_OBJECTS)
    kept = same_shapes(again or [rectangle(obj.bounds)], obj.shapes)
    content = {
        "bbox": [x0, y0, x1 - x0, y1 - y0],
        "area": area,
        "iscrowd": int(obj.attributes.get("iscrowd") == 1),
        "segmentation": segmentation,
    }
    shapes = [] if kept else [shape.json() for shape in obj.shapes]
    return with_extra(content | free, EXTRA, {"shapes": shapes, "attributes": clashing})


def _dropped_of_image(record: ImageRecord) -> Iterator[Field]:
    for field, value in (("labels", list(record.labels)), ("group", record.group)):
        if value:
            yield field, f"{value}: COCO has none, only tlkit reads it."
    yield from _unknown(record.attributes, OF_IMAGES)


def _dropped(obj: Annotation) -> Iterator[Field]:
    kinds = {shape.kind for shape in obj.shapes}
    for kind in sorted(kinds - KNOWN_KINDS):
        outlined = any(s.outlines() for s in obj.shapes if s.kind == kind)
        instead = "a polygon" if outlined else "a polygon without area"
        yield "shape", f"A {kind}, written as {instead}; only tlkit reads what it was."
    if "mask" in kinds and len(obj.shapes) > 1:
        detail = "Several shapes, written as one mask; only tlkit reads them apart."
        yield "shape", detail
    yield from dropped.ignored(obj)
    yield from _unknown(obj.attributes, OF_OBJECTS | CHECKED)


def _unknown(values: Mapping[str, Any], known: set[str]) -> Iterator[Field]:
    return dropped.attributes(values, known, "kept, but not known to other programs")
