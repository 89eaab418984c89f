from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from tlkit.dataset.duplicates import neighbors as module
from tlkit.dataset.duplicates.neighbors import MAX_RADIUS, neighbors

Pairs = list[tuple[int, int, int]]


def found(hashes: np.ndarray, radius: int) -> Pairs:
    pairs = []
    for first, others, distances in neighbors(hashes, radius):
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


@pytest.mark.parametrize("radius", range(MAX_RADIUS + 1))
def test_as_comparing_all_with_all(radius):
    rng = np.random.default_rng(radius)
    hashes = drawn(rng, 300)
    copies = [flipped(rng, hashes, bits) for bits in (0, 1, 3, 5, 6, 7, 8)]
    hashes = rng.permutation(np.concatenate([hashes, *copies]))
    expected = by_brute_force(hashes, radius)
    assert {distance for *_, distance in expected} == set(range(radius + 1))
    assert found(hashes, radius) == expected


@pytest.mark.parametrize("radius", range(3, MAX_RADIUS + 1))
def test_bits_spread_over_the_chunks_in_every_way(radius):
    """Each split of `radius` bits among four chunks, the hardest case of the rule."""
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


@pytest.mark.parametrize("rows", [7, 512])
@pytest.mark.parametrize("comparisons", [1, 1000])
@pytest.mark.parametrize("lookup", [0, 20])
def test_hashes_that_are_alike(monkeypatch, rows, comparisons, lookup):
    """However the work is cut and whichever way is taken: the same pairs."""
    monkeypatch.setattr(module, "ROWS", rows)
    monkeypatch.setattr(module, "COMPARISONS", comparisons)
    monkeypatch.setattr(module, "LOOKUP", lookup)
    for name, hashes in alike(np.random.default_rng(1)).items():
        chosen = hashes[:200] if comparisons == 1 else hashes
        assert found(chosen, 6) == by_brute_force(chosen, 6), name


def peak(hashes: np.ndarray) -> int:
    tracemalloc.start()
    try:
        for _ in neighbors(hashes, 6):
            pass
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_memory_grows_with_the_hashes_not_with_the_pairs():
    """20,000 equal hashes make 2e8 pairs; a tenth of 60,000 is just not too many."""
    rng = np.random.default_rng(2)
    number = 60_000
    tenth = np.where(np.arange(number) % 10, drawn(rng, number), np.uint64(0))
    assert peak(drawn(rng, number)) < 20 << 20
    assert peak(tenth) < 40 << 20
    assert peak(np.zeros(20_000, np.uint64)) < 20 << 20


def test_a_radius_too_large_for_the_tables():
    with pytest.raises(ValueError, match=r"0 to 7. Received: 8"):
        found(np.zeros(2, np.uint64), MAX_RADIUS + 1)
