"""How the search for near hashes grows; a part of `tests.benchmarks.prepare`.

Hashes are made by pHash's rule, with near-duplicates among them, and compared all
with all by `neighbors`.
"""

from __future__ import annotations

import itertools
import math
import statistics
import time
import tracemalloc
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from tlkit.dataset.duplicates.compare import neighbors
from tlkit.workers import in_order

COPIES = 0.1
AT_ONCE = 10_000


def measured(size: int) -> dict[str, Any]:
    """Figures of a search, in a process of its own."""
    return next(in_order(searched, [size], workers=1))


def searched(size: int) -> dict[str, Any]:
    """Seconds, pairs, and peak bytes beside the hashes themselves."""
    hashes = generated(size)
    figures: dict[str, Any] = {"hashes": size}
    seconds = []
    for _ in range(3):
        began = time.perf_counter()
        figures["pairs"] = count(neighbors(hashes, hashes, after=True))
        seconds.append(time.perf_counter() - began)
    figures["seconds"] = statistics.median(seconds)
    tracemalloc.start()
    count(neighbors(hashes, hashes, after=True))
    figures["bytes"] = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return figures


def generated(size: int) -> np.ndarray:
    """Hashes uint64 [size] as of random images, a tenth of them copies of others.

    pHash sets those of 64 coefficients that reach the median of the last 63; the first
    one, the mean, always does. Copies have up to eight bits changed.
    """
    rng = np.random.default_rng(size)
    parts = []
    for begin in range(0, size, AT_ONCE):
        waves = rng.normal(size=(min(AT_ONCE, size - begin), 64))
        bits = waves >= np.median(waves[:, 1:], axis=1, keepdims=True)
        bits[:, 0] = True
        parts.append(np.packbits(bits, axis=1).view(">u8")[:, 0])
    hashes = np.concatenate(parts).astype(np.uint64)
    copies, originals = rng.choice(size, (2, round(size * COPIES)))
    changed = hashes[originals]
    changes = rng.integers(0, 9, len(changed))
    for change in range(8):
        bit = np.uint64(1) << rng.integers(0, 64, len(changed), np.uint64)
        changed ^= np.where(change < changes, bit, np.uint64(0))
    hashes[copies] = changed
    return hashes


def count(found: Iterable[tuple[int, np.ndarray, np.ndarray]]) -> int:
    """How many pairs were found."""
    return sum(len(others) for _, others, _ in found)


def print_table(rows: Sequence[dict[str, Any]]) -> None:
    """A Markdown table, with the exponent by which the time grew from row to row."""
    exponents = [""]
    for small, large in itertools.pairwise(rows):
        longer = math.log(large["seconds"] / small["seconds"])
        exponents.append(f"{longer / math.log(large['hashes'] / small['hashes']):.2f}")
    print("| hashes | pairs | seconds | exponent | peak MB |")
    print("|---|---|---|---|---|")
    for row, exponent in zip(rows, exponents, strict=False):
        print(
            f"| {row['hashes']:,} | {row['pairs']:,} | {row['seconds']:.3f} "
            f"| {exponent} | {row['bytes'] / 1e6:.0f} |"
        )
