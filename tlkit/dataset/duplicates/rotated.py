"""Search for near-duplicates that are rotated by quarters, or flipped.

Each of the other seven ways to lay an image down is hashed and searched for among the
images as they are; a pair is confirmed on the thumbnails, as near-duplicates are.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tlkit.dataset.duplicates.compare import Views, confirmed
from tlkit.dataset.duplicates.near import comparable
from tlkit.dataset.duplicates.pairs import Components, Pair, inverse
from tlkit.dataset.inspection.cache import ImageCache
from tlkit.dataset.inspection.hashing import perceptual_hash
from tlkit.dataset.inspection.image_info import Thumbnails
from tlkit.dataset.records import ImageInfo, Kind

# Flipped left to right first or not, and then rotated clockwise by so many quarters.
TRANSFORMS = {
    "flipped": (True, 0),
    "flipped, rotated by 90": (True, 1),
    "flipped, rotated by 180": (True, 2),
    "flipped, rotated by 270": (True, 3),
    "rotated by 90": (False, 1),
    "rotated by 180": (False, 2),
    "rotated by 270": (False, 3),
}
# A search for one of two inverses finds the other.
SEARCHED = tuple(name for name in TRANSFORMS if name != "rotated by 270")


def transformed(pixels: np.ndarray, transform: str) -> np.ndarray:
    """Rotate or flip an image [H, W, ...]."""
    flip, quarters = TRANSFORMS[transform]
    return np.rot90(pixels[:, ::-1] if flip else pixels, -quarters)


def find_rotated(
    info: Sequence[ImageInfo], pairs: Sequence[Pair], image_cache: ImageCache
) -> list[Pair]:
    """Find rotated and flipped duplicates; `pairs` are the exact and near ones."""
    together = Components(pairs)
    chosen = comparable(info, pairs)
    plain = Views.of([info[i] for i in chosen], image_cache)
    found: list[Pair] = []

    def known(one: int, other: int) -> bool:
        return together[chosen[one]] == together[chosen[other]]

    for transform, hashes in zip(SEARCHED, _hashes(plain), strict=True):
        laid = _laid(plain, transform, hashes)
        for one, other, distance, _ in confirmed(plain, laid, known, after=False):
            # The other one transformed is this one.
            first, second, way = chosen[other], chosen[one], transform
            if first > second:
                first, second, way = second, first, inverse(transform)
            together.join(first, second)
            found.append(Pair(first, second, Kind.ROTATED, distance, False, way))
    return found


def _laid(plain: Views, transform: str, hashes: np.ndarray) -> Views:
    def thumbnails(i: int) -> Thumbnails:
        seen = plain.thumbnails(i)
        return Thumbnails(
            transformed(seen.luma, transform), transformed(seen.color, transform)
        )

    grid = plain.fields.reshape(-1, 16, 16).transpose(1, 2, 0)
    fields = transformed(grid, transform).transpose(2, 0, 1).reshape(-1, 256)
    return Views(hashes, fields, plain.contrasts, thumbnails)


def _hashes(plain: Views) -> np.ndarray:
    """Hash each image in each of SEARCHED, uint64 [transforms, N]."""
    hashes = np.empty((len(SEARCHED), len(plain.hashes)), np.uint64)
    for i in range(len(plain.hashes)):
        luma = plain.thumbnails(i).luma
        hashes[:, i] = [perceptual_hash(transformed(luma, way)) for way in SEARCHED]
    return hashes
