from __future__ import annotations

import csv
import dataclasses
import io
import itertools
import random
from collections import Counter

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from tests.dataset.conftest import looking, search, seen
from tlkit.dataset.duplicates.compare import MAX_DISTANCE
from tlkit.dataset.duplicates.pairs import Components, Pair
from tlkit.dataset.inspection.image_info import Inspected, inspect_image


def relit(one: Inspected, luma: np.ndarray, checksum: str) -> Inspected:
    """The same image with another gray thumbnail."""
    info = dataclasses.replace(one.info, pixel_sha256=checksum)
    return looking(info, dataclasses.replace(one.thumbnails, luma=luma))


def jpeg(image: Image.Image, quality: int) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return Image.open(buffer).convert("RGB")


CHANGES = {
    "jpeg": lambda image: jpeg(image, 20),
    "halved": lambda image: image.resize((image.width // 2, image.height // 2)),
    "squashed": lambda image: image.resize((90, 90)),
    "gray": lambda image: image.convert("L").convert("RGB"),
    "brighter": lambda image: ImageEnhance.Brightness(image).enhance(1.08),
    "contrast": lambda image: ImageEnhance.Contrast(image).enhance(1.1),
}


@pytest.mark.parametrize("change", CHANGES)
def test_changed_copies_are_near(draw, change):
    for seed in range(4):
        original = Image.fromarray(draw(seed, seed, size=200))
        copy = np.array(CHANGES[change](original))
        pairs = search([seen(np.array(original)), seen(copy)])
        assert [(p.kind, p.same) for p in pairs] == [("near", True)]
        assert pairs[0].distance <= MAX_DISTANCE


def test_different_drawings_are_not(draw):
    info = [seen(draw(kind, seed)) for kind in range(3) for seed in range(60)]
    assert search(info) == []


def test_exact_copies_need_no_hash(draw):
    a, b = seen(draw(0, 0)), seen(draw(0, 1))
    pairs = search([a, b, a, a], near=False)
    assert pairs == [Pair(0, 2, "exact"), Pair(0, 3, "exact")]
    assert search([], near=False) == []


def test_plain_images_are_only_ever_exact_copies():
    rng = np.random.default_rng(0)
    scans = []
    for level in (255, 254, 250, 128, 0):
        scans.append(seen(np.full((90, 120, 3), level, np.uint8)))
    for _ in range(6):
        paper = rng.normal(245, 3, (90, 120, 1)).clip(0, 255).astype(np.uint8)
        scans.append(seen(np.repeat(paper, 3, axis=2)))
    pairs = search([*scans, scans[0]])
    assert pairs == [Pair(0, 11, "exact")]


def test_pale_images_with_something_on_them_are_told_apart():
    def record(x: int, y: int) -> np.ndarray:
        pixels = np.full((200, 200, 3), 250, np.uint8)
        pixels[y : y + 20, x : x + 40] = 90
        return pixels

    places = itertools.product(range(10, 160, 50), range(10, 180, 60))
    records = [seen(record(x, y)) for x, y in places]
    assert search(records) == []


def test_what_looks_alike_but_is_not_the_same(draw):
    plain = seen(draw(0, 0, size=128))
    luma = plain.thumbnails.luma
    row, column = np.unravel_index(luma[2:-2, 2:-2].argmin(), (124, 124))
    info = [plain]
    for side in (1, 3):  # a light spot of about 200 / 9 and of 200 levels on the dark
        luma = plain.thumbnails.luma.copy()
        level = luma[row + 2, column + 2] + 200
        luma[row + 2 : row + 2 + side, column + 2 : column + 2 + side] = level
        info.append(relit(plain, luma, str(side)))
    pairs = search(info)
    assert [(p.first, p.second, p.same) for p in pairs] == [(0, 1, False)]


def test_components():
    together = Components([Pair(4, 5, "near"), Pair(1, 4, "near"), Pair(7, 8, "near")])
    assert [together[i] for i in range(9)] == [0, 1, 2, 3, 1, 1, 6, 7, 7]
    long = Components(Pair(i, i + 1, "near") for i in range(4999, -1, -1))
    assert {long[i] for i in range(5001)} == {0}


def test_the_order_of_images_has_no_influence(draw):
    images = {f"{i}": Image.fromarray(draw(0, i, size=128)) for i in range(8)}
    images |= {f"{i}g": images[f"{i}"].convert("L") for i in range(4)}
    info = [seen(np.array(p.convert("RGB")), n) for n, p in images.items()]

    def together(chosen: list[Inspected]) -> set[frozenset[str]]:
        return {
            frozenset((chosen[p.first].info.path, chosen[p.second].info.path))
            for p in search(chosen)
        }

    expected = {frozenset((f"{i}", f"{i}g")) for i in range(4)}
    assert together(info) == expected
    random.Random(0).shuffle(info)
    assert together(info) == expected


def test_handwritten_digits_are_not_chained():
    """Many digits are alike; a class must not become one group through these."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    info = []
    for values in digits.images:
        small = Image.fromarray((values * 255 / 16).astype(np.uint8))
        large = small.resize((64, 64), Image.Resampling.BICUBIC).convert("RGB")
        info.append(seen(np.array(large)))
    assert len(info) == 1797
    assert search(info) == []


def test_images_of_one_scene_are_quick(draw):
    """Thousands of frames of a fixed camera are all neighbors by their hashes."""
    rng = np.random.default_rng(0)
    scene = Image.fromarray(draw(0, 0, size=128))
    base = seen(np.array(scene))
    frames = []
    for i in range(600):
        noise = rng.integers(0, 3, base.thumbnails.luma.shape).astype(np.uint8)
        luma = np.clip(base.thumbnails.luma.astype(int) + noise, 0, 255).astype(
            np.uint8
        )
        frames.append(relit(base, luma, str(i)))
    pairs = search(frames)
    assert len(pairs) == 599
    assert Components(pairs)[599] == 0


def test_shared_duplicates(shared_data):
    """Against truth.csv: every exact pair, no pair that is none, near pairs counted."""
    root = shared_data / "duplicates"
    paths = sorted(p.relative_to(root).as_posix() for p in root.rglob("*.*"))
    looked_at = [inspect_image(root, path) for path in paths]
    images = [one for one in looked_at if isinstance(one, Inspected)]
    index = {one.info.path: i for i, one in enumerate(images)}
    assert len(images) == 29
    pairs = search(images)
    exact = Components(pair for pair in pairs if pair.kind == "exact")
    any_kind = Components(pairs)
    found: Counter[tuple[str, str]] = Counter()
    with (root / "truth.csv").open() as file:
        for row in csv.DictReader(file):
            first, second = index.get(row["file_a"]), index.get(row["file_b"])
            if first is None or second is None:
                kind = "unreadable"
            elif exact[first] == exact[second]:
                kind = "exact"
            else:
                kind = "near" if any_kind[first] == any_kind[second] else "apart"
            found[row["relation"], kind] += 1
    assert found == {
        ("exact", "exact"): 19,
        ("exact", "unreadable"): 1,  # listed as copies all the same, by prepare
        ("near", "near"): 16,
        ("transformed", "apart"): 12,
        ("not_duplicate", "apart"): 45,
    }
