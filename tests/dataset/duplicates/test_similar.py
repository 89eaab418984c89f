from __future__ import annotations

import csv

import numpy as np
import pytest
from PIL import Image

from tests.dataset.conftest import seen
from tlkit.dataset.duplicates import similar
from tlkit.dataset.duplicates.pairs import Pair
from tlkit.dataset.duplicates.similar import find_similar
from tlkit.dataset.prepare import prepare
from tlkit.errors import DatasetError, UsageError


def fan(*degrees: float):
    """Features in the plane, at such angles, of such lengths."""
    angles = np.radians(degrees)
    rows = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    rows *= np.arange(1, len(rows) + 1, dtype=np.float32)[:, None]
    return lambda root, paths: rows[: len(paths)]


def images(draw, number: int):
    return [seen(draw(0, seed), path=f"{seed}.png").info for seed in range(number)]


def test_pairs_by_their_angle(draw, tmp_path):
    info = images(draw, 4)
    found = find_similar(tmp_path, info, [], features=fan(0, 60, 15, 90), above=0.95)
    # cos 15 = 0.966 and cos 30 = 0.866
    assert [(p.first, p.second, p.kind, p.same) for p in found] == [
        (0, 2, "similar", False)
    ]
    assert found[0].distance == pytest.approx(1 - 0.966, abs=0.001)
    wider = find_similar(tmp_path, info, [], features=fan(0, 60, 15, 90), above=0.86)
    assert [(p.first, p.second) for p in wider] == [(0, 2), (1, 3)]


def test_copies_are_not_told_again_and_exact_ones_not_looked_at(draw, tmp_path):
    asked = []

    def features(root, paths):
        asked.append((root, list(paths)))
        return np.ones((len(paths), 3), np.float32)

    info = images(draw, 4)
    known = [Pair(0, 1, "exact"), Pair(0, 2, "near", 3)]
    found = find_similar(tmp_path, info, known, features)
    assert asked == [(tmp_path, ["0.png", "2.png", "3.png"])]
    assert [(p.first, p.second, p.distance) for p in found] == [(0, 3, 0), (2, 3, 0)]


def test_blocks_give_what_one_piece_gives():
    # Beyond AT_ONCE rows; expected by numpy, whole.
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(similar.AT_ONCE + 300, 8)).astype(np.float32)
    rows[1200] = rows[3] * 2
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    cosines = np.triu(unit @ unit.T, k=1)
    found = similar.similar_rows(rows, 0.97)
    pairs = {(i, j) for i, j, _ in found}
    assert (3, 1200) in pairs
    assert {tuple(p) for p in np.argwhere(cosines > 0.971).tolist()} <= pairs
    assert pairs <= {tuple(p) for p in np.argwhere(cosines > 0.969).tolist()}
    for i, j, cosine in found:
        assert cosine == pytest.approx(cosines[i, j], abs=0.001)


def test_what_cannot_be_searched(draw, tmp_path, monkeypatch):
    info = images(draw, 3)

    def search(features):
        return find_similar(tmp_path, info, [], features)

    with pytest.raises(DatasetError, match=r"got \[2, 4\]"):
        search(lambda root, paths: np.ones((2, 4), np.float32))
    with pytest.raises(DatasetError, match="finite"):
        search(lambda root, paths: np.full((3, 4), np.nan, np.float32))
    monkeypatch.setattr(similar, "MAX_IMAGES", 2)
    with pytest.raises(UsageError, match="2 at most"):
        search(fan(0, 1, 2))
    assert find_similar(tmp_path, info[:1], [], features=fan(0)) == []


def test_features_that_tell_nothing_apart(draw, tmp_path):
    # 110 images have 5,995 pairs, 50 times 110 are allowed.
    info = images(draw, 110)
    with pytest.raises(DatasetError, match="nearly all") as caught:
        find_similar(tmp_path, info, [], features=lambda r, p: np.ones((110, 2)))
    assert "--similar-above" in caught.value.hint


@pytest.fixture
def photos(draw, tmp_path):
    for kind, name in enumerate(("disc", "bar")):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for i in range(6):
            image = Image.fromarray(draw(kind, i, size=120))
            image.save(tmp_path / "photos" / name / f"{i}.png")
            if i == 0:
                mirrored = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
                mirrored.save(tmp_path / "photos" / name / "mirrored.jpg", quality=90)
    return tmp_path / "photos"


def test_prepare_groups_rotated_and_similar_images(photos, tmp_path):
    def corners(root, paths):
        """One direction each, but for bar/1 and bar/2."""
        rows = np.eye(len(paths), dtype=np.float32)
        one, two = paths.index("bar/1.png"), paths.index("bar/2.png")
        rows[two] = rows[one]
        return rows

    made = prepare(
        photos, tmp_path / "data", rotated=True, similar=corners, test=0, workers=0
    )
    groups: dict[str, set[str]] = {}
    for example in made.examples:
        groups.setdefault(example.group, set()).add(example.path)
    assert sorted(map(sorted, (g for g in groups.values() if len(g) > 1))) == [
        ["bar/0.png", "bar/mirrored.jpg"],
        ["bar/1.png", "bar/2.png"],
        ["disc/0.png", "disc/mirrored.jpg"],
    ]
    with (made.directory / "duplicates.csv").open() as file:
        rows = {(r["file"], r["kind"], r["transform"]) for r in csv.DictReader(file)}
    assert ("bar/mirrored.jpg", "rotated", "flipped") in rows
    assert ("bar/2.png", "similar", "") in rows
    assert len(rows) == 6
    assert made.info["options"]["rotated"] is True
    assert made.info["options"]["similar"] == "corners"
    assert made.info["counts"]["rotated_groups"] == 2
    assert made.info["counts"]["similar_groups"] == 1


def test_neither_is_looked_for_unasked(photos, tmp_path):
    made = prepare(photos, tmp_path / "data", test=0, workers=0)
    assert len({example.group for example in made.examples}) == 14
    assert made.info["options"]["similar"] == ""


def test_options_that_cannot_be_meant(photos, tmp_path):
    with pytest.raises(UsageError, match="--rotated and --no-near"):
        prepare(photos, tmp_path / "data", rotated=True, near=False)
    with pytest.raises(UsageError, match="similar_above"):
        prepare(photos, tmp_path / "data", similar_above=1.5)
