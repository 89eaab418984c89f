"""Regions as the VGG Image Annotator writes them in, shapes out.

rect        x, y, width, height
polygon     all_points_x, all_points_y
polyline    the same, not closed
circle      cx, cy, r
ellipse     cx, cy, rx, ry, theta: the radians by which the half axis rx is turned
            from the x axis towards the y axis, clockwise as seen; none in VIA 1
point       cx, cy
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from tlkit.dataset.geometry import BadShape, Shape


def read_region(content: Any) -> Shape:
    """Read the shape of one region.

    Args:
        content: Its shape_attributes.

    Returns:
        The shape.

    Raises:
        BadShape: It is none.
    """
    if not isinstance(content, Mapping):
        raise BadShape("bad-shape", "its shape is not an object")
    kind = content.get("name")
    if kind in ("polygon", "polyline"):
        return _joined(content, "polygon" if kind == "polygon" else "linestrip")
    if kind == "rect":
        x, y, width, height = _numbers(content, "x", "y", "width", "height")
        return Shape("rectangle", ((x, y), (x + width, y + height)))
    if kind == "point":
        return Shape("point", (_numbers(content, "cx", "cy"),))  # type: ignore[arg-type]
    if kind == "circle":
        x, y, r = _numbers(content, "cx", "cy", "r")
        return Shape("circle", ((x, y), (x + r, y)))
    if kind == "ellipse":
        return _ellipse(content)
    raise BadShape("unknown-shape", f"a {kind!r} is not known")


def _joined(content: Mapping[str, Any], kind: str) -> Shape:
    xs, ys = (content.get(f"all_points_{axis}") for axis in "xy")
    if not isinstance(xs, list) or not isinstance(ys, list) or len(xs) != len(ys):
        raise BadShape("bad-points", "all_points_x and all_points_y are no two lists")
    if not all(_is_number(value) for value in (*xs, *ys)):
        raise BadShape("bad-points", "some of its points are not numbers")
    return Shape.make(kind, list(zip(xs, ys, strict=True)))


def _ellipse(content: Mapping[str, Any]) -> Shape:
    x, y, rx, ry = _numbers(content, "cx", "cy", "rx", "ry")
    (theta,) = _numbers({"theta": 0, **content}, "theta")
    if not math.isfinite(theta):
        raise BadShape("bad-points", f"its theta is {theta}")
    cos, sin = math.cos(theta), math.sin(theta)
    ends = (x + rx * cos, y + rx * sin), (x - ry * sin, y + ry * cos)
    return Shape("ellipse", ((x, y), *ends))


def _numbers(content: Mapping[str, Any], *names: str) -> tuple[float, ...]:
    values = [content.get(name) for name in names]
    for name, value in zip(names, values, strict=True):
        if not _is_number(value):
            raise BadShape("bad-points", f"its {name} is {value!r}, no number")
    try:
        return tuple(float(value) for value in values)  # type: ignore[arg-type]
    except OverflowError as error:
        raise BadShape("bad-points", "its points are not finite") from error


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
