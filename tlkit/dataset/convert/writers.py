"""The writers, one per annotation format."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tlkit.dataset.convert import coco, labelme, voc, yolo
from tlkit.dataset.convert.records import DroppedField, OutputImage


@dataclass(frozen=True)
class Writer:
    """A way to write annotated images.

    Attributes:
        image_path: Returns the path of an image's copy, relative to the folder.
        write: Writes everything else, for images and the classes in order.
        image_labels: Whether labels of whole images are read from it again.
        task: Returns what a trainer named after the format can learn from it.
    """

    image_path: Callable[[OutputImage], str]
    write: Callable[[Path, Sequence[OutputImage], Sequence[str]], list[DroppedField]]
    image_labels: bool
    task: Callable[[Sequence[OutputImage]], str] = lambda _: ""


WRITERS = {
    "labelme": Writer(labelme.image_path, labelme.write, image_labels=True),
    "coco": Writer(coco.image_path, coco.write, image_labels=True),
    "yolo": Writer(yolo.image_path, yolo.write, image_labels=False, task=yolo.task),
    "voc": Writer(voc.image_path, voc.write, image_labels=False),
}
