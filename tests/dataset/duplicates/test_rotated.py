from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.dataset.conftest import seen
from tlkit.dataset.duplicates.find import Components, Pair, find
from tlkit.dataset.duplicates.rotated import (
    INVERSE,
    TURNS,
    find_turned,
    inverse,
    turned,
)
from tlkit.dataset.inspection.cache import ImageCache
from tlkit.dataset.inspection.image_info import Examined, examine

T = Image.Transpose
# The same by Pillow, which turns anticlockwise.
PILLOW = {
    "mirrored": T.FLIP_LEFT_RIGHT,
    "mirrored, turned by 90": T.TRANSVERSE,
    "mirrored, turned by 180": T.FLIP_TOP_BOTTOM,
    "mirrored, turned by 270": T.TRANSPOSE,
    "turned by 90": T.ROTATE_270,
    "turned by 180": T.ROTATE_180,
    "turned by 270": T.ROTATE_90,
}


def search(images, *, near: bool = False) -> tuple[list[Pair], list[Pair]]:
    """Near pairs, where looked for, and turned ones."""
    info = [replace(one.info, path=str(i)) for i, one in enumerate(images)]
    image_cache = ImageCache(Path(":memory:"))
    for one, fact in zip(images, info, strict=True):
        image_cache.add(replace(one, info=fact), 1, 1)
    pairs = find(info, image_cache if near else None)
    found = find_turned(info, pairs, image_cache)
    image_cache.close()
    return pairs, found


def test_turns_by_hand():
    grid = np.array([[1, 2], [3, 4]])
    assert turned(grid, "mirrored").tolist() == [[2, 1], [4, 3]]
    assert turned(grid, "turned by 90").tolist() == [[3, 1], [4, 2]]
    # mirrored [[2, 1], [4, 3]], then a quarter clockwise
    assert turned(grid, "mirrored, turned by 90").tolist() == [[4, 2], [3, 1]]


@pytest.mark.parametrize("turn", TURNS)
def test_every_turn_is_found_and_named(draw, turn):
    pixels = draw(0, 3, size=200)[:, :150]
    other = np.array(Image.fromarray(pixels).transpose(PILLOW[turn]))
    images = [seen(pixels), seen(draw(1, 0, size=200)), seen(other)]
    pairs, (pair,) = search(images, near=True)
    assert pairs == []
    assert (pair.first, pair.second, pair.kind, pair.turn) == (0, 2, "turned", turn)
    assert not pair.same
    assert search(images[::-1])[1][0].turn == inverse(turn)


def test_a_turn_and_its_inverse_cancel():
    grid = np.arange(6).reshape(2, 3)
    for turn in TURNS:
        back = turned(turned(grid, turn), inverse(turn))
        assert np.array_equal(back, grid), turn
    assert set(INVERSE) == {"turned by 90", "turned by 270"}
    assert inverse("") == ""


def test_a_smaller_mirrored_copy_saved_as_jpeg(draw, tmp_path):
    image = Image.fromarray(draw(0, 5, size=300))
    image.save(tmp_path / "a.png")
    small = image.transpose(T.FLIP_LEFT_RIGHT).resize((150, 150))
    small.save(tmp_path / "b.jpg", quality=40)
    looked_at = [examine(tmp_path, name) for name in ("a.png", "b.jpg")]
    _, (pair,) = search([one for one in looked_at if isinstance(one, Examined)])
    assert pair.turn == "mirrored"


def test_what_is_a_copy_already_is_not_told_again():
    # A bar in the middle is its own mirror image, and so are copies of it.
    pixels = np.full((120, 120, 3), 40, np.uint8)
    pixels[20:60, 50:70] = 220
    paler = (pixels * 0.95).astype(np.uint8)
    pairs, found = search([seen(pixels), seen(paler), seen(pixels)], near=True)
    assert {(p.first, p.second) for p in pairs} == {(0, 2), (0, 1)}
    assert found == []


def test_different_drawings_are_not_turned_copies(draw):
    images = [seen(draw(kind, seed)) for kind in range(3) for seed in range(40)]
    assert search(images)[1] == []


def test_plain_images_are_no_turned_copies():
    images = [seen(np.full((90, 120, 3), level, np.uint8)) for level in (0, 9, 250)]
    assert search(images)[1] == []


def test_a_group_of_turned_copies_holds_together(draw):
    pixels = draw(0, 7, size=160)
    images = [seen(pixels), *(seen(turned(pixels, turn)) for turn in TURNS)]
    together = Components(search(images)[1])
    assert {together[i] for i in range(8)} == {0}


def test_shared_mirrored_photos(shared_data):
    root = shared_data / "duplicates" / "mixed_images"
    names = ("ukbench00120.jpg", "ukbench00120_hflip.jpg", "ukbench00120_rotation.jpg")
    looked_at = [examine(root, name) for name in names]
    images = [one for one in looked_at if isinstance(one, Examined)]
    assert len(images) == 3
    _, found = search(images)
    # The third is turned by some 30 degrees, which no turn by quarters gives.
    assert [(p.first, p.second, p.turn) for p in found] == [(0, 1, "mirrored")]
