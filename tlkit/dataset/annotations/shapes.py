"""Shapes as labelme names them, and what can be told of each: box, outlines, turned.

Coordinates are floats in pixels, x to the right and y down, 0 at the left or upper edge
of the first pixel; shapes may reach out of the image.

    rectangle            two opposite corners
    oriented_rectangle   its corners, in turn
    polygon              its corners, in turn
    circle               center, a point of the rim
    ellipse              center, the end of one half axis, the end of the other
    line, linestrip      points to be joined
    point, points        points
    mask                 its first and its last pixel, both inside; which of the pixels
                         between belong to it says a PNG
"""

from __future__ import annotations

import base64
import io
import math
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from PIL import Image

from tlkit.imaging.safe_read import Unusable

Point = tuple[float, float]
# x0, y0, x1, y1, x1 and y1 outside.
Bounds = tuple[float, float, float, float]

# The least number of points, by kind.
KINDS = {
    "polygon": 3,
    "rectangle": 2,
    "oriented_rectangle": 4,
    "circle": 2,
    "ellipse": 3,
    "line": 2,
    "linestrip": 2,
    "points": 1,
    "mask": 2,
    "point": 1,
}
# Exactly so many, where more would mean something else.
FIXED = {"rectangle", "circle", "ellipse", "line", "mask", "point"}
# Outlines of circles and ellipses are drawn with so many corners.
CORNERS = 64
FARTHEST = 1e9
# No image that can be used has a longer side, so no mask has.
MAX_MASK_PIXELS = 120_000_000


@dataclass(frozen=True)
class Shape:
    """Something drawn on an image.

    Attributes:
        kind: One of KINDS.
        points: In pixels.
        mask: For "mask" a PNG in base64 of all pixels between the two points, those
            that belong to it not 0; "" otherwise.
    """

    kind: str
    points: tuple[Point, ...]
    mask: str = ""

    def __post_init__(self) -> None:
        """Check that it is one."""
        if self.kind not in KINDS:
            raise Unusable("unknown-shape", f"a {self.kind!r} is not known")
        number, least = len(self.points), KINDS[self.kind]
        if number < least or (number > least and self.kind in FIXED):
            what = self.kind.replace("_", " ")
            raise Unusable("bad-points", f"{number} point(s) are no {what}")
        if not all(
            math.isfinite(v) and abs(v) < FARTHEST for p in self.points for v in p
        ):
            raise Unusable("bad-points", "its points are not finite")

    @classmethod
    def make(cls, kind: Any, points: Any, mask: Any = "") -> Shape:
        """Read a shape from what a JSON may hold."""
        if not isinstance(kind, str):
            raise Unusable("unknown-shape", f"a {kind!r} is not known")
        try:
            pairs = tuple((float(x), float(y)) for x, y in points)
        except (TypeError, ValueError, OverflowError) as error:
            detail = "its points are not pairs of numbers"
            raise Unusable("bad-points", detail) from error
        shape = cls(kind, pairs, mask if isinstance(mask, str) else "")
        if kind == "mask":
            x0, y0, x1, y1 = shape.bounds
            if (x1 - x0) * (y1 - y0) > MAX_MASK_PIXELS:
                raise Unusable("bad-points", "a mask larger than any image")
        return shape

    @property
    def bounds(self) -> Bounds:
        """The box around it; without width or height where it has none."""
        xs, ys = zip(*self.points, strict=True)
        if self.kind == "circle":
            reach = math.dist(*self.points)
            return xs[0] - reach, ys[0] - reach, xs[0] + reach, ys[0] + reach
        if self.kind == "ellipse":
            width = math.hypot(xs[1] - xs[0], xs[2] - xs[0])
            height = math.hypot(ys[1] - ys[0], ys[2] - ys[0])
            return xs[0] - width, ys[0] - height, xs[0] + width, ys[0] + height
        last = 1 if self.kind == "mask" else 0  # its last pixel belongs to it
        return min(xs), min(ys), max(xs) + last, max(ys) + last

    def outlines(self) -> list[list[Point]]:
        """Draw it as polygons."""
        if self.kind in {"line", "linestrip", "point", "points"}:
            return []
        if self.kind == "rectangle":
            x0, y0, x1, y1 = self.bounds
            return [[(x0, y0), (x1, y0), (x1, y1), (x0, y1)]]
        if self.kind in {"circle", "ellipse"}:
            return [_round(self)]
        if self.kind == "mask":
            return _contours(self)
        return [list(self.points)]

    def pixels(self) -> np.ndarray:
        """Read its mask."""
        x0, y0, x1, y1 = (round(v) for v in self.bounds)
        if not self.mask:
            return np.ones((y1 - y0, x1 - x0), bool)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of large images; the box has a limit
            try:
                buffer = io.BytesIO(base64.b64decode(self.mask))
                with Image.open(buffer, formats=("PNG",)) as image:
                    size = image.size
                    if size == (x1 - x0, y1 - y0):
                        return np.asarray(image.convert("L")) > 0
            except Exception as error:
                raise Unusable("bad-mask", "its mask is no PNG") from error
        detail = f"its mask has {size} pixels, its box {(x1 - x0, y1 - y0)}"
        raise Unusable("bad-mask", detail)

    def moved(self, move: Callable[[Point], Point]) -> Shape:
        """The same elsewhere."""
        return replace(self, points=tuple(move(point) for point in self.points))

    def json(self) -> dict[str, Any]:
        """What labelme's JSON would say of it, without label."""
        content: dict[str, Any] = {
            "shape_type": self.kind,
            "points": [list(point) for point in self.points],
        }
        return content | {"mask": self.mask} if self.mask else content


