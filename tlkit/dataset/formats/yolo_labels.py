"""The lines of a YOLO label file; parsed in worker processes.

Coordinates are shares of the width and height of the image as oriented by its EXIF tag.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tlkit.dataset.annotations.shapes import Shape, rectangle
from tlkit.dataset.records import Annotation, Rejected, is_label
from tlkit.imaging.safe_read import Unusable, read_lines

# Of one file so many lines are rejected one by one.
MAX_FAULTS = 20
# How far a line may reach out of the image, as a share of it: a rotated box at the edge
# does. What lies farther is not in shares at all.
OUTSIDE = 0.25
# More digits than any class has.
MAX_CLASS = 1_000_000

# The number of keypoints, and of numbers for each: x, y and, for 3, visibility.
KeypointShape = tuple[int, int]
# Of a line: its number, the reason, the detail.
Fault = tuple[int, str, str]


class Line(NamedTuple):
    """An object that a line describes, by the number of its class.

    Attributes may be "confidence" and "keypoints".
    """

    class_number: int
    shape: Shape
    attributes: dict[str, Any]


def read_labels(
    root: Path, task: tuple[str, KeypointShape | None]
) -> tuple[dict[int, Line], list[Fault]]:
    """Read one label file: its objects by line, and the faults of other lines."""
    file, keypoints = task
    objects: dict[int, Line] = {}
    faults: list[Fault] = []
    try:
        lines = read_lines(root / file)
    except Unusable as error:
        return objects, [(0, error.reason, error.detail)]
    for number, line in enumerate(lines, 1):
        try:
            if line:
                objects[number] = parse_line(line, keypoints)
        except Unusable as error:
            faults.append((number, error.reason, error.detail))
    return objects, faults


def name_objects(
    lines: Mapping[int, Line], names: Mapping[int, str] | None, named_by: str
) -> tuple[tuple[Annotation, ...], list[Fault]]:
    """Label the objects of a file by the names of classes, or by their numbers."""
    objects, faults = [], []
    for line, (number, shape, attributes) in lines.items():
        label = str(number) if names is None else names.get(number, "")
        if is_label(label):
            objects.append(Annotation(label, (shape,), attributes=attributes))
        elif label:
            detail = f"{named_by} calls class {number} {label!r}"
            faults.append((line, "bad-label", detail))
        else:
            detail = f"{named_by} has no name for class {number}"
            faults.append((line, "bad-class", detail))
    return tuple(objects), faults


def rejections(faults: Sequence[Fault], file: str) -> Iterator[Rejected]:
    """List the faults of a label file; line 0 stands for the file itself."""
    for line, reason, detail in faults[:MAX_FAULTS]:
        yield Rejected(file, reason, f"Line {line}: {detail}." if line else detail)
    if len(faults) > MAX_FAULTS:
        detail = f"{len(faults) - MAX_FAULTS} more lines cannot be used."
        yield Rejected(file, faults[MAX_FAULTS][1], detail)


def parse_line(line: str, keypoints: KeypointShape | None = None) -> Line:
    """Parse a line: a box with or without confidence or keypoints, or an outline."""
    number, *rest = _numbers(line)
    if number != int(number) or not 0 <= number <= MAX_CLASS:
        raise Unusable("bad-class", f"{number:g} is not the number of a class")
    if keypoints and len(rest) == 4 + keypoints[0] * keypoints[1]:
        each = keypoints[1]
        pose = [rest[i : i + each] for i in range(4, len(rest), each)]
        return Line(int(number), _box(rest[:4]), {"keypoints": pose})
    if len(rest) in {4, 5}:
        attributes = {"confidence": rest[4]} if len(rest) == 5 else {}
        return Line(int(number), _box(rest[:4]), attributes)
    if len(rest) >= 6 and len(rest) % 2 == 0:
        _check(rest)
        corners = tuple(zip(rest[::2], rest[1::2], strict=True))
        return Line(int(number), Shape("polygon", corners), {})
    detail = f"{len(rest)} number(s) after the class: neither a box nor an outline"
    raise Unusable("bad-line", detail)


def looks_like_label(line: str) -> bool:
    """Check a line, or the beginning of a long one, for being one of a label file."""
    try:
        number, *rest = _numbers(" ".join(line.split(maxsplit=5)[:5]))
        _check(rest)
    except Unusable:
        return False
    return len(rest) == 4 and number == int(number) and number >= 0


def _numbers(line: str) -> list[float]:
    try:
        numbers = [float(word) for word in line.split()]
    except ValueError as error:
        raise Unusable("bad-line", f"not all numbers: {error}"[:200]) from error
    if not numbers:
        raise Unusable("bad-line", "there is nothing in it")
    if not all(map(math.isfinite, numbers)):
        raise Unusable("bad-points", "its numbers are not finite")
    return numbers


def _check(shares: Sequence[float]) -> None:
    for share in shares:
        if not -OUTSIDE <= share <= 1 + OUTSIDE:
            detail = f"{share:g} is far out of the image, whose shares are 0 to 1"
            raise Unusable("bad-points", detail)


def _box(shares: Sequence[float]) -> Shape:
    _check(shares)
    x, y, w, h = shares
    if w < 0 or h < 0:
        raise Unusable("bad-points", f"a box of {w:g} x {h:g}")
    return rectangle((x - w / 2, y - h / 2, x + w / 2, y + h / 2))
