"""Sheets in, the files of other programs out: one writer a format.

Every writer has

    place(sheet) -> str     where the copy of the image goes, relative to the folder
    write(folder, sheets, labels) -> list[Loss]     writes all but the images
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tlkit.dataset.convert import coco, labelme, voc, yolo
from tlkit.dataset.convert.records import Loss, Sheet

__all__ = ["WRITERS", "Loss", "Sheet", "Writer"]


@dataclass(frozen=True)
class Writer:
    """How a format is written.

    Attributes:
        place: Where the copy of an image goes.
        write: Writes everything else.
        labels: Whether labels of whole images are read from it again.
        task: What a trainer is to be told to learn from it; None where no trainer is
            named after the format.
    """

    place: Callable[[Sheet], str]
    write: Callable[[Path, Sequence[Sheet], Sequence[str]], list[Loss]]
    labels: bool
    task: Callable[[Sequence[Sheet]], str] | None = None


WRITERS = {
    "labelme": Writer(labelme.place, labelme.write, labels=True),
    "coco": Writer(coco.place, coco.write, labels=True),
    "yolo": Writer(yolo.place, yolo.write, labels=False, task=yolo.task),
    "voc": Writer(voc.place, voc.write, labels=False),
}
