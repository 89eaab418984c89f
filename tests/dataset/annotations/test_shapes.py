from __future__ import annotations

import base64
import io
import itertools
import math
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.imaging.test_decode import ORIENTED, huge_png
from tlkit.dataset.annotations.shapes import (
    CORNERS,
    KINDS,
    Shape,
    around,
    iou_matrix,
    mask_shape,
    orient,
    rectangle,
)
from tlkit.imaging.decode import UNDO
from tlkit.imaging.safe_read import Unusable


def png(values: np.ndarray) -> str:
    buffer = io.BytesIO()
    Image.fromarray(values).save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def fault(act) -> Any:
    with pytest.raises(Unusable) as caught:
        act()
    reason, detail = caught.value.reason, caught.value.detail
    assert detail
    return reason


def area(corners) -> Any:
    """By the shoelace formula."""
    pairs = zip(corners, corners[1:] + corners[:1], strict=True)
    return abs(sum(x0 * y1 - x1 * y0 for (x0, y0), (x1, y1) in pairs)) / 2


@pytest.mark.parametrize(
    ("kind", "points", "box"),
    [
        ("rectangle", [[10, 30], [5, 20]], (5, 20, 10, 30)),
        ("polygon", [[0.5, 0.5], [9.5, 1], [4, 7.2]], (0.5, 0.5, 9.5, 7.2)),
        ("oriented_rectangle", [[5, 0], [10, 5], [5, 10], [0, 5]], (0, 0, 10, 10)),
        ("circle", [[50, 50], [53, 54]], (45, 45, 55, 55)),
        ("ellipse", [[50, 40], [60, 40], [50, 43]], (40, 37, 60, 43)),
        # half axes 10 and 5, rotated by atan(3/4): sqrt(8² + 3²) and sqrt(6² + 4²)
        (
            "ellipse",
            [[0, 0], [8, 6], [-3, 4]],
            (-math.sqrt(73), -math.sqrt(52), math.sqrt(73), math.sqrt(52)),
        ),
        ("line", [[1, 2], [3, 5]], (1, 2, 3, 5)),
        ("linestrip", [[1, 2], [3, 5], [0, 9]], (0, 2, 3, 9)),
        ("points", [[1, 2], [3, 5]], (1, 2, 3, 5)),
        ("point", [[1, 2]], (1, 2, 1, 2)),
        ("mask", [[2, 3], [5, 6]], (2, 3, 6, 7)),
        ("mask", [[2, 3], [2, 3]], (2, 3, 3, 4)),
        ("rectangle", [[-4, -1], [2000, 3]], (-4, -1, 2000, 3)),
    ],
)
def test_boxes(kind, points, box):
    shape = Shape.make(kind, points)
    assert shape.bounds == pytest.approx(box)
    assert shape.json() == {"shape_type": kind, "points": points}
    assert Shape.make(*shape.json().values()) == shape


def test_the_boxes_cover_every_kind():
    (mark,) = (m for m in test_boxes.pytestmark if m.name == "parametrize")
    assert {kind for kind, *_ in mark.args[1]} == set(KINDS)


@pytest.mark.parametrize(
    ("kind", "points", "reason"),
    [
        ("blob", [[0, 0], [4, 4]], "unknown-shape"),
        (["line"], [[0, 0], [4, 4]], "unknown-shape"),
        (None, [[0, 0], [4, 4]], "unknown-shape"),
        ("rectangle", [[3, 3]], "bad-points"),
        ("rectangle", [[3, 3], [4, 4], [5, 5]], "bad-points"),
        ("circle", [[3, 3], [4, 4], [5, 5]], "bad-points"),
        ("polygon", [[3, 3], [5, 5]], "bad-points"),
        ("polygon", [], "bad-points"),
        ("points", [], "bad-points"),
        ("rectangle", None, "bad-points"),
        ("rectangle", 7, "bad-points"),
        ("rectangle", {"a": 1}, "bad-points"),
        ("rectangle", [[0, 0], [4]], "bad-points"),
        ("rectangle", [[0, 0], [4, 4, 4]], "bad-points"),
        ("rectangle", [[0, 0], ["a", 4]], "bad-points"),
        ("rectangle", [[0, 0], [None, 4]], "bad-points"),
        ("rectangle", [[0, 0], [math.nan, 4]], "bad-points"),
        ("rectangle", [[0, 0], [math.inf, 4]], "bad-points"),
        ("rectangle", [[0, 0], [1e10, 4]], "bad-points"),
        ("rectangle", [[0, 0], [10**400, 4]], "bad-points"),
        ("mask", [[0, 0], [20_000, 20_000]], "bad-points"),
    ],
)
def test_what_is_no_shape(kind, points, reason):
    assert fault(lambda: Shape.make(kind, points)) == reason


