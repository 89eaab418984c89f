"""Features of images in, pairs that show nearly the same out.

imagededup's cosine search. What is found is two frames of a clip, two shots of one
object, a crop; and, with a low threshold, two images of one kind of thing. So such
pairs are kept on one side, and none is ever dropped.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from tlkit.dataset.duplicates.find import Components, Pair, firsts
from tlkit.dataset.inspection.hashing import cosines
from tlkit.dataset.inspection.image_info import ImageInfo
from tlkit.errors import DatasetError, UsageError

# Measured: tests/benchmarks/duplicates.py.
ABOVE = 0.9
# Every image is compared with every other: 200 million pairs for so many images.
MOST = 20_000
# Rows whose cosines with all others are held at once, 120 MB for 20,000 others.
AT_ONCE = 1000
# More like pairs an image are no information, and would take more and more memory.
PAIRS_A_IMAGE = 50

# The source root and POSIX paths relative to it in, float32 [N, C] out, a row each.
Features = Callable[[Path, Sequence[str]], np.ndarray]


def find_similar(
    root: Path,
    info: Sequence[ImageInfo],
    pairs: Sequence[Pair],
    *,
    features: Features,
    above: float = ABOVE,
) -> list[Pair]:
    """Find images that show nearly the same."""
    chosen = firsts(info, pairs)
    if len(chosen) > MOST:
        raise UsageError(
            f"--similar compares every image with every other and takes {MOST:,} at "
            f"most. Received: {len(chosen):,}.",
            hint="Leave it away, or keep images together by --group-by.",
        )
    if len(chosen) < 2:
        return []
    rows = features(root, [info[i].path for i in chosen])
    if rows.ndim != 2 or len(rows) != len(chosen) or not np.isfinite(rows).all():
        raise DatasetError(
            f"Expected finite features [{len(chosen)}, C] of {len(chosen)} images. "
            f"Received: {list(rows.shape)}."
        )
    related = Components(pairs)
    return [
        Pair(chosen[i], chosen[j], "similar", round(1 - cosine, 3), same=False)
        for i, j, cosine in like_rows(rows.astype(np.float32, copy=False), above)
        if related[chosen[i]] != related[chosen[j]]
    ]


def like_rows(features: np.ndarray, above: float) -> list[tuple[int, int, float]]:
    """Find rows that point the same way, by comparing all with all."""
    found: list[tuple[int, int, float]] = []
    for start in range(0, len(features), AT_ONCE):
        rest = features[start:]
        values = cosines(rest, min(AT_ONCE, len(rest)))
        like = np.triu(values >= above, k=1)
        if len(found) + np.count_nonzero(like) > PAIRS_A_IMAGE * len(features):
            raise DatasetError(
                f"Features of nearly all images have a cosine of {above} and more.",
                hint="They tell these images too little apart: choose a higher "
                "--similar-above, another backbone, or leave --similar away.",
            )
        found += [
            (start + int(i), start + int(j), float(values[i, j]))
            for i, j in zip(*np.nonzero(like), strict=True)
        ]
    return found
