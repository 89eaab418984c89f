"""One line of a YOLO label file in, what it draws out.

    class cx cy w h                    a box
    class cx cy w h confidence         a box that a model predicted
    class cx cy w h x y [v] x y [v]    a box with keypoints, as data.yaml announces them
    class x y x y x y ...              an outline, or the corners of a turned box

All but class and confidence are shares of the width or height of the upright picture.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tlkit.dataset.geometry import BadShape, Shape, rectangle

# So far out of the picture, as a share of it, something may be drawn: a turned box at
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
    """Read a line.

    Args:
        line: As it stands in the file.
        size: Width and height of the upright picture.
        keypoints: How many there are and how many numbers each has, 2 or 3; None where
            there are none.

    Returns:
        What it draws.

    Raises:
        BadShape: It cannot be used: (reason, detail).
    """
    number, *rest = _numbers(line)
    if number != int(number) or not 0 <= number <= MAX_CLASS:
        raise BadShape("bad-class", f"{number:g} is no number of a class")
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
    raise BadShape("bad-line", detail)


def looks_like_label(line: str) -> bool:
    """Whether a line, or the beginning of a long one, may be of a label file.

    Args:
        line: As it stands in the file.

    Returns:
        Whether there is a class and four numbers that may be shares.
    """
    try:
        number, *rest = _numbers(" ".join(line.split(maxsplit=5)[:5]))
        _check(rest)
    except BadShape:
        return False
    return len(rest) == 4 and number == int(number) and number >= 0


def _numbers(line: str) -> list[float]:
    try:
        numbers = [float(word) for word in line.split()]
    except ValueError as error:
        raise BadShape("bad-line", f"not all numbers: {error}"[:200]) from error
    if not numbers:
        raise BadShape("bad-line", "there is nothing in it")
    if not all(map(math.isfinite, numbers)):
        raise BadShape("bad-points", "its numbers are not finite")
    return numbers


def _check(shares: Sequence[float]) -> None:
    for share in shares:
        if not -OUTSIDE <= share <= 1 + OUTSIDE:
            detail = f"{share:g} is far out of the picture, whose shares are 0 to 1"
            raise BadShape("bad-points", detail)


def _box(shares: Sequence[float], size: tuple[int, int]) -> Shape:
    _check(shares)
    x, y, w, h = shares
    if w < 0 or h < 0:
        raise BadShape("bad-points", f"a box of {w:g} x {h:g}")
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
