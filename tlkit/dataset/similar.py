"""Features of pictures in, pairs that show nearly the same out.

imagededup's cosine search, in the process that hashes. What is found is two frames of
a clip, two shots of one object, a crop; and, with a low threshold, two pictures of one
kind of thing. So such pairs are kept on one side, and none is ever dropped.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from tlkit.dataset.duplicates import Components, Pair, firsts
from tlkit.dataset.facts import Facts
from tlkit.dataset.hashing import Hasher
from tlkit.errors import DatasetError, UsageError

# Measured: tests/benchmarks/duplicates.py.
ABOVE = 0.9
# Every picture is compared with every other: 200 million pairs for so many pictures.
MOST = 20_000

# The source root and POSIX paths relative to it in, float32 [N, C] out, a row each.
Features = Callable[[Path, Sequence[str]], np.ndarray]


def find_similar(
    root: Path,
    facts: Sequence[Facts],
    pairs: Sequence[Pair],
    hasher: Hasher,
    *,
    features: Features,
    above: float = ABOVE,
) -> list[Pair]:
    """Find pictures that show nearly the same.

    Args:
        root: The source root.
        facts: Pictures.
        pairs: The copies already found; what they relate is not told again.
        hasher: The process to search in.
        features: What says by numbers what a picture shows.
        above: Cosine of the features of two similar pictures, at least.

    Returns:
        Pairs of the kind "similar", 1 - cosine as their distance.

    Raises:
        DatasetError: The features are none, or relate everything with everything.
        UsageError: There are more than MOST pictures.
    """
    chosen = firsts(facts, pairs)
    if len(chosen) > MOST:
        raise UsageError(
            f"--similar compares every picture with every other and takes {MOST:,} at "
            f"most. Received: {len(chosen):,}.",
            hint="Leave it away, or keep pictures together by --group-by.",
        )
    if len(chosen) < 2:
        return []
    rows = features(root, [facts[i].path for i in chosen])
    if rows.ndim != 2 or len(rows) != len(chosen) or not np.isfinite(rows).all():
        raise DatasetError(
            f"Expected finite features [{len(chosen)}, C] of {len(chosen)} pictures. "
            f"Received: {list(rows.shape)}."
        )
    found = hasher.similar(rows.astype(np.float32, copy=False), above)
    if found is None:
        raise DatasetError(
            f"Features of nearly all pictures have a cosine of {above} and more.",
            hint="They tell these pictures too little apart: choose a higher "
            "--similar-above, another backbone, or leave --similar away.",
        )
    related = Components(pairs)
    return [
        Pair(chosen[i], chosen[j], "similar", round(1 - cosine, 3), same=False)
        for i, j, cosine in found
        if related[chosen[i]] != related[chosen[j]]
    ]
