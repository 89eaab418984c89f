"""What the tests of the data set stage share."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path

import numpy as np

from tlkit.dataset.annotations.orient import orient_records
from tlkit.dataset.inspection.hashing import perceptual_hash
from tlkit.dataset.inspection.image_info import (
    Examined,
    ImageInfo,
    Look,
    coarse,
    thumbnails,
)
from tlkit.dataset.records import ParsedSource, Rejected
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


def seen(pixels, path: str = "") -> Examined:
    pixels = np.ascontiguousarray(pixels)
    checksum = hashlib.sha256(pixels.tobytes() + str(pixels.shape).encode()).hexdigest()
    height, width = pixels.shape[:2]
    info = ImageInfo(path, checksum, checksum, width, height, "PNG")
    return looking(info, thumbnails(pixels))


def looking(info: ImageInfo, look: Look) -> Examined:
    info = dataclasses.replace(info, contrast=float(look.luma.std()))
    return Examined(info, look, perceptual_hash(look.luma), coarse(look.luma))
