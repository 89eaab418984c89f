"""Hashes of 64 bits in, those that differ in few bits out; none is missed.

Multi-index hashing (Norouzi, Punjani and Fleet, 2012). A hash is cut into four chunks.
Two hashes that differ in two bits or more in each of r - 3 chunks, and in one or more
in each of the others, differ in more than r bits. So hashes within r bits of each other
agree up to one bit in one of these r - 3 chunks, or agree in one of the others. Who has
which value in a chunk is looked up in a table, and what is found is compared whole.

With r = 6, hashes without structure are compared with one in 1,260 of the others. Where
they are so alike that comparing all with all is quicker, that is done.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np

CHUNKS = 4
BITS = 16
MAX_RADIUS = 2 * CHUNKS - 1
# Rows that are searched at once, and comparisons that are held in memory at once.
ROWS = 512
COMPARISONS = 1 << 18
# Comparing what was looked up takes as long as so many comparisons along the list.
LOOKUP = 20

# An index, others, distances.
Found = tuple[int, np.ndarray, np.ndarray]


def neighbors(hashes: np.ndarray, radius: int) -> Iterator[Found]:
    """Find hashes that differ in few bits."""
    if not 0 <= radius <= MAX_RADIUS:
        raise ValueError(f"radius is 0 to {MAX_RADIUS}. Received: {radius}.")
    table = _Table(hashes, radius)
    for begin in range(0, len(hashes), ROWS):
        end = min(begin + ROWS, len(hashes))
        yield from _search(table, begin, end)
        table.forget(begin, end)


class _Table:
    """Where the hashes with a certain value in a certain chunk are."""

    def __init__(self, hashes: np.ndarray, radius: int) -> None:
        self.hashes = np.ascontiguousarray(hashes, np.uint64)
        self.radius = radius
        chunks = self.hashes.view(np.uint16).reshape(-1, CHUNKS)
        # Hashes by the value of the first chunk, then all of them by that of the
        # second, and so on; within a value, by index.
        self.order = np.argsort(chunks, axis=0, kind="stable").T.ravel()
        self.sorted = self.hashes[self.order]
        # A bucket is a value of a chunk, numbered through all chunks.
        self.buckets = chunks + (np.arange(CHUNKS) << BITS)
        sizes = np.bincount(self.buckets.ravel(), minlength=CHUNKS << BITS)
        self.ends = np.cumsum(sizes)
        self.starts = self.ends - sizes
        one_bit = [1 << bit for bit in range(BITS)]
        flips = [[0] + one_bit * (chunk < radius - 3) for chunk in range(CHUNKS)]
        self.chunk = np.repeat(np.arange(CHUNKS), [len(own) for own in flips])
        self.flip = np.array([flip for own in flips for flip in own])

    def look_up(self, begin: int, end: int) -> tuple[np.ndarray, np.ndarray]:
        """Find out where in `sorted` the hashes to compare with lie."""
        buckets = self.buckets[begin:end, self.chunk] ^ self.flip
        starts = self.starts[buckets]
        return starts, self.ends[buckets] - starts

    def forget(self, begin: int, end: int) -> None:
        """Leave rows out of what is looked up from now on."""
        np.add.at(self.starts, self.buckets[begin:end].ravel(), 1)


def _search(table: _Table, begin: int, end: int) -> Iterator[Found]:
    starts, lengths = table.look_up(begin, end)
    comparisons = int(lengths.sum())
    if comparisons * LOOKUP > (end - begin) * (len(table.hashes) - begin):
        for row in range(begin, end):
            yield from _compare_all(table, row)
    elif comparisons > COMPARISONS and end - begin > 1:
        middle = (begin + end) // 2
        yield from _search(table, begin, middle)
        yield from _search(table, middle, end)
    else:
        yield from _compare(table, begin, starts, lengths)


def _compare_all(table: _Table, row: int) -> Iterator[Found]:
    distances = np.bitwise_count(table.hashes[row + 1 :] ^ table.hashes[row])
    near = np.flatnonzero(distances <= table.radius)
    if near.size:
        yield row, near + row + 1, distances[near]


def _compare(
    table: _Table, begin: int, starts: np.ndarray, lengths: np.ndarray
) -> Iterator[Found]:
    rows = np.repeat(np.arange(begin, begin + len(starts)), lengths.sum(axis=1))
    lengths = lengths.ravel()
    gaps = starts.ravel() - (np.cumsum(lengths) - lengths)
    places = np.arange(len(rows)) + np.repeat(gaps, lengths)
    distances = np.bitwise_count(table.sorted[places] ^ table.hashes[rows])
    near = np.flatnonzero(distances <= table.radius)
    rows, others, distances = rows[near], table.order[places[near]], distances[near]
    # Rows find themselves, each other twice, and others by several chunks.
    pairs = rows * len(table.hashes) + others
    chosen = np.unique(pairs, return_index=True)[1]
    chosen = chosen[others[chosen] > rows[chosen]]
    rows, others, distances = rows[chosen], others[chosen], distances[chosen]
    borders = np.flatnonzero(np.diff(rows, prepend=-1, append=-1))
    for first, last in itertools.pairwise(borders):
        yield int(rows[first]), others[first:last], distances[first:last]
