"""What was drawn on images in, objects.jsonl out, and back: nothing of it is lost.

One line an image that is annotated, in the order of the source:

    {"path": "a/1.jpg", "file": "a/1.json", "labels": [], "split": null, "group": "",
     "size": [640, 480], "attributes": {}, "objects": [
       {"label": "cat", "attributes": {"difficult": 1}, "told": [4, 8, 60, 70],
        "shapes": [{"shape_type": "polygon", "points": [[4, 8], [60, 9], [30, 70]]}]}]}

Shapes are as labelme writes them (and "ellipse", see `geometry`), in pixels of the
upright image; "told" is the box that the source gives beside them, or null.
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

OBJECTS = "objects.jsonl"


def write_objects(directory: Path, records: Iterable[ImageRecord]) -> None:
    """Write objects.jsonl, if anything was annotated."""
    drawn = [record for record in records if record.objects or record.file]
    if not drawn:
        return
    # Halves of characters, as JSON may hold, stay the escapes that they were.
    with (directory / OBJECTS).open(
        "w", encoding="utf-8", errors="backslashreplace", newline="\n"
    ) as file:
        for record in drawn:
            file.write(json.dumps(page_content(record), ensure_ascii=False) + "\n")


def read_objects(directory: Path) -> Iterator[ImageRecord]:
    """Read objects.jsonl."""
    path = directory / OBJECTS
    if not path.exists():
        return
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            try:
                yield page_of(json.loads(line))
            except (ValueError, KeyError, TypeError, Unusable) as error:
                raise DatasetError(
                    f"{path}, line {number} is not what prepare wrote: {error!r}.",
                    hint="Run tlkit prepare again with --overwrite.",
                ) from error


def page_content(record: ImageRecord) -> dict[str, Any]:
    """A page as JSON values."""
    return {
        "path": record.path,
        "file": record.file,
        "labels": record.labels,
        "split": record.split,
        "group": record.group,
        "size": record.size,
        "attributes": record.attributes,
        "objects": [
            {
                "label": obj.label,
                "attributes": obj.attributes,
                "told": obj.told,
                "shapes": [shape.json() for shape in obj.shapes],
            }
            for obj in record.objects
        ],
    }


def page_of(content: dict[str, Any]) -> ImageRecord:
    """Read a page from JSON values."""
    objects = tuple(
        Annotation(
            label=obj["label"],
            shapes=tuple(
                Shape.make(s["shape_type"], s["points"], s.get("mask"))
                for s in obj["shapes"]
            ),
            told=obj["told"] and tuple(obj["told"]),
            attributes=obj["attributes"],
        )
        for obj in content["objects"]
    )
    size = content["size"]
    return ImageRecord(
        path=content["path"],
        file=content["file"],
        labels=tuple(content["labels"]),
        objects=objects,
        split=content["split"],
        group=content["group"],
        size=size and tuple(size),
        attributes=content["attributes"],
    )
