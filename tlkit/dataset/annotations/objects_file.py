"""What was drawn on images in, objects.jsonl out, and back: nothing of it is lost.

One line an image that is annotated, in the order of the source:

    {"path": "a/1.jpg", "file": "a/1.json", "labels": [], "split": null, "group": "",
     "size": [640, 480], "attributes": {}, "things": [
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

from tlkit.dataset.annotations.shapes import BadShape, Shape
from tlkit.dataset.records import Annotation_, ImageRecord
from tlkit.errors import DatasetError

OBJECTS = "objects.jsonl"


def write_objects(directory: Path, pages: Iterable[ImageRecord]) -> None:
    """Write objects.jsonl, if anything was annotated."""
    drawn = [page for page in pages if page.things or page.file]
    if not drawn:
        return
    # Halves of characters, as JSON may hold, stay the escapes that they were.
    with (directory / OBJECTS).open(
        "w", encoding="utf-8", errors="backslashreplace", newline="\n"
    ) as file:
        for page in drawn:
            file.write(json.dumps(page_content(page), ensure_ascii=False) + "\n")


def read_objects(directory: Path) -> Iterator[ImageRecord]:
    """Read objects.jsonl."""
    path = directory / OBJECTS
    if not path.exists():
        return
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            try:
                yield page_of(json.loads(line))
            except (ValueError, KeyError, TypeError, BadShape) as error:
                raise DatasetError(
                    f"{path}, line {number} is not what prepare wrote: {error!r}.",
                    hint="Run tlkit prepare again with --overwrite.",
                ) from error


def page_content(page: ImageRecord) -> dict[str, Any]:
    """A page as JSON values."""
    return {
        "path": page.path,
        "file": page.file,
        "labels": page.labels,
        "split": page.split,
        "group": page.group,
        "size": page.size,
        "attributes": page.attributes,
        "things": [
            {
                "label": thing.label,
                "attributes": thing.attributes,
                "told": thing.told,
                "shapes": [shape.json() for shape in thing.shapes],
            }
            for thing in page.things
        ],
    }


def page_of(content: dict[str, Any]) -> ImageRecord:
    """Read a page from JSON values."""
    things = tuple(
        Annotation_(
            label=thing["label"],
            shapes=tuple(
                Shape.make(s["shape_type"], s["points"], s.get("mask"))
                for s in thing["shapes"]
            ),
            told=thing["told"] and tuple(thing["told"]),
            attributes=thing["attributes"],
        )
        for thing in content["things"]
    )
    size = content["size"]
    return ImageRecord(
        path=content["path"],
        file=content["file"],
        labels=tuple(content["labels"]),
        things=things,
        split=content["split"],
        group=content["group"],
        size=size and tuple(size),
        attributes=content["attributes"],
    )