def test_outlines_of_what_has_corners():
    box = Shape.make("rectangle", [[10, 30], [5, 20]])
    assert box.outlines() == [[(5, 20), (10, 20), (10, 30), (5, 30)]]
    corners = [(0.5, 0.5), (9.5, 1), (4, 7.2)]
    assert Shape.make("polygon", corners).outlines() == [corners]
    corners = [(5, 0), (10, 5), (5, 10), (0, 5)]
    assert Shape.make("oriented_rectangle", corners).outlines() == [corners]


@pytest.mark.parametrize(
    ("kind", "points"),
    [
        ("line", [[1, 2], [3, 5]]),
        ("linestrip", [[1, 2], [3, 5], [0, 9]]),
        ("point", [[1, 2]]),
        ("points", [[1, 2], [3, 4], [5, 0]]),
    ],
)
def test_what_has_no_area_has_no_outline(kind, points):
    assert Shape.make(kind, points).outlines() == []


def test_outline_of_a_circle():
    (rim,) = Shape.make("circle", [[50, 40], [53, 44]]).outlines()
    assert len(set(rim)) == CORNERS == 64
    assert [math.dist(p, (50, 40)) for p in rim] == pytest.approx([5] * 64)
    # a regular 64-gon
    assert area(rim) == pytest.approx(32 * 25 * math.sin(2 * math.pi / 64))


def test_outline_of_an_ellipse():
    (rim,) = Shape.make("ellipse", [[7, 9], [15, 15], [4, 13]]).outlines()
    assert len(set(rim)) == 64
    for x, y in rim:
        # along the half axes (8, 6) of length 10 and (-3, 4) of length 5
        along = ((x - 7) * 8 + (y - 9) * 6) / 100
        across = ((x - 7) * -3 + (y - 9) * 4) / 25
        assert along**2 + across**2 == pytest.approx(1)
    assert area(rim) == pytest.approx(32 * 50 * math.sin(2 * math.pi / 64))


def test_outline_of_a_mask_runs_along_the_edges_of_its_pixels():
    corner = np.array([[1, 0, 0], [1, 1, 1]], bool)
    (rim,) = mask_shape(corner, 10, 20).outlines()
    # once around: 3 wide, 2 high, the upper right 2 x 1 missing
    assert set(rim) == {(10, 20), (11, 20), (11, 21), (13, 21), (13, 22), (10, 22)}
    assert area(rim) == 4


def test_outlines_of_the_parts_of_a_mask():
    parts = np.zeros((9, 9), bool)
    parts[1:3, 1:4] = parts[6:9, 5:9] = True
    shape = mask_shape(parts)
    assert shape.bounds == (1, 1, 9, 9)
    found = {frozenset(rim) for rim in shape.outlines()}
    assert found == {
        frozenset([(1, 1), (4, 1), (4, 3), (1, 3)]),
        frozenset([(5, 6), (9, 6), (9, 9), (5, 9)]),
    }


def filled(inside: np.ndarray) -> np.ndarray:
    """The same with its holes: all that cannot be reached from the rim."""
    free = np.pad(~inside, 1, constant_values=True)
    reached = np.zeros_like(free)
    reached[0] = grown = True
    while grown:
        before = reached.sum()
        for axis, step in itertools.product((0, 1), (1, -1)):
            reached |= np.roll(reached, step, axis) & free
        grown = reached.sum() > before
    return ~reached[1:-1, 1:-1]


@pytest.mark.parametrize("seed", range(5))
def test_outlines_of_any_mask_enclose_its_pixels(seed):
    inside = np.random.default_rng(seed).random((15, 20)) < 0.3 + seed / 10
    enclosed = sum(area(rim) for rim in mask_shape(inside).outlines())
    # holes are not told by an outline
    assert enclosed == filled(inside).sum()


def test_a_mask_of_nothing():
    assert fault(lambda: mask_shape(np.zeros((3, 3), bool))) == "no-area"
    empty = Shape.make("mask", [[0, 0], [2, 2]], png(np.zeros((3, 3), np.uint8)))
    assert empty.outlines() == []


def test_pixels_of_a_mask():
    inside = np.zeros((6, 8), bool)
    inside[2, 3] = inside[4, 3:6] = True
    shape = mask_shape(inside, left=100, top=50)
    assert shape.points == ((103, 52), (105, 54))
    np.testing.assert_array_equal(shape.pixels(), inside[2:5, 3:6])
    again = Shape.make("mask", shape.points, shape.json()["mask"])
    np.testing.assert_array_equal(again.pixels(), inside[2:5, 3:6])
    # as labelme writes them, 1 bit or 8; anything but 0 belongs to it
    for values in (inside[2:5, 3:6], inside[2:5, 3:6].astype(np.uint8) * 7):
        shape = Shape.make("mask", [[0, 0], [2, 2]], png(values))
        np.testing.assert_array_equal(shape.pixels(), inside[2:5, 3:6])


