"""The search for duplicates of every kind."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tlkit.dataset.duplicates.near import find_exact, find_near
from tlkit.dataset.duplicates.pairs import Pair
from tlkit.dataset.duplicates.rotated import find_rotated
from tlkit.dataset.duplicates.similar import MIN_COSINE, Features, find_similar
from tlkit.dataset.inspection.cache import ImageCache
from tlkit.dataset.records import ImageInfo


def find_duplicates(
    root: Path,
    info: Sequence[ImageInfo],
    image_cache: ImageCache,
    *,
    near: bool = True,
    rotated: bool = False,
    similar: Features | None = None,
    similar_above: float = MIN_COSINE,
) -> list[Pair]:
    """Find the duplicates among images, exact ones always."""
    # Each search leaves out pairs that follow from those found before.
    pairs = find_exact(info)
    if near:
        pairs += find_near(info, pairs, image_cache)
    if rotated:
        pairs += find_rotated(info, pairs, image_cache)
    if similar:
        pairs += find_similar(root, info, pairs, similar, above=similar_above)
    return pairs
