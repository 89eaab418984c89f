"""A YOLO label file and its image in, what its lines draw out; runs in workers."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tlkit.dataset.annotations.shapes import Shape, rectangle
from tlkit.dataset.formats.yolo_config import Config
from tlkit.dataset.records import Annotation, Rejected, is_label
from tlkit.imaging.decode import measure
from tlkit.imaging.safe_read import Unusable, read_bytes, read_lines

# Of one file so many lines are rejected one by one.
MOST_FAULTS = 20
# Of a line: its number, the reason, the detail.
Fault = tuple[int, str, str]


@dataclass(frozen=True)
class Task:
    """A label file to be read.

    Attributes:
        file: POSIX, relative to the source root.
        image: What it is about, likewise.
        keypoints: How many a line may have and how many numbers each.
    """

    file: str
    image: str
    keypoints: tuple[int, int] | None = None


@dataclass(frozen=True)
class Labels:
    """What one label file says.

    Attributes:
        size: Width and height of its image, upright.
        drawn: What its lines say, and their numbers.
        faults: Of those that cannot be used.
    """

    size: tuple[int, int]
    drawn: tuple[tuple[int, Drawn], ...]
    faults: tuple[Fault, ...] = ()


def read_labels(root: Path, task: Task) -> Labels | tuple[Rejected, ...]:
    """Read one label file."""
    try:
        lines = read_lines(root / task.file)
    except Unusable as error:
        return (Rejected(task.file, error.reason, error.detail),)
    try:
        size = measure(read_bytes(root / task.image))
    except Unusable as error:
        detail = f"Its image {task.image}: {error.detail}"
        return (
            Rejected(task.image, error.reason, error.detail),
            Rejected(task.file, error.reason, detail),
        )
    drawn: list[tuple[int, Drawn]] = []
    faults: list[Fault] = []
    for number, line in enumerate(lines, 1):
        try:
            if line:
                drawn.append((number, parse_line(line, size, task.keypoints)))
        except Unusable as error:
            faults.append((number, error.reason, error.detail))
    return Labels(size, tuple(drawn), tuple(faults))


def named_things(
    labels: Labels, config: Config | None
) -> tuple[tuple[Annotation, ...], list[Fault]]:
    """Give what was drawn its class."""
    objects, faults = [], list(labels.faults)
    for line, drawn in labels.drawn:
        number = drawn.number
        label = config.names.get(number, "") if config else str(number)
        if is_label(label):
            objects.append(
                Annotation(label, (drawn.shape,), attributes=drawn.attributes)
            )
            continue
        where = config.file if config else ""
        detail = f"{where} has no name for class {number}"
        if label:
            detail = f"{where} calls class {number} {label!r}"
        faults.append((line, "bad-label" if label else "bad-class", detail))
    return tuple(objects), sorted(faults)


def told(faults: Sequence[Fault], file: str) -> Iterator[Rejected]:
    """Say what of a label file cannot be used."""
    for line, reason, detail in faults[:MOST_FAULTS]:
        yield Rejected(file, reason, f"Line {line}: {detail}.")
    if len(faults) > MOST_FAULTS:
        detail = f"{len(faults) - MOST_FAULTS} more lines cannot be used."
        yield Rejected(file, faults[MOST_FAULTS][1], detail)


# So far out of the image, as a share of it, something may be drawn: a turned box at
# the edge is. What lies farther is not in shares at all.
OUTSIDE = 0.25
# More digits than any class has.
MAX_CLASS = 1_000_000


@dataclass(frozen=True)
class Drawn:
    """What one line says.

    Attributes:
        number: Of the class, from 0.
        shape: In pixels.
        attributes: "confidence" and "keypoints" (x, y and, if given, visibility; x and
            y in pixels), where the line has them.
    """

    number: int
    shape: Shape
    attributes: dict[str, Any] = field(default_factory=dict)


def parse_line(
    line: str, size: tuple[int, int], keypoints: tuple[int, int] | None = None
) -> Drawn:
    """Read a line."""
    number, *rest = _numbers(line)
    if number != int(number) or not 0 <= number <= MAX_CLASS:
        raise Unusable("bad-class", f"{number:g} is no number of a class")
    if keypoints and len(rest) == 4 + keypoints[0] * keypoints[1]:
        box, points = rest[:4], rest[4:]
        pose = _keypoints(points, keypoints[1], size)
        return Drawn(int(number), _box(box, size), {"keypoints": pose})
    if len(rest) in {4, 5}:
        attributes = {"confidence": rest[4]} if len(rest) == 5 else {}
        return Drawn(int(number), _box(rest[:4], size), attributes)
    if len(rest) >= 6 and len(rest) % 2 == 0:
        _check(rest)
        width, height = size
        pairs = zip(rest[::2], rest[1::2], strict=True)
        corners = tuple((x * width, y * height) for x, y in pairs)
        return Drawn(int(number), Shape("polygon", corners))
    detail = f"{len(rest)} number(s) after the class: neither a box nor an outline"
    raise Unusable("bad-line", detail)


def looks_like_label(line: str) -> bool:
    """Whether a line, or the beginning of a long one, may be of a label file."""
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


def _box(shares: Sequence[float], size: tuple[int, int]) -> Shape:
    _check(shares)
    x, y, w, h = shares
    if w < 0 or h < 0:
        raise Unusable("bad-points", f"a box of {w:g} x {h:g}")
    width, height = size
    return rectangle(
        (
            (x - w / 2) * width,
            (y - h / 2) * height,
            (x + w / 2) * width,
            (y + h / 2) * height,
        )
    )


def _keypoints(
    numbers: Sequence[float], each: int, size: tuple[int, int]
) -> list[list[float]]:
    width, height = size
    return [
        [numbers[i] * width, numbers[i + 1] * height, *numbers[i + 2 : i + each]]
        for i in range(0, len(numbers), each)
    ]