def around(shapes: Iterable[Shape]) -> Bounds:
    """The box around several shapes, one at least."""
    x0, y0, x1, y1 = zip(*(shape.bounds for shape in shapes), strict=True)
    return min(x0), min(y0), max(x1), max(y1)


def rectangle(box: Sequence[float]) -> Shape:
    """A box, x0, y0, x1, y1, as a shape."""
    x0, y0, x1, y1 = map(float, box)
    return Shape("rectangle", ((x0, y0), (x1, y1)))


def mask_shape(inside: np.ndarray, left: int = 0, top: int = 0) -> Shape:
    """Pixels as a shape."""
    rows, columns = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
    if not rows.size:
        raise Unusable("no-area", "a mask of no pixels")
    y0, y1, x0, x1 = rows[0], rows[-1], columns[0], columns[-1]
    buffer = io.BytesIO()
    part = inside[y0 : y1 + 1, x0 : x1 + 1]
    Image.fromarray(np.ascontiguousarray(part, bool)).save(buffer, "PNG")
    points = ((float(left + x0), float(top + y0)), (float(left + x1), float(top + y1)))
    return Shape("mask", points, base64.b64encode(buffer.getvalue()).decode())


def upright(shape: Shape, orientation: int, size: tuple[int, int]) -> Shape:
    """Turn what was drawn on an image as it is stored, by the image's EXIF tag."""
    if orientation == 1:
        return shape
    if shape.kind == "mask":
        return _upright_mask(shape, orientation, size)
    width, height = size
    moves: dict[int, Callable[[Point], Point]] = {
        2: lambda p: (width - p[0], p[1]),
        3: lambda p: (width - p[0], height - p[1]),
        4: lambda p: (p[0], height - p[1]),
        5: lambda p: (p[1], p[0]),
        6: lambda p: (height - p[1], p[0]),
        7: lambda p: (height - p[1], width - p[0]),
        8: lambda p: (p[1], width - p[0]),
    }
    return shape.moved(moves[orientation])


def _upright_mask(shape: Shape, orientation: int, size: tuple[int, int]) -> Shape:
    x0, y0, x1, y1 = (round(v) for v in shape.bounds)
    # Its box turns like a rectangle, its pixels like an image.
    corners = upright(rectangle((x0, y0, x1, y1)), orientation, size).bounds
    inside = shape.pixels()
    if orientation in {5, 6, 7, 8}:
        inside = inside.T
    if orientation in {2, 3, 6, 7}:
        inside = inside[:, ::-1]
    if orientation in {3, 4, 7, 8}:
        inside = inside[::-1]
    return mask_shape(inside, round(corners[0]), round(corners[1]))


def _round(shape: Shape) -> list[Point]:
    (x, y), *rim = shape.points
    a = rim[0][0] - x, rim[0][1] - y
    b = (-a[1], a[0]) if shape.kind == "circle" else (rim[1][0] - x, rim[1][1] - y)
    angles = [2 * math.pi * i / CORNERS for i in range(CORNERS)]
    return [
        (
            x + a[0] * math.cos(t) + b[0] * math.sin(t),
            y + a[1] * math.cos(t) + b[1] * math.sin(t),
        )
        for t in angles
    ]


def _contours(shape: Shape) -> list[list[Point]]:
    import cv2

    inside = shape.pixels()
    x0, y0, *_ = shape.bounds
    # Each pixel doubled and one more: the outline then runs along the pixels' edges.
    fine = np.pad(inside, 1).astype(np.uint8).repeat(2, axis=0).repeat(2, axis=1)
    found, _ = cv2.findContours(fine, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    return [
        [(x0 + math.ceil(x / 2) - 1, y0 + math.ceil(y / 2) - 1) for x, y in part[:, 0]]
        for part in found
        if len(part) > 2
    ]
