"""COCO's run-length encoding of masks: column by column, first the pixels outside.

The counts are a list, or a text of six bits a character: five of the number, the lowest
first, and one for "more follows". From the fourth count on, a text holds the difference
to the count before the last.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tlkit.dataset.annotations.shapes import MAX_MASK_PIXELS
from tlkit.imaging.safe_read import Unusable

# Characters of a count: they hold 35 bits, more than any count has.
MAX_DIGITS = 7


def decode(counts: str | bytes | Sequence[int], size: Any) -> np.ndarray:
    """Return the mask, bool [H, W], of counts and size (height, width)."""
    try:
        height, width = size
    except (TypeError, ValueError):
        height = width = 0
    if not all(type(n) is int and n > 0 for n in (height, width)):
        raise Unusable("bad-mask", f"a mask of size {size!r}"[:100])
    if height * width > MAX_MASK_PIXELS:
        raise Unusable("bad-mask", "a mask larger than any image")
    runs = _from_text(counts) if isinstance(counts, str | bytes) else _from_list(counts)
    if runs.size and (runs.min() < 0 or runs.max() > height * width):
        raise Unusable("bad-mask", "run lengths out of range")
    if (total := int(runs.sum())) != height * width:
        detail = f"run lengths for {total} pixels, it has {height * width}"
        raise Unusable("bad-mask", detail)
    inside = np.arange(runs.size) % 2 == 1
    return np.repeat(inside, runs).reshape(width, height).T


def encode(inside: np.ndarray) -> list[int]:
    """Return the run lengths of a mask, bool [H, W]."""
    pixels = inside.ravel(order="F")
    edges = np.flatnonzero(np.diff(pixels, prepend=False)).tolist()
    runs: list[int] = np.diff([0, *edges, pixels.size]).tolist()
    return runs


def compress(runs: Sequence[int]) -> str:
    """Return run lengths as COCO's text."""
    numbers = np.array(runs, np.int64)
    numbers[3:] -= np.array(runs[1:-2], np.int64)
    shifts = 5 * np.arange(MAX_DIGITS)
    digits = numbers[:, None] >> shifts
    # The last digit is the first whose sign bit equals all that would follow.
    rest, sign = digits >> 5, (digits >> 4) & 1
    last = np.argmax(rest == -sign, axis=1)
    place = np.arange(MAX_DIGITS)
    codes = (digits & 31) + 32 * (place < last[:, None]) + 48
    return bytes(codes[place <= last[:, None]].tolist()).decode("ascii")


def _from_list(counts: Any) -> np.ndarray:
    try:
        runs = np.array(counts)
    except (TypeError, ValueError) as error:
        raise Unusable("bad-mask", "run lengths that are not a list") from error
    if runs.ndim != 1 or runs.dtype.kind not in "iu":
        raise Unusable("bad-mask", "run lengths that are not whole numbers")
    return runs.astype(np.int64)


def _from_text(counts: str | bytes) -> np.ndarray:
    # Characters beyond ASCII become bytes outside of the digits.
    text = (
        counts.encode("utf-8", "surrogatepass") if isinstance(counts, str) else counts
    )
    codes = np.frombuffer(text, np.uint8).astype(np.int64) - 48
    ends = np.flatnonzero(codes & 32 == 0)
    foreign = codes.size and (codes.min() < 0 or codes.max() > 63)
    if foreign or not ends.size or ends[-1] != codes.size - 1:
        raise Unusable("bad-mask", "run lengths that are not COCO's text")
    starts = np.concatenate([[0], ends[:-1] + 1])
    lengths = ends - starts + 1
    if lengths.max() > MAX_DIGITS:
        raise Unusable("bad-mask", "run lengths out of range")
    place = np.arange(codes.size) - np.repeat(starts, lengths)
    numbers = np.add.reduceat((codes & 31) << 5 * place, starts)
    numbers -= np.where(codes[ends] & 16, np.int64(1) << 5 * lengths, 0)
    # Differences become counts, each parity on its own.
    numbers[1::2] = np.cumsum(numbers[1::2])
    numbers[2::2] = np.cumsum(numbers[2::2])
    return numbers