def test_a_mask_without_png_is_its_box():
    for mask in ("", None, 7):
        shape = Shape.make("mask", [[2, 3], [5, 4]], mask)
        assert shape.pixels().shape == (2, 4)
        assert shape.pixels().all()


@pytest.mark.parametrize(
    "mask",
    [
        "abc",
        "é",
        base64.b64encode(b"notes").decode(),
        base64.b64encode(
            base64.b64decode(png(np.ones((3, 3), np.uint8)))[:45]
        ).decode(),
        png(np.ones((3, 4), np.uint8)),
        base64.b64encode(huge_png(60_000, 60_000)).decode(),
        base64.b64encode(huge_png(10_000, 10_000)).decode(),
    ],
)
def test_a_mask_that_is_no_image(mask):
    shape = Shape.make("mask", [[0, 0], [2, 2]], mask)
    assert fault(shape.pixels) == "bad-mask"
    assert fault(shape.outlines) == "bad-mask"


def test_a_large_mask_that_is_cut_off():
    shape = Shape.make(
        "mask",
        [[0, 0], [9_999, 9_999]],
        base64.b64encode(huge_png(10_000, 10_000)).decode(),
    )
    assert fault(shape.pixels) == "bad-mask"


def test_a_mask_larger_than_the_memory(monkeypatch):
    def fail(*_, **__):
        raise MemoryError

    monkeypatch.setattr(Image, "open", fail)
    shape = Shape.make("mask", [[0, 0], [2, 2]], png(np.ones((3, 3), np.uint8)))
    assert fault(shape.pixels) == "bad-mask"


def test_around():
    shapes = [rectangle((0, 5, 10, 9)), Shape.make("circle", [[10, 7], [13, 7]])]
    assert around(shapes) == (0, 4, 13, 10)
    assert rectangle((0, 5, 10, 9)).bounds == (0, 5, 10, 9)


def test_iou_of_boxes():
    boxes = [(0, 0, 4, 4), (2, 2, 6, 6), (1, 1, 1, 5)]
    # 2 x 2 in common of 16 + 16 - 4; a line has no area
    expected = [[1.0, 4 / 28, 0.0], [4 / 28, 1.0, 0.0], [0.0, 0.0, 0.0]]
    np.testing.assert_allclose(iou_matrix(boxes, boxes), expected)
    np.testing.assert_allclose(iou_matrix([(9, 9, 12, 12)], boxes), [[0, 0, 0]])
    assert iou_matrix([], boxes).shape == (0, 3)


WIDTH, HEIGHT = 11, 7


def drawn(shape: Shape, size: tuple[int, int]) -> np.ndarray:
    """An image bool [H, W] of a mask or of a rectangle."""
    x0, y0, x1, y1 = (round(v) for v in shape.bounds)
    image = np.zeros(size[::-1], bool)
    image[y0:y1, x0:x1] = shape.pixels() if shape.kind == "mask" else True
    return image


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["mask", "rectangle"])
def test_shapes_move_as_pillow_moves_the_image(kind, orientation):
    stored = np.zeros((HEIGHT, WIDTH), bool)
    stored[1:3, 2:8] = True
    shape = rectangle((2, 1, 8, 3))
    if kind == "mask":
        stored[2:5, 4] = True
        stored[1, 3] = False
        shape = mask_shape(stored)
    image = Image.fromarray(stored)
    if orientation > 1:
        image = image.transpose(UNDO[orientation])
    expected = ORIENTED[orientation](stored)
    np.testing.assert_array_equal(np.array(image), expected)
    oriented = orient(shape, orientation, (WIDTH, HEIGHT))
    assert oriented.kind == kind
    np.testing.assert_array_equal(drawn(oriented, image.size), expected)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_points_move_as_the_pixels_do(orientation):
    for x, y in itertools.product((0, 3, WIDTH - 1), (0, 2, HEIGHT - 1)):
        stored = np.zeros((HEIGHT, WIDTH), bool)
        stored[y, x] = True
        ((row, column),) = np.argwhere(ORIENTED[orientation](stored))
        middle = Shape.make("point", [[x + 0.5, y + 0.5]])
        oriented = orient(middle, orientation, (WIDTH, HEIGHT))
        assert oriented.points == ((column + 0.5, row + 0.5),)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_round_shapes_keep_their_form(orientation):
    ellipse = Shape.make("ellipse", [[5, 3], [7, 3], [5, 4]])
    oriented = orient(ellipse, orientation, (WIDTH, HEIGHT))
    box = orient(rectangle(ellipse.bounds), orientation, (WIDTH, HEIGHT))
    assert oriented.bounds == box.bounds
    circle = orient(
        Shape.make("circle", [[5, 3], [7, 3]]), orientation, (WIDTH, HEIGHT)
    )
    assert math.dist(*circle.points) == 2
