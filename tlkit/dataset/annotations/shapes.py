"""Shapes as labelme names them, with their boxes, outlines and pixels.

Coordinates are floats in pixels, x to the right and y down, 0 at the left or upper edge
of the first pixel; shapes may reach out of the image.

    rectangle            two opposite corners
    oriented_rectangle   its corners, in turn
    polygon              its corners, in turn
    circle               center, a point of the rim
    ellipse              center, the end of one half axis, the end of the other
    line, linestrip      points to be joined
    point, points        points
    mask                 its first and its last pixel, both inside; a PNG holds which
                         of the pixels between belong to it
"""

from __future__ import annotations

import base64
import io
import math
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
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
# Kinds of exactly so many points: more would mean something else.
FIXED = {"rectangle", "circle", "ellipse", "line", "mask", "point"}
# Corners of the outline of a circle or an ellipse.
CORNERS = 64
FARTHEST = 1e9
# No usable image has more, so no mask has.
MAX_MASK_PIXELS = 120_000_000


@dataclass(frozen=True)
class Shape:
    """Something drawn on an image; its kind is one of KINDS, its points in pixels.

    Of a mask, `mask` is a PNG in base64 of all pixels between the two points, those
    that belong to it not 0; without it, all belong to it.
    """

    kind: str
    points: tuple[Point, ...]
    mask: str = ""

    def __post_init__(self) -> None:
        """Check kind and points."""
        if self.kind not in KINDS:
            raise Unusable("unknown-shape", f"unknown kind of shape {self.kind!r}")
        number, least = len(self.points), KINDS[self.kind]
        if number < least or (number > least and self.kind in FIXED):
            expected = f"{least}" if self.kind in FIXED else f"{least} or more"
            detail = f"{self.kind} of {number} point(s), expected {expected}"
            raise Unusable("bad-points", detail)
        if not all(
            math.isfinite(v) and abs(v) < FARTHEST for p in self.points for v in p
        ):
            raise Unusable("bad-points", "its points are not finite")

    @classmethod
    def make(cls, kind: Any, points: Any, mask: Any = "") -> Shape:
        """Read a shape from what a JSON may hold."""
        if not isinstance(kind, str):
            raise Unusable("unknown-shape", f"unknown kind of shape {kind!r}")
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
        """The box around it, x0, y0, x1, y1; of a point without width and height."""
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
        """Return it as polygons; none for what has no area."""
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
        """Return a mask's pixels, bool [H, W] of its box."""
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
                raise Unusable("bad-mask", "its mask is not a PNG") from error
        detail = f"its mask has {size} pixels, its box {(x1 - x0, y1 - y0)}"
        raise Unusable("bad-mask", detail)

    def json(self) -> dict[str, Any]:
        """Return it as in labelme's JSON, without label."""
        content: dict[str, Any] = {
            "shape_type": self.kind,
            "points": [list(point) for point in self.points],
        }
        return content | {"mask": self.mask} if self.mask else content


def around(shapes: Iterable[Shape]) -> Bounds:
    """Return the box around one or more shapes."""
    x0, y0, x1, y1 = zip(*(shape.bounds for shape in shapes), strict=True)
    return min(x0), min(y0), max(x1), max(y1)


def rectangle(box: Sequence[float]) -> Shape:
    """Return a box, x0, y0, x1, y1, as a shape."""
    x0, y0, x1, y1 = map(float, box)
    return Shape("rectangle", ((x0, y0), (x1, y1)))


def mask_shape(inside: np.ndarray, left: int = 0, top: int = 0) -> Shape:
    """Return pixels, bool [H, W] with their upper left corner here, as a shape."""
    rows, columns = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
    if not rows.size:
        raise Unusable("no-area", "a mask of no pixels")
    y0, y1, x0, x1 = rows[0], rows[-1], columns[0], columns[-1]
    buffer = io.BytesIO()
    part = inside[y0 : y1 + 1, x0 : x1 + 1]
    Image.fromarray(np.ascontiguousarray(part, bool)).save(buffer, "PNG")
    points = ((float(left + x0), float(top + y0)), (float(left + x1), float(top + y1)))
    return Shape("mask", points, base64.b64encode(buffer.getvalue()).decode())


def iou_matrix(boxes: npt.ArrayLike, others: npt.ArrayLike) -> np.ndarray:
    """Compute the intersection over union of every box with every other.

    Args:
        boxes: [N, 4], x0, y0, x1, y1.
        others: [M, 4], in the same unit.

    Returns:
        float64 [N, M] from 0 to 1; 0 where neither box has an area.
    """
    a = np.asarray(boxes, float).reshape(-1, 1, 4)
    b = np.asarray(others, float).reshape(1, -1, 4)
    common = _box_areas(
        np.concatenate([np.maximum(a, b)[..., :2], np.minimum(a, b)[..., 2:]], -1)
    )
    union = _box_areas(a) + _box_areas(b) - common
    shares: np.ndarray = common / np.where(union > 0, union, 1)
    return shares


def _box_areas(boxes: np.ndarray) -> np.ndarray:
    areas: np.ndarray = np.maximum(boxes[..., 2:] - boxes[..., :2], 0).prod(-1)
    return areas


# EXIF orientations that swap the axes, then mirror x, then mirror y.
TRANSPOSED, MIRROR_X, MIRROR_Y = {5, 6, 7, 8}, {2, 3, 6, 7}, {3, 4, 7, 8}


def orient(shape: Shape, orientation: int, size: tuple[int, int]) -> Shape:
    """Apply an EXIF orientation to a shape drawn on an image of this stored size."""
    if orientation == 1:
        return shape
    if shape.kind == "mask":
        return _orient_mask(shape, orientation, size)
    width, height = size[::-1] if orientation in TRANSPOSED else size

    def move(point: Point) -> Point:
        x, y = point[::-1] if orientation in TRANSPOSED else point
        return (
            width - x if orientation in MIRROR_X else x,
            height - y if orientation in MIRROR_Y else y,
        )

    return replace(shape, points=tuple(map(move, shape.points)))


def scale(shape: Shape, size: tuple[int, int]) -> Shape:
    """Return a shape whose points are shares of width and height in pixels."""
    points = tuple((x * size[0], y * size[1]) for x, y in shape.points)
    return replace(shape, points=points)


def _orient_mask(shape: Shape, orientation: int, size: tuple[int, int]) -> Shape:
    # Its box moves as a rectangle does: the corners of pixels, not their centers.
    box = rectangle([round(v) for v in shape.bounds])
    left, top, *_ = orient(box, orientation, size).bounds
    inside = shape.pixels()
    if orientation in TRANSPOSED:
        inside = inside.T
    if orientation in MIRROR_X:
        inside = inside[:, ::-1]
    if orientation in MIRROR_Y:
        inside = inside[::-1]
    return mask_shape(inside, round(left), round(top))


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
    # Doubled pixels: OpenCV joins centers, which then lie next to the pixels' edges.
    fine = np.pad(inside, 1).astype(np.uint8).repeat(2, axis=0).repeat(2, axis=1)
    found, _ = cv2.findContours(fine, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    return [
        [(x0 + math.ceil(x / 2) - 1, y0 + math.ceil(y / 2) - 1) for x, y in part[:, 0]]
        for part in found
        if len(part) > 2
    ]
