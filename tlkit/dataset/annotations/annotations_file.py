"""The file annotations.jsonl, which keeps all that was drawn on the images.

One line for each annotated image, in the order of the source:

    {"path": "a/1.jpg", "file": "a/1.json", "labels": [], "split": null, "group": "",
     "size": [640, 480], "attributes": {}, "objects": [
       {"label": "cat", "attributes": {"difficult": 1}, "bbox": [4, 8, 60, 70],
        "shapes": [{"shape_type": "polygon", "points": [[4, 8], [60, 9], [30, 70]]}]}]}

Shapes are as labelme writes them (and "ellipse", see `shapes`), in pixels of the image
oriented by its EXIF tag. "bbox" is the box that the source gives in addition, or null.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from tlkit.dataset.annotations.shapes import Shape
from tlkit.dataset.records import Annotation, ImageRecord
from tlkit.errors import DatasetError
from tlkit.imaging.safe_read import Unusable

ANNOTATIONS = "annotations.jsonl"


def write_annotations(directory: Path, records: Iterable[ImageRecord]) -> None:
    """Write annotations.jsonl, if anything was annotated."""
    annotated = [record for record in records if record.objects or record.file]
    if not annotated:
        return
    # Halves of characters, as JSON may hold, stay the escapes that they were.
    with (directory / ANNOTATIONS).open(
        "w", encoding="utf-8", errors="backslashreplace", newline="\n"
    ) as file:
        for record in annotated:
            file.write(json.dumps(record_to_json(record), ensure_ascii=False) + "\n")


def read_annotations(directory: Path) -> Iterator[ImageRecord]:
    """Read annotations.jsonl; yield nothing without one."""
    path = directory / ANNOTATIONS
    if not path.exists():
        return
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            try:
                yield record_from_json(json.loads(line))
            except (ValueError, KeyError, TypeError, Unusable) as error:
                raise DatasetError(
                    f"{path}, line {number} is not what prepare wrote: {error!r}.",
                    hint="Run tlkit prepare again with --overwrite.",
                ) from error


def record_to_json(record: ImageRecord) -> dict[str, Any]:
    """Return a record as JSON values."""
    # Not `asdict`, which copies all points and would write `shared`, too.
    fields = ("path", "file", "labels", "split", "group", "size", "attributes")
    content = {name: getattr(record, name) for name in fields}
    content["objects"] = [
        {
            "label": obj.label,
            "attributes": obj.attributes,
            "bbox": obj.bbox,
            "shapes": [shape.json() for shape in obj.shapes],
        }
        for obj in record.objects
    ]
    return content


def record_from_json(content: dict[str, Any]) -> ImageRecord:
    """Return the record that JSON values describe."""
    objects = tuple(
        Annotation(
            label=obj["label"],
            shapes=tuple(
                Shape.make(s["shape_type"], s["points"], s.get("mask"))
                for s in obj["shapes"]
            ),
            bbox=obj["bbox"] and tuple(obj["bbox"]),
            attributes=obj["attributes"],
        )
        for obj in content["objects"]
    )
    return ImageRecord(
        path=content["path"],
        file=content["file"],
        labels=tuple(content["labels"]),
        objects=objects,
        split=content["split"],
        group=content["group"],
        size=content["size"] and tuple(content["size"]),
        attributes=content["attributes"],
    )
