"""COCO's segmentation of one object: shapes in, polygons or run lengths out, and back.

COCO knows polygons, masks and boxes. What else there is becomes a polygon, one without
area for lines and points; that it was something else has to be told beside.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from tlkit.dataset.annotations import rle
from tlkit.dataset.annotations.shapes import Point, Shape, mask_shape
from tlkit.imaging.safe_read import Unusable

# So many pixels of difference come from writing numbers as text.
NEAR = 1e-3

Segmentation = list[list[float]] | dict[str, Any]


def segmentation(shapes: Sequence[Shape], size: tuple[int, int]) -> Segmentation:
    """Say what COCO would of an object."""
    if any(shape.kind == "mask" for shape in shapes):
        inside = _drawn(shapes, size)
        counts = rle.compress(rle.encode(inside))
        return {"size": [size[1], size[0]], "counts": counts}
    # What has no area gets polygons, too: of no list at all, pycocotools makes no mask
    # but an IndexError; of fewer than three corners, a box or nothing.
    return [
        [float(v) for point in outline for v in point]
        for shape in shapes
        for outline in shape.outlines() or _there_and_back(shape)
    ]


def parts(content: Any) -> tuple[list[Shape], list[Unusable]]:
    """Read a segmentation."""
    shapes: list[Shape] = []
    faults: list[Unusable] = []
    if not content:
        return shapes, faults
    if not isinstance(content, dict | list):
        faults.append(Unusable("bad-points", "neither polygons nor a mask"))
        return shapes, faults
    read = _mask if isinstance(content, dict) else _polygon
    for part in [content] if isinstance(content, dict) else content:
        try:
            shapes.append(read(part))
        except Unusable as error:
            faults.append(error)
    return shapes, faults


def total_area(shapes: Iterable[Shape]) -> float:
    """The area of all parts, as COCO counts it: as if none lay over another."""
    return sum(
        float(shape.pixels().sum())
        if shape.kind == "mask"
        else sum(map(polygon_area, shape.outlines()))
        for shape in shapes
    )


def polygon_area(corners: Sequence[Point]) -> float:
    """The area of a polygon."""
    x, y = np.array(corners).T
    # From the first corner, so that large coordinates cost no digits.
    x, y = x - x[0], y - y[0]
    return abs(float(x @ np.roll(y, -1) - y @ np.roll(x, -1))) / 2


def alike(one: Any, other: Any) -> bool:
    """Whether two segmentations, or two boxes, say the same."""
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(alike, one, other))
    if isinstance(one, float | int) and isinstance(other, float | int):
        return math.isclose(one, other, rel_tol=0, abs_tol=NEAR)
    return bool(one == other)


def same_shapes(some: Sequence[Shape], others: Sequence[Shape]) -> bool:
    """Whether objects are drawn in the same way."""
    return len(some) == len(others) and all(
        a.kind == b.kind
        and alike(a.points, b.points)
        and (a.mask == b.mask or np.array_equal(a.pixels(), b.pixels()))
        for a, b in zip(some, others, strict=True)
    )


def _polygon(part: Any) -> Shape:
    if not isinstance(part, list) or len(part) % 2:
        raise Unusable("bad-points", "a polygon that is no list of x and y")
    return Shape.make("polygon", _pairs(part))


def _there_and_back(shape: Shape) -> list[list[Point]]:
    """Polygons without area: along a line and back, each point on its own."""
    points = list(shape.points)
    if shape.kind in {"line", "linestrip"}:
        paths = [points + points[-2:0:-1]]
    else:
        paths = [[point] for point in points]
    return [path + path[-1:] * (3 - len(path)) for path in paths]


def _pairs(part: Sequence[float]) -> list[Point]:
    return list(zip(part[::2], part[1::2], strict=True))


def _mask(part: Any) -> Shape:
    return mask_shape(rle.decode(part.get("counts"), part.get("size")))


def _drawn(shapes: Iterable[Shape], size: tuple[int, int]) -> np.ndarray:
    """All parts in pixels of the image: bool [H, W]."""
    width, height = size
    canvas = Image.new("1", size)
    pen = ImageDraw.Draw(canvas)
    for shape in shapes:
        if shape.kind != "mask":
            for outline in shape.outlines():
                pen.polygon(outline, fill=1)
    inside = np.array(canvas)
    for shape in shapes:
        if shape.kind == "mask":
            pixels = shape.pixels()
            x0, y0 = (round(v) for v in shape.bounds[:2])
            left, top = max(x0, 0), max(y0, 0)
            part = pixels[top - y0 :, left - x0 :][
                : max(height - top, 0), : max(width - left, 0)
            ]
            h, w = part.shape
            inside[top : top + h, left : left + w] |= part
    return inside
