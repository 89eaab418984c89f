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
    digest = hashlib.sha256(pixels.tobytes() + str(pixels.shape).encode()).hexdigest()
    height, width = pixels.shape[:2]
    facts = ImageInfo(path, digest, digest, width, height, "PNG")
    return looking(facts, thumbnails(pixels))


def looking(facts: ImageInfo, look: Look) -> Examined:
    facts = dataclasses.replace(facts, contrast=float(look.luma.std()))
    return Examined(facts, look, perceptual_hash(look.luma), coarse(look.luma))
