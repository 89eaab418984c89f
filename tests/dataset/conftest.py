"""What the tests of the data set stage share."""

from __future__ import annotations

import dataclasses
import hashlib

import numpy as np

from tlkit.dataset.inspection.hashing import perceptual_hash
from tlkit.dataset.inspection.image_info import (
    Examined,
    ImageInfo,
    Look,
    coarse,
    thumbnails,
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
