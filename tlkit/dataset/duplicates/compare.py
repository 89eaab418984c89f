"""The comparison of images: searched by their hashes, confirmed by thumbnails."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from tlkit.dataset.inspection.cache import ImageCache
from tlkit.dataset.inspection.image_info import Thumbnails
from tlkit.dataset.records import ImageInfo

# Bits of 64 in which the perceptual hashes of a pair may differ.
MAX_DISTANCE = 6
MAX_SPOT = 32.0
# Below this a near-duplicate counts as the same image, re-encoded or resized at most.
# Images of one scene with and without a defect, labeled so, stay above it.
MAX_SPOT_SAME = 20.0
# The same for means of 16 x 16 fields of the image, as a quick first test.
MAX_COARSE = 48.0
MIN_CORRELATION = 0.9
MAX_GAIN = 1.5
# Flatter than this, in gray levels, an image holds nothing to know it again by.
MIN_DEVIATION = 2.0
# Two colorful images may differ by so much in hue at a spot; with less color than
# MIN_COLOR one is a gray copy.
MAX_HUE = 64.0
MIN_COLOR = 3.0


@dataclass(frozen=True)
class Views:
    """N images as they are, or transformed, none of them plain."""

    hashes: np.ndarray  # uint64 [N]
    fields: np.ndarray  # float16 [N, 256], see `image_info.coarse`
    contrasts: Sequence[float]
    thumbnails: Callable[[int], Thumbnails]

    @classmethod
    def of(cls, info: Sequence[ImageInfo], image_cache: ImageCache) -> Views:
        """Look images up as they are."""
        paths = [one.path for one in info]
        return cls(
            image_cache.hashes(paths),
            image_cache.fields(paths),
            [one.contrast for one in info],
            lambda i: image_cache.thumbnails(paths[i]),
        )


def confirmed(
    views: Views, others: Views, known: Callable[[int, int], bool], *, after: bool
) -> Iterator[tuple[int, int, int, float]]:
    """Search by hashes, and confirm by thumbnails; `after` as in `neighbors`."""
    for one, near, distances in neighbors(views.hashes, others.hashes, after=after):
        # Of a fixed camera's images nearly all are neighbors; most of them go here.
        apart = np.abs(others.fields[near] - views.fields[one]).max(axis=1)
        likely = np.flatnonzero(apart * views.contrasts[one] <= MAX_COARSE)
        for other, distance in zip(near[likely], distances[likely], strict=True):
            if known(one, int(other)):
                continue
            spot = difference(views.thumbnails(one), others.thumbnails(int(other)))
            if spot <= MAX_SPOT:
                yield one, int(other), int(distance), spot


def neighbors(
    hashes: np.ndarray,
    others: np.ndarray,
    *,
    after: bool,
    max_distance: int = MAX_DISTANCE,
) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Yield a row, the others that differ in few bits, and in how many.

    With `after`, `others` are the same hashes, and only later rows are compared.
    """
    # All with all, one row at a time: 3 s for 1e5 hashes, and no memory to speak of.
    # For 1e6 multi-index hashing (Norouzi, Punjani and Fleet, 2012) would pay.
    for row, value in enumerate(hashes):
        start = row + 1 if after else 0
        distances = np.bitwise_count(others[start:] ^ value)
        near = np.flatnonzero(distances <= max_distance)
        if near.size:
            yield row, near + start, distances[near]


def difference(one: Thumbnails, other: Thumbnails) -> float:
    """Compare two images by their thumbnails."""
    a, b = one.luma.astype(np.float32), other.luma.astype(np.float32)
    deviation_a, deviation_b = float(a.std()), float(b.std())
    lower = max(min(deviation_a, deviation_b), 1e-6)
    if max(deviation_a, deviation_b) > MAX_GAIN * lower:
        return float("inf")
    a, b = a - a.mean(), (b - b.mean()) * (deviation_a / deviation_b)
    if float((a * b).mean()) < MIN_CORRELATION * deviation_a**2:
        return float("inf")
    if _hue_difference(one.color, other.color) > MAX_HUE:
        return float("inf")
    beyond = np.maximum(_outside(a, b), _outside(b, a))
    return float(_blurred(beyond).max())


def _windows(values: np.ndarray) -> np.ndarray:
    # [9, H, W, ...]: the 3 x 3 surroundings of each pixel, edges repeated
    height, width = values.shape[:2]
    margins = [(1, 1), (1, 1), *[(0, 0)] * (values.ndim - 2)]
    padded = np.pad(values, margins, mode="edge")
    return np.stack(
        [padded[i : i + height, j : j + width] for i in range(3) for j in range(3)]
    )


def _outside(values: np.ndarray, others: np.ndarray) -> np.ndarray:
    # by how much values exceed what others reach within one pixel around
    around = _windows(others)
    above, below = values - around.max(axis=0), around.min(axis=0) - values
    return np.asarray(np.maximum(np.maximum(above, below), 0))


def _blurred(values: np.ndarray) -> np.ndarray:
    return np.asarray(_windows(values).mean(axis=0))


def _hue_difference(one: np.ndarray, other: np.ndarray) -> float:
    a, b = _chroma(one), _chroma(other)
    if min(float(np.abs(a).mean()), float(np.abs(b).mean())) < MIN_COLOR:
        return 0.0  # a gray copy has no colors to compare
    return float(np.abs(_blurred(a - b)).max())


def _chroma(color: np.ndarray) -> np.ndarray:
    values = color.astype(np.float32)
    return np.asarray(values - values.mean(axis=2, keepdims=True))
