"""Examples in, ever larger parts of them out, each within the next."""

from __future__ import annotations

import numpy as np

# Between one size and the next; a class has at least so many groups in the least one.
RATIO, LEAST_GROUPS = 2**0.5, 3
MOST_SIZES = 8


def usable_sizes(examples: int, least: int) -> list[int]:
    """Which sizes are large enough to learn from.

    Args:
        examples: How many there are.
        least: Groups of the smallest class among them.

    Returns:
        Ascending, the last is all of them.
    """
    shares = RATIO ** -np.arange(MOST_SIZES, dtype=float)
    # Rounded, for 12 halved twice by roots is not to be less than 3.
    kept = shares[np.round(shares * least, 6) >= LEAST_GROUPS]
    return [round(examples * share) for share in kept[::-1]]


def nested_subsets(
    targets: np.ndarray, groups: np.ndarray, sizes: list[int], *, seed: int
) -> list[np.ndarray]:
    """Draw parts of some examples.

    Args:
        targets: int [N], the class of each.
        groups: [N], which examples stay together.
        sizes: How many, about, as groups stay whole; ascending.
        seed: Of the draw.

    Returns:
        For each size the indices of its examples; each part has about the same share
        of every class, and lies within the next.
    """
    rng = np.random.default_rng(seed)
    numbers = np.unique(groups, return_inverse=True)[1]
    # A group counts for the rarest class in it, so that rare ones are spread evenly.
    rarity = np.argsort(np.argsort(np.bincount(targets), kind="stable"))
    kind = np.full(numbers.max() + 1, len(rarity))
    np.minimum.at(kind, numbers, rarity[targets])
    place = np.empty(len(kind))
    for one in np.unique(kind):
        members = np.flatnonzero(kind == one)
        order = rng.permutation(len(members)) + rng.random()
        place[members] = order / len(members)
    ordered = np.argsort(place[numbers], kind="stable")
    ends = np.cumsum(np.bincount(numbers)[np.argsort(place, kind="stable")])
    return [ordered[: ends[np.abs(ends - size).argmin()]] for size in sizes]
