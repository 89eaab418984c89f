"""The plan for a million pictures, in small; a part of `tests.benchmarks.prepare`.

At 19 KB a picture, thumbnails are what a large set needs memory for. Here they lie in
a mapped file, and all that comes after the reading runs on them as it stands.
"""

from __future__ import annotations

import time
import tracemalloc
from pathlib import Path

import numpy as np

from tlkit.dataset.duplicates import find
from tlkit.dataset.facts import COLOUR_SIDE, LUMA_SIDE, Facts
from tlkit.dataset.hashing import Hasher

# Every so many pictures one is a near copy of the one before.
COPIED = 20
FIELDS = 16


def mapped(number: int, place: Path) -> dict[str, float]:
    """Write thumbnails to a file and find the copies among them."""
    began = time.perf_counter()
    facts = drawn(number, place)
    written = time.perf_counter()
    with Hasher() as hasher:
        hasher.hashes([facts[0].luma])  # until it is loaded
        loaded = time.perf_counter()
        tracemalloc.start()
        pairs = find(facts, hasher)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    seconds = time.perf_counter() - loaded
    place.unlink()
    if len(pairs) < number // COPIED - 1:
        raise RuntimeError(f"Only {len(pairs)} copies were found again.")
    return {
        "pictures": number,
        "write": written - began,
        "find": seconds,
        "pairs": len(pairs),
        "bytes": peak,
    }


def drawn(number: int, place: Path) -> list[Facts]:
    """Pictures of random fields whose thumbnails are in a file."""
    rng = np.random.default_rng(0)
    shape = (number, LUMA_SIDE, LUMA_SIDE)
    # As an ndarray: rows of a memmap would remain memmaps, which are slow to slice.
    lumas = np.asarray(np.memmap(place, np.uint8, "w+", shape=shape))
    colour = np.zeros((COLOUR_SIDE, COLOUR_SIDE, 3), np.uint8)
    side = LUMA_SIDE // FIELDS
    for i, luma in enumerate(lumas):
        if i % COPIED == COPIED - 1:
            luma[:] = lumas[i - 1] & 0xFC
        else:
            fields = rng.integers(0, 256, (FIELDS, FIELDS), np.uint8)
            luma[:] = fields.repeat(side, axis=0).repeat(side, axis=1)
    return [
        Facts(str(i), "", str(i), 1, 1, "PNG", luma=luma, colour=colour)
        for i, luma in enumerate(lumas)
    ]


def print_line(figures: dict[str, float]) -> None:
    """One line of Markdown."""
    number = figures["pictures"]
    print(
        f"\nThumbnails of {number:,} pictures in a file: written in "
        f"{figures['write']:.1f} s; {figures['pairs']:,} near copies found in "
        f"{figures['find']:.1f} s, {figures['find'] / number * 1e3:.2f} ms a picture; "
        f"peak {figures['bytes'] / 1e6:.0f} MB beside the file."
    )
