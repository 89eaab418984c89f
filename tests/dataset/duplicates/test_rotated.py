from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from tests.dataset.conftest import search, seen
from tlkit.dataset.duplicates.pairs import INVERSE, Components, Pair, inverse
from tlkit.dataset.duplicates.rotated import TRANSFORMS, transformed
from tlkit.dataset.inspection.image_info import Inspected, inspect_image

T = Image.Transpose
# The same by Pillow, which rotates anticlockwise.
PILLOW = {
    "flipped": T.FLIP_LEFT_RIGHT,
    "flipped, rotated by 90": T.TRANSVERSE,
    "flipped, rotated by 180": T.FLIP_TOP_BOTTOM,
    "flipped, rotated by 270": T.TRANSPOSE,
    "rotated by 90": T.ROTATE_270,
    "rotated by 180": T.ROTATE_180,
    "rotated by 270": T.ROTATE_90,
}


def rotated(images, *, near: bool = False) -> list[Pair]:
    """The pairs that the search for rotated duplicates adds."""
    return [p for p in search(images, near=near, rotated=True) if p.kind == "rotated"]


def test_transforms_by_hand():
    grid = np.array([[1, 2], [3, 4]])
    assert transformed(grid, "flipped").tolist() == [[2, 1], [4, 3]]
    assert transformed(grid, "rotated by 90").tolist() == [[3, 1], [4, 2]]
    # flipped [[2, 1], [4, 3]], then a quarter clockwise
    assert transformed(grid, "flipped, rotated by 90").tolist() == [[4, 2], [3, 1]]


@pytest.mark.parametrize("transform", TRANSFORMS)
def test_every_transform_is_found_and_named(draw, transform):
    pixels = draw(0, 3, size=200)[:, :150]
    other = np.array(Image.fromarray(pixels).transpose(PILLOW[transform]))
    images = [seen(pixels), seen(draw(1, 0, size=200)), seen(other)]
    (pair,) = search(images, rotated=True)
    assert (pair.first, pair.second, pair.kind) == (0, 2, "rotated")
    assert pair.transform == transform
    assert not pair.same
    assert rotated(images[::-1])[0].transform == inverse(transform)


def test_a_transform_and_its_inverse_cancel():
    grid = np.arange(6).reshape(2, 3)
    for transform in TRANSFORMS:
        back = transformed(transformed(grid, transform), inverse(transform))
        assert np.array_equal(back, grid), transform
    assert set(INVERSE) == {"rotated by 90", "rotated by 270"}
    assert inverse("") == ""


def test_a_smaller_flipped_image_saved_as_jpeg(draw, tmp_path):
    image = Image.fromarray(draw(0, 5, size=300))
    image.save(tmp_path / "a.png")
    small = image.transpose(T.FLIP_LEFT_RIGHT).resize((150, 150))
    small.save(tmp_path / "b.jpg", quality=40)
    looked_at = [inspect_image(tmp_path, name) for name in ("a.png", "b.jpg")]
    (pair,) = rotated([one for one in looked_at if isinstance(one, Inspected)])
    assert pair.transform == "flipped"


def test_what_is_a_duplicate_already_is_not_found_again():
    # A bar in the middle is its own mirror image, and so are copies of it.
    pixels = np.full((120, 120, 3), 40, np.uint8)
    pixels[20:60, 50:70] = 220
    paler = (pixels * 0.95).astype(np.uint8)
    pairs = search([seen(pixels), seen(paler), seen(pixels)], rotated=True)
    assert {(p.first, p.second, p.kind) for p in pairs} == {
        (0, 2, "exact"),
        (0, 1, "near"),
    }


def test_different_drawings_are_not_rotated_duplicates(draw):
    images = [seen(draw(kind, seed)) for kind in range(3) for seed in range(40)]
    assert rotated(images) == []


def test_plain_images_are_not_rotated_duplicates():
    images = [seen(np.full((90, 120, 3), level, np.uint8)) for level in (0, 9, 250)]
    assert rotated(images) == []


def test_a_group_of_rotated_duplicates_holds_together(draw):
    pixels = draw(0, 7, size=160)
    images = [seen(pixels), *(seen(transformed(pixels, way)) for way in TRANSFORMS)]
    together = Components(rotated(images))
    assert {together[i] for i in range(8)} == {0}


def test_shared_flipped_photos(shared_data):
    root = shared_data / "duplicates" / "mixed_images"
    names = ("ukbench00120.jpg", "ukbench00120_hflip.jpg", "ukbench00120_rotation.jpg")
    looked_at = [inspect_image(root, name) for name in names]
    images = [one for one in looked_at if isinstance(one, Inspected)]
    assert len(images) == 3
    found = rotated(images)
    # The third is rotated by some 30 degrees, which no transform gives.
    assert [(p.first, p.second, p.transform) for p in found] == [(0, 1, "flipped")]
