from __future__ import annotations

import csv
import dataclasses
import io
import itertools
import random
import tracemalloc
from collections import Counter

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from tests.dataset.conftest import looking, search, seen
from tlkit.dataset.duplicates.near import MAX_DISTANCE, neighbors
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


Pairs = list[tuple[int, int, int]]


def found(hashes: np.ndarray, radius: int) -> Pairs:
    pairs = []
    close = neighbors(hashes, hashes, after=True, max_distance=radius)
    for first, others, distances in close:
        assert others.size, "an index without others is left out"
        for other, distance in zip(others.tolist(), distances.tolist(), strict=True):
            pairs.append((first, other, distance))
    return pairs


def by_brute_force(hashes: np.ndarray, radius: int) -> Pairs:
    # every bit on its own, all with all
    bits = np.unpackbits(hashes.view(np.uint8).reshape(-1, 8), axis=1).astype(
        np.float32
    )
    distances = bits @ (1 - bits).T + (1 - bits) @ bits.T
    firsts, others = np.nonzero(np.triu(distances <= radius, k=1))
    columns = firsts, others, distances[firsts, others].astype(int)
    return list(zip(*(column.tolist() for column in columns), strict=True))


def drawn(rng: np.random.Generator, number: int) -> np.ndarray:
    return rng.integers(0, 2**64, number, np.uint64)


def flipped(rng: np.random.Generator, hashes: np.ndarray, bits: int) -> np.ndarray:
    for _ in range(bits):
        hashes = hashes ^ (np.uint64(1) << rng.integers(0, 64, len(hashes), np.uint64))
    return hashes


def test_by_hand():
    hashes = np.array([0, 0b111111, 0b1111111, 2**64 - 1, 2**64 - 2], np.uint64)
    assert found(hashes, 6) == [(0, 1, 6), (1, 2, 1), (3, 4, 1)]
    assert found(hashes, 5) == [(1, 2, 1), (3, 4, 1)]
    assert found(hashes[:1], 6) == found(hashes[:0], 6) == []


@pytest.mark.parametrize("radius", range(9))
def test_as_comparing_all_with_all(radius):
    rng = np.random.default_rng(radius)
    hashes = drawn(rng, 300)
    copies = [flipped(rng, hashes, bits) for bits in (0, 1, 3, 5, 6, 7, 8)]
    hashes = rng.permutation(np.concatenate([hashes, *copies]))
    expected = by_brute_force(hashes, radius)
    assert {distance for *_, distance in expected} == set(range(radius + 1))
    assert found(hashes, radius) == expected


@pytest.mark.parametrize("radius", range(3, 8))
def test_bits_spread_over_the_chunks_in_every_way(radius):
    """Each split of `radius` bits among four chunks of the hash."""
    rng = np.random.default_rng(0)
    splits = [s for s in np.ndindex(*[radius + 1] * 4) if sum(s) == radius]
    one = drawn(rng, len(splits))
    other = one.copy()
    for i, split in enumerate(splits):
        for chunk, count in enumerate(split):
            for bit in rng.choice(16, count, replace=False):
                other[i] ^= np.uint64(1 << int(16 * chunk + bit))
    half = len(splits)
    pairs = found(np.concatenate([one, other]), radius)
    assert [(i, half + i, radius) for i in range(half)] == pairs


def alike(rng: np.random.Generator) -> dict[str, np.ndarray]:
    some = drawn(rng, 1500)
    blank = some.copy()
    blank[rng.permutation(1500)[:500]] = 0
    return {
        "all the same": np.full(300, 2**63 + 5, np.uint64),
        "a fixed camera": flipped(rng, np.full(700, some[0]), 3),
        "one chunk for all": some & np.uint64(2**48 - 1),
        "one chunk for a few": np.where(np.arange(1500) % 40, some, some >> 16),
        "few bits in use": some & np.uint64(0x1111_1111_1111_1111),
        "a third is blank": blank,
        "blank first": np.concatenate([blank[:20] * 0, some]),
    }


def test_hashes_that_are_alike():
    for name, hashes in alike(np.random.default_rng(1)).items():
        assert found(hashes, 6) == by_brute_force(hashes, 6), name


def test_all_of_one_list_with_all_of_another():
    rng = np.random.default_rng(3)
    hashes = drawn(rng, 50)
    others = np.concatenate([flipped(rng, hashes, 2), drawn(rng, 9)])
    pairs = [
        (row, int(other), int(distance))
        for row, near, distances in neighbors(hashes, others, after=False)
        for other, distance in zip(near, distances, strict=True)
    ]
    assert [(row, other) for row, other, _ in pairs] == [(i, i) for i in range(50)]
    assert {distance for *_, distance in pairs} <= {0, 2}


def peak(hashes: np.ndarray) -> int:
    tracemalloc.start()
    try:
        for _ in neighbors(hashes, hashes, after=True):
            pass
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_memory_grows_with_the_hashes_not_with_the_pairs():
    """10,000 equal hashes make 5e7 pairs."""
    rng = np.random.default_rng(2)
    number = 10_000
    tenth = np.where(np.arange(number) % 10, drawn(rng, number), np.uint64(0))
    assert peak(drawn(rng, number)) < 20 << 20
    assert peak(tenth) < 40 << 20
    assert peak(np.zeros(10_000, np.uint64)) < 20 << 20
