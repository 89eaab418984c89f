"""The inspection of a source: only images that are new or changed are read."""

from __future__ import annotations

import functools
import itertools
import os
from collections.abc import Sequence
from pathlib import Path

from tlkit.dataset.inspection.cache import ImageCache
from tlkit.dataset.inspection.image_info import Inspected, inspect_image
from tlkit.dataset.records import ImageInfo, Rejected
from tlkit.progress import Progress, track
from tlkit.workers import in_order

# Fewer images are read sooner than processes are started.
FEW = 32
# Small images are read faster than they are asked for one by one.
AT_ONCE = 16


def inspect_images(
    root: Path,
    paths: Sequence[str],
    image_cache: ImageCache,
    *,
    workers: int | None,
    progress: Progress,
) -> tuple[list[ImageInfo], list[Rejected]]:
    """Read the images that the cache does not know as they are now."""
    stamps = [_stamp(root / path) for path in paths]
    known = [
        image_cache.known(path, *stamp) if stamp else None
        for path, stamp in zip(paths, stamps, strict=True)
    ]
    new = [i for i, info in enumerate(known) if info is None]
    if len(new) < len(paths):
        progress.note(
            f"{len(paths) - len(new)} of {len(paths)} images are unchanged since they "
            "were last read."
        )
    if workers is None and len(new) < FEW:
        workers = 0
    batches = [
        [paths[i] for i in new[k : k + AT_ONCE]] for k in range(0, len(new), AT_ONCE)
    ]
    inspect = functools.partial(_inspect_batch, root)
    results = itertools.chain.from_iterable(in_order(inspect, batches, workers=workers))
    rejected = []
    reading = track(results, progress, "Reading images", len(new))
    for i, result in zip(new, reading, strict=True):
        if isinstance(result, Rejected):
            rejected.append(result)
        else:
            known[i] = result.info
            image_cache.add(result, *(stamps[i] or (-1, -1)))
    image_cache.flush()
    return [info for info in known if info is not None], rejected


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
        if not os.access(path, os.R_OK):
            return None
    except OSError:  # the reader finds out what is wrong with it
        return None
    return found.st_size, found.st_mtime_ns


def _inspect_batch(root: Path, paths: Sequence[str]) -> list[Inspected | Rejected]:
    return [inspect_image(root, path) for path in paths]
