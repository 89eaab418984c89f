"""The precedence of splits: a duplicate goes from the lower one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from tlkit.dataset.example import Example

PRECEDENCE = {"": 0, "train": 1, "val": 2, "test": 3}


def precedence(example: Example) -> int:
    """Return the precedence of the split of an example, 0 for none."""
    return PRECEDENCE[example.split]


def between(
    images: Mapping[int, object], pairs: Iterable[tuple[int, int]]
) -> set[tuple[int, int]]:
    """Choose the pairs of different images that are both left, the lower one first."""
    return {
        (min(pair), max(pair))
        for pair in pairs
        if pair[0] != pair[1] and pair[0] in images and pair[1] in images
    }


def join(ranks: dict[int, int], links: Iterable[tuple[int, int]]) -> set[int]:
    """Let images in no split join those they are linked to, the highest rank first."""
    linked: dict[int, list[int]] = defaultdict(list)
    for one, other in links:
        linked[one].append(other)
        linked[other].append(one)
    joined: set[int] = set()
    for rank in sorted({*ranks.values()} - {0}, reverse=True):
        reached = [root for root in linked if ranks[root] == rank]
        while reached:
            for other in linked[reached.pop()]:
                if ranks[other] == 0:
                    ranks[other] = rank
                    joined.add(other)
                    reached.append(other)
    return joined
