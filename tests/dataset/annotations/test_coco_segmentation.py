from __future__ import annotations

import numpy as np
import pytest

from tlkit.dataset.annotations.coco_segmentation import (
    decode_segmentation,
    encode_segmentation,
    nearly_equal,
    polygon_area,
    same_shapes,
    total_area,
)
from tlkit.dataset.annotations.rle import decode
from tlkit.dataset.annotations.shapes import Shape, mask_shape, rectangle
from tlkit.imaging.safe_read import Unusable

SIZE = (8, 6)
TRIANGLE = Shape("polygon", ((0, 0), (4, 0), (0, 3)))
LINE = Shape("line", ((1, 1), (5, 1)))


def block(left: int, top: int, width: int, height: int) -> Shape:
    return mask_shape(np.ones((height, width), bool), left, top)


def drawn(shapes) -> np.ndarray:
    content = encode_segmentation(shapes, SIZE)
    assert isinstance(content, dict)
    assert content["size"] == [6, 8]
    return decode(content["counts"], content["size"])


def test_polygons_and_boxes():
    assert encode_segmentation([TRIANGLE], SIZE) == [[0, 0, 4, 0, 0, 3]]
    both = encode_segmentation([TRIANGLE, rectangle((1, 1, 3, 2))], SIZE)
    assert both == [[0, 0, 4, 0, 0, 3], [1, 1, 3, 1, 3, 2, 1, 2]]
    assert total_area([TRIANGLE, rectangle((1, 1, 3, 2))]) == 6 + 2
    circle = Shape("circle", ((3, 3), (5, 3)))
    (outline,) = encode_segmentation([circle], SIZE)
    assert len(outline) == 2 * 64
    # A polygon of 64 corners within the circle: n / 2 * sin(2 pi / n) * r squared.
    assert total_area([circle]) == pytest.approx(32 * np.sin(np.pi / 32) * 4)


def test_what_has_no_area_has_a_polygon_without_area():
    flat = rectangle((1, 1, 1, 4))
    assert encode_segmentation([LINE], SIZE) == [[1, 1, 5, 1, 5, 1]]
    assert encode_segmentation([flat], SIZE) == [[1, 1, 1, 1, 1, 4, 1, 4]]
    assert total_area([LINE, flat]) == 0
    # A polygon comes back, flat as it may be.
    polygon = Shape("polygon", ((1, 1), (5, 1), (3, 1)))
    both = encode_segmentation([polygon, LINE], SIZE)
    assert both == [[1, 1, 5, 1, 3, 1], [1, 1, 5, 1, 5, 1]]


def test_masks():
    expected = np.zeros((6, 8), bool)
    expected[2:4, 1:4] = True
    assert np.array_equal(drawn([block(1, 2, 3, 2)]), expected)
    assert total_area([block(1, 2, 3, 2)]) == 6
    expected[0:3, 5:7] = True
    both = [block(1, 2, 3, 2), block(5, 0, 2, 3)]
    assert np.array_equal(drawn(both), expected)
    with_box = drawn([block(1, 2, 3, 2), rectangle((5, 0, 6, 2))])
    assert np.array_equal(with_box, expected)  # Pillow fills to the last corner


def test_masks_are_cut_at_the_edges():
    for shape, inside in (
        (block(-1, -2, 3, 3), (slice(0, 1), slice(0, 2))),
        (block(6, 4, 5, 5), (slice(4, 6), slice(6, 8))),
        (block(9, 1, 2, 2), (slice(0, 0), slice(0, 0))),
        (block(1, 9, 2, 2), (slice(0, 0), slice(0, 0))),
        (block(-4, 1, 2, 2), (slice(0, 0), slice(0, 0))),
        (block(-2, -2, 20, 20), (slice(0, 6), slice(0, 8))),
    ):
        expected = np.zeros((6, 8), bool)
        expected[inside] = True
        assert np.array_equal(drawn([shape]), expected)


def test_a_mask_that_is_no_image():
    with pytest.raises(Unusable):
        encode_segmentation([Shape("mask", ((0, 0), (3, 3)), "AAAA")], SIZE)


def test_reading():
    shapes, faults = decode_segmentation([[0, 0, 4, 0, 0, 3], [1, 1, 3, 1, 3, 2, 1, 2]])
    assert shapes[0] == TRIANGLE
    assert [len(s.points) for s in shapes] == [3, 4]
    assert faults == []
    ((mask,), faults) = decode_segmentation({"size": [3, 3], "counts": [1, 3, 4, 1]})
    assert mask.points == ((0, 0), (2, 2))
    assert mask.pixels().tolist() == [[0, 1, 0], [1, 0, 0], [1, 0, 1]]
    assert faults == []
    nothings: list[object] = [None, [], {}, ""]
    for nothing in nothings:
        assert decode_segmentation(nothing) == ([], [])


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ([[0, 0, 4, 0]], "bad-points"),
        ([[0, 0, 4, 0, 1]], "bad-points"),
        ([[0, 0, 4, 0, 1, float("nan")]], "bad-points"),
        ([[0, 0, 4, 0, 1, 10**400]], "bad-points"),
        ([[0, 0, 4, 0, 1, None]], "bad-points"),
        ([3], "bad-points"),
        ([{"size": [3, 3]}], "bad-points"),
        ("text", "bad-points"),
        (3, "bad-points"),
        ({"size": [3, 3]}, "bad-mask"),
        ({"size": [3, 3], "counts": [8]}, "bad-mask"),
        ({"size": [3, 3], "counts": [9]}, "no-area"),
    ],
)
def test_what_cannot_be_read(content, reason):
    shapes, (fault,) = decode_segmentation(content)
    assert shapes == []
    assert fault.reason == reason


def test_one_bad_part_costs_no_other():
    shapes, faults = decode_segmentation([[0, 0, 4, 0], [0, 0, 4, 0, 0, 3]])
    assert shapes == [TRIANGLE]
    assert len(faults) == 1


def test_there_and_back():
    for shapes in ([TRIANGLE], [block(1, 2, 3, 2)]):
        assert same_shapes(
            decode_segmentation(encode_segmentation(shapes, SIZE))[0], shapes
        )
    assert not same_shapes([TRIANGLE], [TRIANGLE, TRIANGLE])
    assert not same_shapes([block(1, 2, 3, 2)], [Shape("mask", ((1, 2), (3, 4)))])
    assert same_shapes([block(1, 2, 3, 2)], [Shape("mask", ((1, 2), (3, 3)))])
    assert not same_shapes([LINE], [Shape("linestrip", LINE.points)])


def test_alike():
    assert nearly_equal([[1, 2.0]], [[1.0005, 2]])
    assert not nearly_equal([[1, 2.0]], [[1.002, 2]])
    assert not nearly_equal([[1, 2.0]], [[1, 2.0], []])
    assert nearly_equal({"counts": "a"}, {"counts": "a"})
    assert not nearly_equal([], None)
    assert not nearly_equal((1, 2), "ab")


def test_the_area_of_a_polygon_far_away():
    far = [(1e8 + x, 1e8 + y) for x, y in TRIANGLE.points]
    assert polygon_area(far) == polygon_area(TRIANGLE.points[::-1]) == 6
