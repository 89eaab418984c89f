"""Masks of objects from Pascal VOC's SegmentationClass and SegmentationObject.

A pixel of the first has the number of a class, of the second that of an object, as the
number of a color in a palette, as gray, or as the color itself; 0 is background, 255
belongs to nothing (the outlines that VOC leaves open). An object has the class that
most of its pixels have. Without a SegmentationObject, all pixels of a class are one
object.

Names come from labelmap.txt (CVAT), class_names.txt or labels.txt (labelme), the
nearest in the folder above or further up; without any, from VOC itself.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from tlkit.dataset.annotations.shapes import iou_matrix, mask_shape
from tlkit.dataset.formats.common import read_values
from tlkit.dataset.records import Annotation, is_label
from tlkit.imaging.safe_read import Unusable, read_lines

VOC = (
    *("background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car"),
    *("cat", "chair", "cow", "diningtable", "dog", "horse", "motorbike", "person"),
    *("pottedplant", "sheep", "sofa", "train", "tvmonitor"),
)
NAME_FILES = ("labelmap.txt", "class_names.txt", "labels.txt")
BACKGROUND, VOID = 0, 255
# A mask belongs to a box whose intersection over union with its own is as large.
MIN_IOU = 0.5

Color = tuple[int, int, int]


@dataclass(frozen=True)
class Classes:
    """The names by number and the numbers by color of a SegmentationClass.

    `file` is where they come from; "" for VOC's own.
    """

    names: tuple[str, ...]
    colors: Mapping[Color, int]
    file: str = ""


@functools.cache
def palette() -> dict[Color, int]:
    """Return VOC's colors: the bits of a number, dealt out to red, green and blue."""
    colors = {}
    for number in range(256):
        color = [0, 0, 0]
        for bit in range(8):
            color[bit % 3] |= (number >> bit & 1) << (7 - bit // 3)
        colors[color[0], color[1], color[2]] = number
    return colors


def read_classes(root: Path, file: str) -> Classes:
    """Read the names of the classes; VOC's own without a file."""
    if not file:
        return Classes(VOC, palette())
    lines = read_lines(root / file)
    if not file.endswith(NAME_FILES[0]):
        # labelme's __ignore__ has the number -1.
        names = lines[1:] if lines[:1] == ["__ignore__"] else lines
        return Classes(tuple(names), palette(), file)
    rows = [line.split(":") for line in lines if line and not line.startswith("#")]
    rows.sort(key=lambda row: row[0].strip().lower() != "background")
    colors = {}
    for number, row in enumerate(rows):
        parts = row[1].split(",") if len(row) > 1 else []
        if len(parts) == 3 and all(part.strip().isdecimal() for part in parts):
            red, green, blue = map(int, parts)
            colors[red, green, blue] = number
    return Classes(tuple(row[0].strip() for row in rows), colors or palette(), file)


def read_numbers(path: Path, colors: Mapping[Color, int]) -> np.ndarray:
    """Read the number of each pixel; uint8 [height, width]."""
    values = read_values(path)
    if values.ndim == 2 or values.shape[2] < 3:
        numbers = values if values.ndim == 2 else values[..., 0]
        if numbers.dtype == np.uint8:
            return numbers
        raise Unusable("bad-mask", "Its numbers have more than 8 bits.")
    packed = np.zeros(values.shape[:2], np.uint32)
    for channel in range(3):
        packed = packed << 8 | values[..., channel]
    known = {r << 16 | g << 8 | b: number for (r, g, b), number in colors.items()}
    known.setdefault(0xE0E0C0, VOID)
    numbers = np.zeros(packed.shape, np.uint8)
    for value in np.unique(packed):
        if not 0 <= known.get(int(value), -1) <= VOID:
            color = value >> 16, value >> 8 & 255, value & 255
            detail = f"Its color {tuple(map(int, color))} stands for no number."
            raise Unusable("bad-mask", detail)
        numbers[packed == value] = known[int(value)]
    return numbers


def read_masks(
    root: Path, class_file: str, object_file: str, classes: Classes
) -> tuple[tuple[int, int], list[Annotation]]:
    """Return width and height of the masks of one image, and an object for each."""
    kinds = read_numbers(root / class_file, classes.colors)
    numbers = kinds
    if object_file:
        numbers = read_numbers(root / object_file, palette())
        if numbers.shape != kinds.shape:
            raise Unusable("size-mismatch", f"{object_file} has another size")
    objects = []
    for number in np.flatnonzero(np.bincount(numbers.ravel(), minlength=256)):
        if number in {BACKGROUND, VOID}:
            continue
        inside = numbers == number
        held = np.bincount(kinds[inside], minlength=256)
        held[[BACKGROUND, VOID]] = 0
        kind = int(held.argmax()) if held.any() else BACKGROUND
        name = classes.names[kind] if kind < len(classes.names) else ""
        if kind == BACKGROUND or not is_label(name):
            what = f"class {kind}" if kind else f"object {number}"
            detail = f"{what} of {object_file or class_file}: no name"
            raise Unusable("bad-class", detail)
        objects.append(Annotation(name, (mask_shape(inside),)))
    height, width = kinds.shape
    return (width, height), objects


def match_masks(
    boxes: Sequence[Annotation], masks: Sequence[Annotation]
) -> tuple[Annotation, ...]:
    """Give boxes their masks; a mask without a box becomes an object of its own."""
    # A mask belongs to a box of its label if neither overlaps more with any other.
    if not boxes or not masks:
        return (*boxes, *masks)
    iou = iou_matrix([obj.bounds for obj in boxes], [obj.bounds for obj in masks])
    labels = [np.array([obj.label for obj in objects]) for objects in (boxes, masks)]
    iou[labels[0][:, None] != labels[1]] = 0
    objects = list(boxes)
    for column, mask in enumerate(masks):
        row = int(iou[:, column].argmax())
        if iou[row, column] >= MIN_IOU and int(iou[row].argmax()) == column:
            box = boxes[row]
            objects[row] = replace(box, shapes=mask.shapes, bbox=box.bounds)
        else:
            objects.append(mask)
    return tuple(objects)
