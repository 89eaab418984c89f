from __future__ import annotations

import math

import numpy as np
import pytest

from tlkit.dataset.formats.via_files import read_shape
from tlkit.imaging.safe_read import Unusable

RECT = {"name": "rect", "x": 1, "y": 2, "width": 10, "height": 20}
POINT = {"name": "point", "cx": 3, "cy": 4}
ELLIPSE = {"name": "ellipse", "cx": 5, "cy": 6, "rx": 4, "ry": 2}


def joined(xs, ys, kind="polygon"):
    return {"name": kind, "all_points_x": xs, "all_points_y": ys}


def test_shapes():
    line = joined([0, 4], [0, 1], "polyline")
    cases = [
        (RECT, "rectangle", ((1, 2), (11, 22))),
        (POINT, "point", ((3, 4),)),
        (joined([0, 4, 4], [0, 0, 3]), "polygon", ((0, 0), (4, 0), (4, 3))),
        (line, "linestrip", ((0, 0), (4, 1))),
        ({"name": "circle", "cx": 5, "cy": 6, "r": 2.5}, "circle", ((5, 6), (7.5, 6))),
        (ELLIPSE, "ellipse", ((5, 6), (9, 6), (5, 8))),
    ]
    for content, kind, points in cases:
        shape = read_shape(content)
        assert (shape.kind, shape.points) == (kind, points)


def test_an_ellipse_rotates_clockwise():
    rotated = {"name": "ellipse", "cx": 0, "cy": 0, "rx": 4, "ry": 2}
    shape = read_shape(rotated | {"theta": math.pi / 2})
    # y points down: from the right, clockwise, comes what is below
    np.testing.assert_allclose(shape.points, [(0, 0), (0, 4), (-2, 0)], atol=1e-12)
    np.testing.assert_allclose(shape.bounds, (-2, -4, 2, 4), atol=1e-12)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "bad-shape"),
        ({}, "unknown-shape"),
        ({"name": "star"}, "unknown-shape"),
        ({"name": ["rect"]}, "unknown-shape"),
        (RECT | {"x": "1"}, "bad-points"),
        (RECT | {"x": None}, "bad-points"),
        (RECT | {"x": True}, "bad-points"),
        (RECT | {"x": math.nan}, "bad-points"),
        (RECT | {"x": 10**400}, "bad-points"),
        ({"name": "circle", "cx": 1, "cy": 2}, "bad-points"),
        (ELLIPSE | {"theta": math.inf}, "bad-points"),
        (joined([1, 2], [1]), "bad-points"),
        (joined([1, 2], [1, 2]), "bad-points"),
        (joined(["1", 2, 3], [1, 2, 3]), "bad-points"),
        (joined([10**400, 2, 3], [1, 2, 3]), "bad-points"),
        (joined(3, [1, 2, 3]), "bad-points"),
    ],
)
def test_broken_shapes(content, reason):
    with pytest.raises(Unusable) as caught:
        read_shape(content)
    assert caught.value.reason == reason
