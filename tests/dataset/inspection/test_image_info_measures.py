from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageFilter

from tlkit.dataset.inspection.image_info import Examined, examine, measure, sharpness


def test_a_plain_image_with_a_frame():
    luma = np.full((128, 128), 40, np.uint8)
    luma[:, 64:] = 60
    color = np.zeros((32, 32, 3), np.uint8)
    color[0, :] = (124, 248, 0)
    told = measure(luma, color)
    assert told["brightness"] == 50
    assert told["contrast"] == 10
    # 32 of the 124 pixels of the edge have that color
    assert told["border"] == (32, 64, 0)


def test_sharpness_by_hand():
    assert sharpness(np.full((8, 8), 200, np.uint8)) == 0
    # A checkerboard of 0 and 1: each gradient is 1, each Laplacian 4 or -4.
    board = (np.indices((8, 8)).sum(axis=0) % 2).astype(np.uint8)
    assert sharpness(board) == pytest.approx(16 / 3)


def test_sharpness_is_of_the_shapes_and_not_of_the_contrast(draw):
    image = Image.fromarray(draw(2, 1, 128)).convert("L")
    sharp = np.array(image)
    pale = (sharp // 3 + 80).astype(np.uint8)
    soft = np.array(image.filter(ImageFilter.GaussianBlur(2)))
    assert sharpness(pale) == pytest.approx(sharpness(sharp), rel=0.15)
    assert sharpness(soft) < sharpness(sharp) / 3


def test_facts_have_them(tmp_path):
    Image.new("RGB", (50, 40), (10, 200, 30)).save(tmp_path / "a.png")
    examined = examine(tmp_path, "a.png")
    assert isinstance(examined, Examined)
    info = examined.info
    assert info.border == (10, 200, 30)
    assert info.brightness == pytest.approx(0.299 * 10 + 0.587 * 200 + 0.114 * 30, 0.01)
    assert info.contrast == 0
    assert info.sharpness == 0
