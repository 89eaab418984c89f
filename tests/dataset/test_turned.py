from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from tests.dataset.conftest import facts_of
from tlkit.dataset.duplicates import Components, Pair, find
from tlkit.dataset.facts import Facts, examine
from tlkit.dataset.turned import INVERSE, TURNS, Turned, find_turned, inverse, turned

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


def test_turns_by_hand():
    grid = np.array([[1, 2], [3, 4]])
    assert turned(grid, "mirrored").tolist() == [[2, 1], [4, 3]]
    assert turned(grid, "turned by 90").tolist() == [[3, 1], [4, 2]]
    # mirrored [[2, 1], [4, 3]], then a quarter clockwise
    assert turned(grid, "mirrored, turned by 90").tolist() == [[4, 2], [3, 1]]


@pytest.mark.parametrize("turn", TURNS)
def test_every_turn_is_found_and_named(draw, hasher, turn):
    pixels = draw(0, 3, size=200)[:, :150]
    other = np.array(Image.fromarray(pixels).transpose(PILLOW[turn]))
    facts = [facts_of(pixels), facts_of(draw(1, 0, size=200)), facts_of(other)]
    pairs = find(facts, hasher)
    assert pairs == []
    (pair,) = find_turned(facts, pairs, hasher)
    assert (pair.first, pair.second, pair.kind, pair.turn) == (0, 2, "turned", turn)
    assert not pair.same
    assert find_turned(facts[::-1], [], hasher)[0].turn == inverse(turn)


def test_a_turn_and_its_inverse_cancel():
    grid = np.arange(6).reshape(2, 3)
    for turn in TURNS:
        back = turned(turned(grid, turn), inverse(turn))
        assert np.array_equal(back, grid), turn
    assert set(INVERSE) == {"turned by 90", "turned by 270"}
    assert inverse("") == ""


def test_both_thumbnails_turn(draw):
    facts = facts_of(draw(0, 0))
    laid = Turned(facts, "turned by 90")
    assert np.array_equal(laid.luma[0], facts.luma[::-1, 0])
    assert np.array_equal(laid.colour[0], facts.colour[::-1, 0])


def test_a_smaller_mirrored_copy_saved_as_jpeg(draw, tmp_path, hasher):
    picture = Image.fromarray(draw(0, 5, size=300))
    picture.save(tmp_path / "a.png")
    small = picture.transpose(T.FLIP_LEFT_RIGHT).resize((150, 150))
    small.save(tmp_path / "b.jpg", quality=40)
    facts = [examine(tmp_path, name) for name in ("a.png", "b.jpg")]
    (pair,) = find_turned([f for f in facts if isinstance(f, Facts)], [], hasher)
    assert pair.turn == "mirrored"


def test_what_is_a_copy_already_is_not_told_again(hasher):
    # A bar in the middle is its own mirror image, and so are copies of it.
    pixels = np.full((120, 120, 3), 40, np.uint8)
    pixels[20:60, 50:70] = 220
    paler = (pixels * 0.95).astype(np.uint8)
    facts = [facts_of(pixels), facts_of(paler), facts_of(pixels)]
    pairs = find(facts, hasher)
    assert {(p.first, p.second) for p in pairs} == {(0, 2), (0, 1)}
    assert find_turned(facts, pairs, hasher) == []


def test_different_drawings_are_not_turned_copies(draw, hasher):
    facts = [facts_of(draw(kind, seed)) for kind in range(3) for seed in range(40)]
    assert find_turned(facts, [], hasher) == []


def test_plain_pictures_are_no_turned_copies(hasher):
    facts = [facts_of(np.full((90, 120, 3), level, np.uint8)) for level in (0, 9, 250)]
    assert find_turned(facts, [], hasher) == []


def test_a_group_of_turned_copies_holds_together(draw, hasher):
    pixels = draw(0, 7, size=160)
    facts = [facts_of(pixels), *(facts_of(turned(pixels, turn)) for turn in TURNS)]
    found = find_turned(facts, [], hasher)
    together = Components(found)
    assert {together[i] for i in range(8)} == {0}
    assert all(isinstance(pair, Pair) for pair in found)


def test_shared_mirrored_photos(shared_data, hasher):
    root = shared_data / "duplicates" / "mixed_images"
    names = ("ukbench00120.jpg", "ukbench00120_hflip.jpg", "ukbench00120_rotation.jpg")
    looked_at = [examine(root, name) for name in names]
    facts = [one for one in looked_at if isinstance(one, Facts)]
    assert len(facts) == 3
    found = find_turned(facts, [], hasher)
    # The third is turned by some 30 degrees, which no turn by quarters gives.
    assert [(p.first, p.second, p.turn) for p in found] == [(0, 1, "mirrored")]
