"""Pairs of duplicates among numbered images, and the sets that they make."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from tlkit.dataset.records import Kind

# The only transforms that are not their own inverse.
INVERSE = {"rotated by 90": "rotated by 270", "rotated by 270": "rotated by 90"}


@dataclass(frozen=True)
class Pair:
    """Two images that are duplicates, by their numbers."""

    first: int
    second: int
    kind: str  # Kind.EXACT, NEAR, ROTATED or SIMILAR
    distance: float = 0  # bits in which the hashes differ; of similar ones 1 - cosine
    same: bool = True  # one image, rather than two that look alike
    transform: str = ""  # makes the first one the second: one of rotated.TRANSFORMS

    def match_of(self, image: int) -> tuple[int, str]:
        """Return the other image of the pair, and the transform that makes it this."""
        if image == self.second:
            return self.first, self.transform
        return self.second, inverse(self.transform)


def inverse(transform: str) -> str:
    """Return the transform that undoes one."""
    return INVERSE.get(transform, transform)


class Components:
    """Numbers that belong together, directly or through others."""

    def __init__(self, pairs: Iterable[Pair] = ()) -> None:
        self._above: dict[int, int] = {}
        for pair in pairs:
            self.join(pair.first, pair.second)

    def join(self, one: int, other: int) -> None:
        """Merge the components of two images."""
        low, high = sorted((self[one], self[other]))
        self._above[high] = low

    def __getitem__(self, index: int) -> int:
        """Return the least number that this one belongs to."""
        root = index
        while (above := self._above.get(root, root)) != root:
            root = above
        if root != index:
            self._above[index] = root  # the next search is shorter
        return root


class DuplicateIndex:
    """The index of duplicates: which images are duplicates of which."""

    def __init__(self, pairs: Iterable[Pair]) -> None:
        pairs = sorted(pairs, key=closeness)
        # Sets of the same pixels; of one image, re-encoded or resized at most; and
        # of one image, rotated or flipped as well.
        self.exact = Components(pair for pair in pairs if pair.kind == Kind.EXACT)
        self.same = Components(pair for pair in pairs if pair.same)
        self.related = Components(
            pair for pair in pairs if pair.same or pair.kind == Kind.ROTATED
        )
        self.found = [pair for pair in pairs if pair.kind != Kind.EXACT]
        # The pairs of the first image of an exact set, the closest first.
        self.matches: dict[int, list[Pair]] = defaultdict(list)
        for pair in self.found:
            self.matches[pair.first].append(pair)
            self.matches[pair.second].append(pair)
        self._pairs = {
            frozenset((pair.first, pair.second)): pair for pair in self.found
        }

    def relation(self, image: int, match: int) -> tuple[float | None, str]:
        """Return the distance, None for unknown, and what makes the match the image."""
        image, match = self.exact[image], self.exact[match]
        if image == match:
            return 0, ""
        pair = self._pairs.get(frozenset((image, match)))
        return (pair.distance, pair.match_of(image)[1]) if pair else (None, "")


def closeness(pair: Pair) -> tuple[bool, bool, float]:
    """Return a sort key: near before rotated before similar, then by distance."""
    return pair.kind == Kind.SIMILAR, pair.kind == Kind.ROTATED, pair.distance
