"""Facts of images in, pairs of which one is the other turned or mirrored out.

Each of the other seven ways to lay an image down is hashed and searched for among the
images as they are; a pair is confirmed on the turned thumbnails, as near copies are.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tlkit.dataset.duplicates.find import Components, Pair, Views, alike, telling
from tlkit.dataset.inspection.cache import ImageCache
from tlkit.dataset.inspection.hashing import perceptual_hash
from tlkit.dataset.inspection.image_info import ImageInfo, Look

# Whether mirrored left to right first, and then how many quarters turned clockwise.
TURNS = {
    "mirrored": (True, 0),
    "mirrored, turned by 90": (True, 1),
    "mirrored, turned by 180": (True, 2),
    "mirrored, turned by 270": (True, 3),
    "turned by 90": (False, 1),
    "turned by 180": (False, 2),
    "turned by 270": (False, 3),
}
# The only ones that are not their own inverse; a search for one finds the other.
INVERSE = {"turned by 90": "turned by 270", "turned by 270": "turned by 90"}
SEARCHED = tuple(turn for turn in TURNS if turn != "turned by 270")


def turned(pixels: np.ndarray, turn: str) -> np.ndarray:
    """Turn or mirror an image."""
    mirrored, quarters = TURNS[turn]
    return np.rot90(pixels[:, ::-1] if mirrored else pixels, -quarters)


def inverse(turn: str) -> str:
    """What undoes a turn."""
    return INVERSE.get(turn, turn)


def find_turned(
    info: Sequence[ImageInfo], pairs: Sequence[Pair], image_cache: ImageCache
) -> list[Pair]:
    """Find copies that are turned or mirrored."""
    together = Components(pairs)
    chosen = telling(info, pairs)
    paths = [info[i].path for i in chosen]
    number = len(chosen)
    plain, fields = image_cache.hashes(paths), image_cache.fields(paths)
    contrasts = [info[i].contrast for i in chosen] * 2
    hashes = _turned_hashes(paths, image_cache)
    found: list[Pair] = []

    def known(one: int, other: int) -> bool:
        # Images lie before the turned ones; only one with another's turned is new.
        return (
            one >= number
            or other < number
            or together[chosen[one]] == together[chosen[other - number]]
        )

    for turn, own in zip(SEARCHED, hashes, strict=True):

        def look(i: int, turn: str = turn) -> Look:
            seen = image_cache.look(paths[i % number])
            if i < number:
                return seen
            return Look(turned(seen.luma, turn), turned(seen.color, turn))

        laid = turned(fields.reshape(-1, 16, 16).transpose(1, 2, 0), turn)
        views = Views(
            np.concatenate([plain, own]),
            np.concatenate([fields, laid.transpose(2, 0, 1).reshape(-1, 256)]),
            contrasts,
            look,
        )
        for one, other, distance, _ in alike(views, known):
            # The other one turned is this one.
            first, second, way = chosen[other - number], chosen[one], turn
            if first > second:
                first, second, way = second, first, inverse(turn)
            together.join(first, second)
            found.append(Pair(first, second, "turned", distance, False, way))
    return found


def _turned_hashes(paths: Sequence[str], image_cache: ImageCache) -> np.ndarray:
    """The hash of each image in each of SEARCHED, uint64 [turns, N]."""
    hashes = np.empty((len(SEARCHED), len(paths)), np.uint64)
    for i, path in enumerate(paths):
        luma = image_cache.look(path).luma
        hashes[:, i] = [perceptual_hash(turned(luma, turn)) for turn in SEARCHED]
    return hashes
