"""COCO's segmentation of one object: polygons or run lengths.

COCO knows polygons, masks and boxes. Every other shape becomes a polygon, one without
area for lines and points; its kind has to be kept elsewhere.
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

# Pixels by which numbers may differ after they were written as text.
NEAR = 1e-3

Segmentation = list[list[float]] | dict[str, Any]


def encode_segmentation(shapes: Sequence[Shape], size: tuple[int, int]) -> Segmentation:
    """Return COCO's segmentation of an object on an image of this width and height."""
    if any(shape.kind == "mask" for shape in shapes):
        counts = rle.compress(rle.encode(_drawn(shapes, size)))
        return {"size": [size[1], size[0]], "counts": counts}
    # What has no area gets polygons, too: of no list at all, pycocotools makes no mask
    # but an IndexError; of fewer than three corners, a box or nothing.
    return [
        [float(v) for point in outline for v in point]
        for shape in shapes
        for outline in shape.outlines() or _without_area(shape)
    ]


def decode_segmentation(content: Any) -> tuple[list[Shape], list[Unusable]]:
    """Return the shapes of a segmentation, and the faults of its other parts."""
    shapes: list[Shape] = []
    faults: list[Unusable] = []
    if not content:
        return shapes, faults
    for part in content if isinstance(content, list) else [content]:
        try:
            if isinstance(content, dict):
                mask = rle.decode(part.get("counts"), part.get("size"))
                shapes.append(mask_shape(mask))
            elif isinstance(content, list):
                shapes.append(_polygon(part))
            else:
                raise Unusable("bad-points", "neither polygons nor a mask")
        except Unusable as error:
            faults.append(error)
    return shapes, faults


def total_area(shapes: Iterable[Shape]) -> float:
    """Return the area of all parts as COCO counts it: overlaps count twice."""
    return sum(
        float(shape.pixels().sum())
        if shape.kind == "mask"
        else sum(map(polygon_area, shape.outlines()))
        for shape in shapes
    )


def polygon_area(corners: Sequence[Point]) -> float:
    """Return the area of a polygon."""
    x, y = np.array(corners).T
    # From the first corner, so that large coordinates cost no digits.
    x, y = x - x[0], y - y[0]
    return abs(float(x @ np.roll(y, -1) - y @ np.roll(x, -1))) / 2


def nearly_equal(one: Any, other: Any) -> bool:
    """Compare segmentations or boxes, their numbers within NEAR."""
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(nearly_equal, one, other))
    if isinstance(one, float | int) and isinstance(other, float | int):
        return math.isclose(one, other, rel_tol=0, abs_tol=NEAR)
    return bool(one == other)


def same_shapes(some: Sequence[Shape], others: Sequence[Shape]) -> bool:
    """Compare the shapes of two objects: kinds, points and pixels."""
    return len(some) == len(others) and all(
        a.kind == b.kind
        and nearly_equal(a.points, b.points)
        and (a.mask == b.mask or np.array_equal(a.pixels(), b.pixels()))
        for a, b in zip(some, others, strict=True)
    )


def _polygon(part: Any) -> Shape:
    if not isinstance(part, list) or len(part) % 2:
        raise Unusable("bad-points", "a polygon that is not a list of x and y")
    return Shape.make("polygon", list(zip(part[::2], part[1::2], strict=True)))


def _without_area(shape: Shape) -> list[list[Point]]:
    """Return polygons along a line and back, or one for each point."""
    points = list(shape.points)
    if shape.kind in {"line", "linestrip"}:
        paths = [points + points[-2:0:-1]]
    else:
        paths = [[point] for point in points]
    return [path + path[-1:] * (3 - len(path)) for path in paths]


def _drawn(shapes: Iterable[Shape], size: tuple[int, int]) -> np.ndarray:
    """Return all parts in pixels of the image, bool [H, W]; what is outside is cut."""
    canvas = Image.new("1", size)
    pen = ImageDraw.Draw(canvas)
    for shape in shapes:
        if shape.kind == "mask":
            x0, y0, *_ = (round(v) for v in shape.bounds)
            canvas.paste(1, (x0, y0), Image.fromarray(shape.pixels()))
        else:
            for outline in shape.outlines():
                pen.polygon(outline, fill=1)
    return np.array(canvas)
