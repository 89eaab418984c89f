"""Features of pictures in, pairs that show nearly the same out.

imagededup's cosine search. What is found is two frames of a clip, two shots of one
object, a crop; and, with a low threshold, two pictures of one kind of thing. So such
pairs are kept on one side, and none is ever dropped.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from tlkit.dataset.duplicates import Components, Pair, firsts
from tlkit.dataset.facts import Facts
from tlkit.dataset.hashing import cosines
from tlkit.errors import DatasetError, UsageError

# Measured: tests/benchmarks/duplicates.py.
ABOVE = 0.9
# Every picture is compared with every other: 200 million pairs for so many pictures.
MOST = 20_000
# Rows whose cosines with all others are held at once, 120 MB for 20,000 others.
AT_ONCE = 1000
# More like pairs a picture are no information, and would take more and more memory.
PAIRS_A_PICTURE = 50

# The source root and POSIX paths relative to it in, float32 [N, C] out, a row each.
Features = Callable[[Path, Sequence[str]], np.ndarray]


def find_similar(
    root: Path,
    facts: Sequence[Facts],
    pairs: Sequence[Pair],
    *,
    features: Features,
    above: float = ABOVE,
) -> list[Pair]:
    """Find pictures that show nearly the same.

    Args:
        root: The source root.
        facts: Pictures.
        pairs: The copies already found; what they relate is not told again.
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
    related = Components(pairs)
    return [
        Pair(chosen[i], chosen[j], "similar", round(1 - cosine, 3), same=False)
        for i, j, cosine in like_rows(rows.astype(np.float32, copy=False), above)
        if related[chosen[i]] != related[chosen[j]]
    ]


def like_rows(features: np.ndarray, above: float) -> list[tuple[int, int, float]]:
    """Find rows that point the same way, by comparing all with all.

    Args:
        features: float32 [N, C], finite.
        above: Cosine of two like rows, at least; compared to three decimals.

    Returns:
        Two indices, the lower one first, and the cosine.

    Raises:
        DatasetError: There are more than PAIRS_A_PICTURE times N.
    """
    found: list[tuple[int, int, float]] = []
    for start in range(0, len(features), AT_ONCE):
        rest = features[start:]
        values = cosines(rest, min(AT_ONCE, len(rest)))
        like = np.triu(values >= above, k=1)
        if len(found) + np.count_nonzero(like) > PAIRS_A_PICTURE * len(features):
            raise DatasetError(
                f"Features of nearly all pictures have a cosine of {above} and more.",
                hint="They tell these pictures too little apart: choose a higher "
                "--similar-above, another backbone, or leave --similar away.",
            )
        found += [
            (start + int(i), start + int(j), float(values[i, j]))
            for i, j in zip(*np.nonzero(like), strict=True)
        ]
    return found
