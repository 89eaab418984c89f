"""Search for exact and for near duplicates.

Exact: the same bytes, or the same pixels once decoded. Near: imagededup's perceptual
hashes differ in at most MAX_DISTANCE of 64 bits, and the thumbnails agree everywhere:
no spot of 3 x 3 in 128 x 128 differs by more than MAX_SPOT gray levels once brightness
and contrast are matched, allowing for a shift by one.

Measured on 67 photos and changed copies of them, share found. Saved as JPEG of
quality 10, halved, shrunk to 100 px, squashed to 300 px, gray, sharpened, blurred,
brighter by a tenth, contrast x 1.2, saturation x 1.4: 0.99 to 1. Brighter by three
tenths, so that the lights clip: 0.7. Cropped by 1 % at each edge: 0.5, by 2 %: 0.07.
Not found: larger crops, flipped, rotated, with a caption, the next frame of a video.

Distinct images stay apart. The hashes of the most similar pair in 397 photos of ants
and bees differ in 12 bits; of scikit-learn's 1,797 handwritten digits of 8 x 8 pixels
some 400 pairs are within 6 bits, and all of them differ by 40 levels or more somewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from tlkit.dataset.duplicates.compare import (
    MAX_COARSE,
    MAX_SPOT,
    MAX_SPOT_SAME,
    MIN_DEVIATION,
    difference,
)
from tlkit.dataset.duplicates.pairs import Components, Pair
from tlkit.dataset.inspection.cache import ImageCache
from tlkit.dataset.inspection.image_info import Thumbnails
from tlkit.dataset.records import ImageInfo, Kind

MAX_DISTANCE = 6


def find_exact(info: Sequence[ImageInfo]) -> list[Pair]:
    """Pair each image with the first that has the same pixels."""
    seen: dict[str, int] = {}
    firsts = [seen.setdefault(one.pixel_sha256, i) for i, one in enumerate(info)]
    return [Pair(j, i, Kind.EXACT) for i, j in enumerate(firsts) if i != j]


def firsts(info: Sequence[ImageInfo], pairs: Iterable[Pair]) -> list[int]:
    """Choose one of each set of exact duplicates."""
    later = {pair.second for pair in pairs if pair.kind == Kind.EXACT}
    return [i for i in range(len(info)) if i not in later]


def comparable(info: Sequence[ImageInfo], pairs: Iterable[Pair]) -> list[int]:
    """Choose those to compare: the hash and correlation of a plain image are noise."""
    return [i for i in firsts(info, pairs) if info[i].contrast >= MIN_DEVIATION]


def find_near(
    info: Sequence[ImageInfo], pairs: Sequence[Pair], image_cache: ImageCache
) -> list[Pair]:
    """Find near duplicates; `pairs` are the exact ones."""
    chosen = comparable(info, pairs)
    views = Views.of([info[i] for i in chosen], image_cache)
    found = []
    same = Components()

    def known(one: int, other: int) -> bool:
        return same[chosen[one]] == same[chosen[other]]

    for one, other, distance, spot in confirmed(views, views, known, after=True):
        first, second = chosen[one], chosen[other]
        is_same = spot <= MAX_SPOT_SAME
        if is_same:
            same.join(first, second)
        found.append(Pair(first, second, Kind.NEAR, distance, is_same))
    return found


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
