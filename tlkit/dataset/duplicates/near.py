"""Search for exact and for near-duplicates.

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

from collections.abc import Iterable, Sequence

from tlkit.dataset.duplicates.compare import (
    MAX_SPOT_SAME,
    MIN_DEVIATION,
    Views,
    confirmed,
)
from tlkit.dataset.duplicates.pairs import Components, Pair
from tlkit.dataset.inspection.cache import ImageCache
from tlkit.dataset.records import ImageInfo, Kind


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
    """Find near-duplicates; `pairs` are the exact ones."""
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
