"""Images of a source in, what is known of each out; only what is new is read."""

from __future__ import annotations

import functools
import itertools
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from tlkit.dataset.inspection.cache import ImageCache
from tlkit.dataset.inspection.image_info import Examined, ImageInfo, examine
from tlkit.dataset.records import Rejected
from tlkit.progress import Progress, track
from tlkit.workers import in_order

# Fewer images are read sooner than processes are started.
FEW = 32
# Small images are read faster than they are asked for one by one.
AT_ONCE = 16


def survey(
    root: Path,
    paths: Sequence[str],
    image_cache: ImageCache,
    *,
    workers: int | None,
    progress: Progress,
) -> tuple[list[ImageInfo], list[Rejected]]:
    """Read the images that the ledger does not know as they are now."""
    stamps = [_stamp(root / path) for path in paths]
    known = [
        image_cache.known(path, *stamp) if stamp else None
        for path, stamp in zip(paths, stamps, strict=True)
    ]
    new = [i for i, info in enumerate(known) if info is None]
    if len(new) < len(paths):
        progress.note(
            f"{len(paths) - len(new)} of {len(paths)} images are as they were when "
            "they were read before."
        )
    rejected = []
    results = _examined(root, [paths[i] for i in new], workers)
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
    except OSError:  # whoever reads it says what is wrong with it
        return None
    return found.st_size, found.st_mtime_ns


def _examined(
    root: Path, paths: Sequence[str], workers: int | None
) -> Iterator[Examined | Rejected]:
    if workers is None and len(paths) < FEW:
        workers = 0
    several = functools.partial(_examine, root)
    parts = [paths[i : i + AT_ONCE] for i in range(0, len(paths), AT_ONCE)]
    return itertools.chain.from_iterable(in_order(several, parts, workers=workers))


def _examine(root: Path, paths: Sequence[str]) -> list[Examined | Rejected]:
    return [examine(root, path) for path in paths]
