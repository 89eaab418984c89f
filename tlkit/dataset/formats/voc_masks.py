"""SegmentationClass and SegmentationObject of Pascal VOC in, masks of objects out.

A pixel of the first has the number of a class, of the second that of an object, as the
number of a color in a palette, as gray, or as the color itself; 0 is background, 255
belongs to nothing (the outlines that VOC leaves open). An object has the class that
most of its pixels have. Without a SegmentationObject, all pixels of a class are one
thing.

Names come from labelmap.txt (CVAT), class_names.txt or labels.txt (labelme), the
nearest in the folder above or further up; without any, from VOC itself.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from tlkit.dataset.annotations.shapes import Bounds, mask_shape
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
# A mask is of the box whose share of common area with the mask's own is as large.
SAME_BOX = 0.5

Color = tuple[int, int, int]


@dataclass(frozen=True)
class Classes:
    """What the numbers and colors of a SegmentationClass mean.

    Attributes:
        names: By number.
        colors: The number by color.
        file: Which says so; "" where none does, and the names are VOC's.
    """

    names: tuple[str, ...]
    colors: Mapping[Color, int]
    file: str = ""


@functools.cache
def palette() -> dict[Color, int]:
    """VOC's colors: the bits of a number, dealt out to red, green and blue."""
    colors = {}
    for number in range(256):
        color = [0, 0, 0]
        for bit in range(8):
            color[bit % 3] |= (number >> bit & 1) << (7 - bit // 3)
        colors[color[0], color[1], color[2]] = number
    return colors


def read_classes(root: Path, file: str) -> Classes:
    """Read the names of the classes."""
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
    """Read the number of each pixel."""
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


def read_objects(
    root: Path, class_file: str, object_file: str, classes: Classes
) -> tuple[tuple[int, int], list[Annotation]]:
    """Read the masks of one image."""
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
            raise Unusable(
                "bad-class", f"{what} of {object_file or class_file}: no name"
            )
        objects.append(Annotation(name, (mask_shape(inside),)))
    height, width = kinds.shape
    return (width, height), objects


def joined(
    boxes: Sequence[Annotation], masks: Sequence[Annotation]
) -> tuple[Annotation, ...]:
    """Give boxes their masks.

    A mask is of a box if both have the same label, share half of their area and more,
    and neither shares more with any other. What is of no box becomes a thing of its
    own.

    Args:
        boxes: Things with a box each.
        masks: Things with a mask each.

    Returns:
        The things, boxes first, in their order.
    """
    if not boxes or not masks:
        return (*boxes, *masks)
    shared = np.array([[_shared(box, mask) for mask in masks] for box in boxes])
    objects = list(boxes)
    left = []
    for column, mask in enumerate(masks):
        row = int(shared[:, column].argmax())
        mutual = int(shared[row].argmax()) == column
        if mutual and shared[row, column] >= SAME_BOX:
            objects[row] = replace(
                boxes[row], shapes=mask.shapes, bbox=boxes[row].bounds
            )
        else:
            left.append(mask)
    return (*objects, *left)


def _shared(one: Annotation, other: Annotation) -> float:
    if one.label != other.label:
        return 0.0
    a, b = one.bounds, other.bounds
    both = (max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3]))
    common = _area(both)
    return common / (_area(a) + _area(b) - common) if common else 0.0


def _area(box: Bounds) -> float:
    return max(box[2] - box[0], 0.0) * max(box[3] - box[1], 0.0)
