from __future__ import annotations

import dataclasses
import tracemalloc

import numpy as np
import pytest
from PIL import Image

from tests.dataset.conftest import seen
from tlkit.dataset.duplicates.compare import MAX_SPOT_SAME, difference, neighbors
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
