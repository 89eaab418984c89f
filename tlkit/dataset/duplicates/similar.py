"""Search for images that show nearly the same, by features and imagededup's cosines.

What is found is two frames of a clip, two shots of one object, a crop; and, with a low
threshold, two images of one kind of object. So such pairs are kept in one split, and
none is ever dropped.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from tlkit.dataset.duplicates.near import firsts
from tlkit.dataset.duplicates.pairs import Components, Pair
from tlkit.dataset.inspection.hashing import cosines
from tlkit.dataset.records import ImageInfo, Kind
from tlkit.errors import DatasetError, UsageError

# Measured: tests/benchmarks/duplicates.py.
MIN_COSINE = 0.9
# Every image is compared with every other: 200 million pairs for so many images.
MAX_IMAGES = 20_000
# Rows whose cosines with all others are held at once, 120 MB for 20,000 others.
AT_ONCE = 1000
# More pairs per image hold no information, and would take more and more memory.
PAIRS_PER_IMAGE = 50

# From the source root and POSIX paths relative to it to float32 [N, C], a row each.
Features = Callable[[Path, Sequence[str]], np.ndarray]


def find_similar(
    root: Path,
    info: Sequence[ImageInfo],
    pairs: Sequence[Pair],
    features: Features,
    *,
    above: float = MIN_COSINE,
) -> list[Pair]:
    """Find images that show nearly the same; `pairs` are the closer ones."""
    chosen = firsts(info, pairs)
    if len(chosen) > MAX_IMAGES:
        raise UsageError(
            f"--similar compares every image with every other, {MAX_IMAGES:,} at most; "
            f"got {len(chosen):,}.",
            hint="Remove --similar, or keep images together by --group-by.",
        )
    if len(chosen) < 2:
        return []
    rows = features(root, [info[i].path for i in chosen])
    if rows.ndim != 2 or len(rows) != len(chosen) or not np.isfinite(rows).all():
        raise DatasetError(
            f"similar must give finite features [{len(chosen)}, C] of {len(chosen)} "
            f"images, got {list(rows.shape)}."
        )
    related = Components(pairs)
    return [
        Pair(chosen[i], chosen[j], Kind.SIMILAR, round(1 - cosine, 3), same=False)
        for i, j, cosine in similar_rows(rows.astype(np.float32, copy=False), above)
        if related[chosen[i]] != related[chosen[j]]
    ]


def similar_rows(features: np.ndarray, above: float) -> list[tuple[int, int, float]]:
    """Find rows that point the same way, by comparing all with all."""
    found: list[tuple[int, int, float]] = []
    for start in range(0, len(features), AT_ONCE):
        rest = features[start:]
        values = cosines(rest, min(AT_ONCE, len(rest)))
        close = np.triu(values >= above, k=1)
        if len(found) + np.count_nonzero(close) > PAIRS_PER_IMAGE * len(features):
            raise DatasetError(
                f"The features of nearly all images have a cosine of {above} or more.",
                hint="Choose a higher --similar-above or another backbone, or remove "
                "--similar.",
            )
        found += [
            (start + int(i), start + int(j), float(values[i, j]))
            for i, j in zip(*np.nonzero(close), strict=True)
        ]
    return found
