"""Facts of images in, pairs of exact and of near copies out.

Exact: the same bytes, or the same pixels once decoded. Near: imagededup's perceptual
hashes differ in at most MAX_DISTANCE of 64 bits, and the thumbnails agree everywhere:
no spot of 3 x 3 in 128 x 128 differs by more than MAX_SPOT gray levels once brightness
and contrast are matched, allowing for a shift by one.

Measured on 67 photos and changed copies of them, share found. Saved as JPEG of
quality 10, halved, shrunk to 100 px, squashed to 300 px, gray, sharpened, blurred,
brighter by a tenth, contrast x 1.2, saturation x 1.4: 0.99 to 1. Brighter by three
tenths, so that the lights clip: 0.7. Cropped by 1 % at each side: 0.5, by 2 %: 0.07.
Not found: larger crops, mirrored, turned, with a caption, the next frame of a video.

Distinct things stay apart. The hashes of the most similar pair in 397 photos of ants
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
from tlkit.dataset.duplicates.neighbors import neighbors
from tlkit.dataset.inspection.cache import ImageCache
from tlkit.dataset.inspection.image_info import ImageInfo, Look

MAX_DISTANCE = 6


@dataclass(frozen=True)
class Pair:
    """Two images that are copies.

    Attributes:
        first: Index of the one.
        second: Index of the other.
        kind: "exact", "near", "turned" or "similar".
        distance: Bits in which their hashes differ; of similar ones 1 - cosine.
        same: Whether they are one image rather than two that look alike.
        turn: What makes the first one the second, one of turned.TURNS; "" for nothing.
    """

    first: int
    second: int
    kind: str
    distance: float = 0
    same: bool = True
    turn: str = ""


class Components:
    """Numbers that belong together, directly or through others."""

    def __init__(self, pairs: Iterable[Pair] = ()) -> None:
        self._above: dict[int, int] = {}
        for pair in pairs:
            self.join(pair.first, pair.second)

    def join(self, one: int, other: int) -> None:
        """Let two numbers belong together."""
        low, high = sorted((self[one], self[other]))
        self._above[high] = low

    def __getitem__(self, index: int) -> int:
        """Look up a number."""
        root = index
        while (above := self._above.get(root, root)) != root:
            root = above
        if root != index:
            self._above[index] = root  # the next search is shorter
        return root


def find(info: Sequence[ImageInfo], image_cache: ImageCache | None) -> list[Pair]:
    """Find the copies among images."""
    pairs = _exact(info)
    if image_cache is not None:
        pairs += _near(info, telling(info, pairs), image_cache)
    return pairs


def firsts(info: Sequence[ImageInfo], pairs: Iterable[Pair]) -> list[int]:
    """Choose one of each set of exact copies."""
    later = {pair.second for pair in pairs if pair.kind == "exact"}
    return [i for i in range(len(info)) if i not in later]


def telling(info: Sequence[ImageInfo], pairs: Iterable[Pair]) -> list[int]:
    """Choose what can be known again: hash and correlation of a plain one are noise."""
    return [i for i in firsts(info, pairs) if info[i].contrast >= MIN_DEVIATION]


def _exact(info: Sequence[ImageInfo]) -> list[Pair]:
    seen: dict[str, int] = {}
    pairs = []
    for index, fact in enumerate(info):
        first = seen.setdefault(fact.pixel_digest, index)
        if first != index:
            pairs.append(Pair(first, index, "exact"))
    return pairs


def _near(
    info: Sequence[ImageInfo], chosen: list[int], image_cache: ImageCache
) -> list[Pair]:
    pairs = []
    same = Components()
    paths = [info[i].path for i in chosen]
    views = Views(
        image_cache.hashes(paths),
        image_cache.fields(paths),
        [info[i].contrast for i in chosen],
        look=lambda i: image_cache.look(paths[i]),
    )

    def known(one: int, other: int) -> bool:
        return same[chosen[one]] == same[chosen[other]]

    for one, other, distance, spot in alike(views, known):
        first, second = chosen[one], chosen[other]
        is_same = spot <= MAX_SPOT_SAME
        if is_same:
            same.join(first, second)
        pairs.append(Pair(first, second, "near", distance, is_same))
    return pairs


@dataclass(frozen=True)
class Views:
    """What is searched: of N images, as they are or turned, none of them plain.

    Attributes:
        hashes: uint64 [N].
        fields: [N, 256], see `facts.coarse`.
        contrasts: [N], see Facts.
        look: The thumbnails of one, by its number.
    """

    hashes: np.ndarray
    fields: np.ndarray
    contrasts: Sequence[float]
    look: Callable[[int], Look]


def alike(
    views: Views, known: Callable[[int, int], bool]
) -> Iterator[tuple[int, int, int, float]]:
    """Search by hashes, and confirm by thumbnails."""
    fields = views.fields
    for one, others, distances in neighbors(views.hashes, MAX_DISTANCE):
        # Of a fixed camera's images nearly all are neighbors; most of them go here.
        apart = np.abs(fields[others] - fields[one]).max(axis=1)
        likely = np.flatnonzero(apart * views.contrasts[one] <= MAX_COARSE)
        for other, distance in zip(others[likely], distances[likely], strict=True):
            if known(one, int(other)):
                continue
            spot = difference(views.look(one), views.look(int(other)))
            if spot <= MAX_SPOT:
                yield one, int(other), int(distance), spot
