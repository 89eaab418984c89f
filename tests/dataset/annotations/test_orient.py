from __future__ import annotations

import numpy as np
import pytest

from tests.dataset.splitting.test_examples import boxed, info_of, record
from tlkit.dataset.annotations.orient import upright_page
from tlkit.dataset.annotations.shapes import Shape, mask_shape
from tlkit.dataset.formats import Annotation, ImageRecord, Rejected


def turned(
    one: ImageRecord, orientation: int, width=80, height=100
) -> ImageRecord | Rejected:
    return upright_page(one, info_of(one.path, width, height, orientation))


def test_what_was_drawn_on_the_upright_image_stays():
    for one in (
        record(boxed("a"), size=(80, 100)),
        record(boxed("a")),
        record(size=(9, 9)),
    ):
        assert turned(one, 6) is one


def test_what_was_drawn_on_the_stored_image_is_turned():
    # stored 100 x 80; EXIF 6: upright is 80 x 100, (x, y) goes to (80 - y, x)
    obj = boxed("a", (10, 20, 30, 60), told=(10, 20, 30, 61))
    found = turned(record(obj, size=(100, 80)), 6)
    assert isinstance(found, ImageRecord)
    assert found.size == (80, 100)
    assert found.objects[0].shapes[0].bounds == (20, 10, 60, 30)
    assert found.objects[0].told == (19, 10, 60, 30)
    assert found.objects[0].label == "a"


@pytest.mark.parametrize(
    ("size", "orientation"), [((100, 80), 1), ((100, 80), 3), ((99, 80), 6)]
)
def test_what_was_drawn_on_another_image(size, orientation):
    found = turned(record(boxed("a"), size=size), orientation)
    assert isinstance(found, Rejected)
    assert (found.file, found.reason) == ("1.json", "size-mismatch")
    assert found.detail == f"Drawn on {size[0]} x {size[1]} pixels, the image has " + (
        "80 x 100."
    )


def test_a_mask_that_cannot_be_turned():
    broken = Annotation("a", (Shape.make("mask", [[0, 0], [4, 4]], "abc"),))
    found = turned(record(broken, size=(100, 80)), 8)
    assert isinstance(found, Rejected)
    assert (found.file, found.reason) == ("1.json", "bad-mask")
    whole = Annotation("a", (mask_shape(np.ones((5, 9), bool)),))
    found = turned(record(whole, size=(100, 80)), 8)
    assert isinstance(found, ImageRecord)
    # EXIF 8: (x, y) goes to (y, 100 - x)
    assert found.objects[0].bounds == (0, 91, 5, 100)
