"""Facts of pictures in, pairs of exact and of near copies out.

Exact: the same bytes, or the same pixels once decoded. Near: imagededup's perceptual
hashes differ in at most MAX_DISTANCE of 64 bits, and the thumbnails agree everywhere:
no spot of 3 x 3 in 128 x 128 differs by more than MAX_SPOT grey levels once brightness
and contrast are matched, allowing for a shift by one. `likeness` has what was measured.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from tlkit.dataset.facts import Facts
from tlkit.dataset.hashing import Hasher
from tlkit.dataset.likeness import (
    MAX_COARSE,
    MAX_SPOT,
    MAX_SPOT_SAME,
    MIN_DEVIATION,
    coarse,
    difference,
)
from tlkit.dataset.neighbours import neighbours

MAX_DISTANCE = 6


@dataclass(frozen=True)
class Pair:
    """Two pictures that are copies.

    Attributes:
        first: Index of the one.
        second: Index of the other.
        kind: "exact" or "near".
        distance: Bits in which their hashes differ.
        same: Whether they are one picture rather than two that look alike.
    """

    first: int
    second: int
    kind: str
    distance: int = 0
    same: bool = True


class Components:
    """Numbers that belong together, directly or through others."""

    def __init__(self, pairs: Iterable[Pair] = ()) -> None:
        self._above: dict[int, int] = {}
        for pair in pairs:
            self.join(pair.first, pair.second)

    def join(self, one: int, other: int) -> None:
        """Let two numbers belong together.

        Args:
            one: Any number.
            other: Any number.
        """
        low, high = sorted((self[one], self[other]))
        self._above[high] = low

    def __getitem__(self, index: int) -> int:
        """Look up a number.

        Args:
            index: Any number.

        Returns:
            The lowest number that it belongs with.
        """
        root = index
        while (above := self._above.get(root, root)) != root:
            root = above
        if root != index:
            self._above[index] = root  # the next search is shorter
        return root


def find(facts: Sequence[Facts], hasher: Hasher | None) -> list[Pair]:
    """Find the copies among pictures.

    Args:
        facts: Pictures.
        hasher: What hashes them; None leaves near copies alone.

    Returns:
        Exact pairs, each with the first of its kind, and near pairs among these firsts.
        Near pairs that follow from others as the same picture may be left out.
    """
    firsts, pairs = _exact(facts)
    if hasher is not None:
        # Hash and correlation of a plain picture are noise.
        telling = [i for i in firsts if facts[i].luma.std() >= MIN_DEVIATION]
        pairs += _near(facts, telling, hasher)
    return pairs


def _exact(facts: Sequence[Facts]) -> tuple[list[int], list[Pair]]:
    seen: dict[str, int] = {}
    firsts, pairs = [], []
    for index, fact in enumerate(facts):
        first = seen.setdefault(fact.pixel_digest, index)
        if first == index:
            firsts.append(index)
        else:
            pairs.append(Pair(first, index, "exact"))
    return firsts, pairs


def _near(facts: Sequence[Facts], chosen: list[int], hasher: Hasher) -> list[Pair]:
    pairs = []
    same = Components()
    lumas = [facts[i].luma for i in chosen]
    fields = coarse(lumas)
    hashes = hasher.hashes(lumas)
    for one, others, distances in neighbours(hashes, MAX_DISTANCE):
        # Of a fixed camera's pictures nearly all are neighbours; most of them go here.
        apart = np.abs(fields[others] - fields[one]).max(axis=1) * lumas[one].std()
        likely = np.flatnonzero(apart <= MAX_COARSE)
        for other, distance in zip(others[likely], distances[likely], strict=True):
            first, second = chosen[one], chosen[other]
            if same[first] == same[second]:
                continue
            spot = difference(facts[first], facts[second])
            if spot <= MAX_SPOT_SAME:
                same.join(first, second)
            if spot <= MAX_SPOT:
                is_same = spot <= MAX_SPOT_SAME
                pairs.append(Pair(first, second, "near", int(distance), is_same))
    return pairs
