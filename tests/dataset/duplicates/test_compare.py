from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from PIL import Image

from tests.dataset.conftest import seen
from tlkit.dataset.duplicates.compare import MAX_SPOT_SAME, difference
from tlkit.dataset.inspection.image_info import Thumbnails


def test_color_tells_apart_but_not_from_a_gray_copy(draw):
    pixels = np.full((100, 100, 3), 60, np.uint8)
    pixels[30:70, 30:70] = (200, 40, 40)
    other = np.full((100, 100, 3), 60, np.uint8)
    # as bright as the red: 0.299 * 200 + 0.701 * 40 = 87.8 = 0.587 * 121 + 0.413 * 40
    other[30:70, 30:70] = (40, 121, 40)
    gray = np.repeat(np.array(Image.fromarray(pixels).convert("L"))[..., None], 3, 2)
    red = seen(pixels)
    assert difference(red.thumbnails, seen(other).thumbnails) == float("inf")
    assert difference(red.thumbnails, seen(gray).thumbnails) < 2


def test_a_small_mark_tells_apart(draw):
    pixels = draw(0, 0, size=256)
    marked = pixels.copy()
    marked[100:110, 200:212] = 0
    marked[100:110, 40:52] = 255
    spot = difference(seen(pixels).thumbnails, seen(marked).thumbnails)
    assert spot > MAX_SPOT_SAME


def test_difference_by_hand():
    base = np.zeros((128, 128), np.uint8)
    base[:, 40:80] = 200
    gray = np.zeros((32, 32, 3), np.uint8)
    one = Thumbnails(base, gray)
    assert difference(one, one) == 0

    def swapped(side: int) -> Thumbnails:
        # as much white on black as black on white: neither mean nor deviation changes
        luma = base.copy()
        luma[20 : 20 + side, 20 : 20 + side] = 200
        luma[20 : 20 + side, 60 : 60 + side] = 0
        return dataclasses.replace(one, luma=luma)

    assert difference(one, swapped(1)) == pytest.approx(200 / 9, rel=1e-4)
    assert difference(one, swapped(3)) == pytest.approx(200, rel=1e-4)
    shifted = dataclasses.replace(one, luma=np.roll(base, 1, axis=1))
    assert difference(one, shifted) == pytest.approx(0, abs=1e-3)
    half = dataclasses.replace(one, luma=base // 2)
    assert difference(one, half) == float("inf")
    reverse = dataclasses.replace(one, luma=200 - base)
    assert difference(one, reverse) == float("inf")
