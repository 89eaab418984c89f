"""Masks as COCO counts them, and back: column by column, first the pixels outside.

The counts stand in a list, or in a text of six bits a character: five of the number,
the lowest first, and one that says that it goes on. From the fourth on a text holds the
difference to the count before the last.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tlkit.dataset.annotations.shapes import MAX_MASK_PIXELS
from tlkit.imaging.safe_read import Unusable

# Seven characters hold 35 bits, more than any count.
LONGEST = 7


def decode(counts: str | bytes | Sequence[int], size: Any) -> np.ndarray:
    """Read a mask."""
    try:
        height, width = size
    except (TypeError, ValueError):
        height = width = 0
    if not all(type(n) is int and n > 0 for n in (height, width)):
        raise Unusable("bad-mask", f"a mask of size {size!r}"[:100])
    if height * width > MAX_MASK_PIXELS:
        raise Unusable("bad-mask", "a mask larger than any image")
    runs = _numbers(counts) if isinstance(counts, str | bytes) else _listed(counts)
    if runs.size and (runs.min() < 0 or runs.max() > height * width):
        raise Unusable("bad-mask", "run lengths that are none")
    if (total := int(runs.sum())) != height * width:
        detail = f"run lengths for {total} pixels, it has {height * width}"
        raise Unusable("bad-mask", detail)
    inside = np.arange(runs.size) % 2 == 1
    return np.repeat(inside, runs).reshape(width, height).T


def encode(inside: np.ndarray) -> list[int]:
    """Count a mask."""
    pixels = inside.ravel(order="F")
    edges = np.flatnonzero(np.diff(pixels, prepend=False)).tolist()
    runs: list[int] = np.diff([0, *edges, pixels.size]).tolist()
    return runs


def compress(runs: Sequence[int]) -> str:
    """Write counts as a text."""
    numbers = np.array(runs, np.int64)
    numbers[3:] -= np.array(runs[1:-2], np.int64)
    shifts = 5 * np.arange(LONGEST)
    digits = numbers[:, None] >> shifts
    # The last digit is the first whose sign bit says all that would follow.
    rest, sign = digits >> 5, (digits >> 4) & 1
    last = np.argmax(rest == -sign, axis=1)
    place = np.arange(LONGEST)
    codes = (digits & 31) + 32 * (place < last[:, None]) + 48
    return bytes(codes[place <= last[:, None]].tolist()).decode("ascii")


def _listed(counts: Any) -> np.ndarray:
    try:
        runs = np.array(counts)
    except (TypeError, ValueError) as error:
        raise Unusable("bad-mask", "run lengths that are no list") from error
    if runs.ndim != 1 or runs.dtype.kind not in "iu":
        raise Unusable("bad-mask", "run lengths that are no whole numbers")
    return runs.astype(np.int64)


def _numbers(counts: str | bytes) -> np.ndarray:
    try:
        text = counts.encode("ascii") if isinstance(counts, str) else counts
    except UnicodeEncodeError as error:
        raise Unusable("bad-mask", "run lengths that are no text of COCO's") from error
    codes = np.frombuffer(text, np.uint8).astype(np.int64) - 48
    ends = np.flatnonzero(codes & 32 == 0)
    foreign = codes.size and (codes.min() < 0 or codes.max() > 63)
    if foreign or not ends.size or ends[-1] != codes.size - 1:
        raise Unusable("bad-mask", "run lengths that are no text of COCO's")
    starts = np.concatenate([[0], ends[:-1] + 1])
    lengths = ends - starts + 1
    if lengths.max() > LONGEST:
        raise Unusable("bad-mask", "run lengths that are none")
    place = np.arange(codes.size) - np.repeat(starts, lengths)
    numbers = np.add.reduceat((codes & 31) << 5 * place, starts)
    numbers -= np.where(codes[ends] & 16, np.int64(1) << 5 * lengths, 0)
    # Differences become counts, each parity on its own.
    numbers[1::2] = np.cumsum(numbers[1::2])
    numbers[2::2] = np.cumsum(numbers[2::2])
    return numbers
