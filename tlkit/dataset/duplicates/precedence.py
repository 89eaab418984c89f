"""Images that must not be parted in, the sides that they come to lie on out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from tlkit.dataset.splitting.examples import Candidate

# Sides by what they are worth: a copy goes from the lower one.
WORTH = {None: 0, "train": 1, "val": 2, "test": 3}


def worth_of(candidate: Candidate) -> int:
    """What the side of a candidate is worth, 0 for none."""
    return WORTH[candidate.side]


def between(
    classes: Mapping[int, object], pairs: Iterable[tuple[int, int]]
) -> set[tuple[int, int]]:
    """Choose the pairs of different images that are both left, the lower one first."""
    return {
        (min(pair), max(pair))
        for pair in pairs
        if pair[0] != pair[1] and pair[0] in classes and pair[1] in classes
    }


def join(worth: dict[int, int], links: Iterable[tuple[int, int]]) -> set[int]:
    """Let what is on no side join what it is tied to, the highest side first."""
    tied: dict[int, list[int]] = defaultdict(list)
    for one, other in links:
        tied[one].append(other)
        tied[other].append(one)
    joined: set[int] = set()
    for value in sorted({*worth.values()} - {0}, reverse=True):
        reached = [root for root in tied if worth[root] == value]
        while reached:
            for other in tied[reached.pop()]:
                if worth[other] == 0:
                    worth[other] = value
                    joined.add(other)
                    reached.append(other)
    return joined
