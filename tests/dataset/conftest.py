"""What the tests of the data set stage share."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tlkit.dataset.annotations.orient import orient_records
from tlkit.dataset.duplicates.find import find_duplicates
from tlkit.dataset.duplicates.pairs import Pair
from tlkit.dataset.inspection.cache import ImageCache
from tlkit.dataset.inspection.hashing import perceptual_hash
from tlkit.dataset.inspection.image_info import Inspected, Thumbnails, coarse, shrink
from tlkit.dataset.records import ImageInfo, ParsedSource, Rejected
from tlkit.imaging.decode import measure
from tlkit.imaging.safe_read import Unusable, read_bytes


def in_pixels(root: Path, parsed: ParsedSource) -> ParsedSource:
    """Return a source with coordinates in pixels, as prepare makes them of shares."""
    info, unreadable = {}, []
    for path in dict.fromkeys(r.path for r in parsed.records if r.relative):
        try:
            width, height = measure(read_bytes(root / path))
            info[path] = ImageInfo(path, "", "", width, height, "")
        except Unusable as error:
            unreadable.append(Rejected(path, error.reason, error.detail))
    relative = [record for record in parsed.records if record.relative]
    oriented, rejected = orient_records(relative, info, unreadable)
    return dataclasses.replace(
        parsed,
        records=(*(r for r in parsed.records if not r.relative), *oriented),
        rejected=(*parsed.rejected, *unreadable, *rejected),
    )


def seen(pixels, path: str = "") -> Inspected:
    pixels = np.ascontiguousarray(pixels)
    checksum = hashlib.sha256(pixels.tobytes() + str(pixels.shape).encode()).hexdigest()
    height, width = pixels.shape[:2]
    info = ImageInfo(path, checksum, checksum, width, height, "PNG")
    return looking(info, shrink(pixels))


def looking(info: ImageInfo, thumbnails: Thumbnails) -> Inspected:
    info = dataclasses.replace(info, contrast=float(thumbnails.luma.std()))
    luma = thumbnails.luma
    return Inspected(info, thumbnails, perceptual_hash(luma), coarse(luma))


def search(
    images: Sequence[Inspected], *, near: bool = True, rotated: bool = False
) -> list[Pair]:
    """Find the duplicates among images, numbered where they have no path."""
    info = [
        dataclasses.replace(one.info, path=one.info.path or str(i))
        for i, one in enumerate(images)
    ]
    image_cache = ImageCache(Path(":memory:"))
    for one, image in zip(images, info, strict=True):
        image_cache.add(dataclasses.replace(one, info=image), 1, 1)
    image_cache.flush()
    pairs = find_duplicates(Path(), info, image_cache, near=near, rotated=rotated)
    image_cache.close()
    return pairs
