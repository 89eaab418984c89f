"""A loaded Pillow image of any mode in, RGB uint8 [H, W, 3] out."""

from __future__ import annotations

import numpy as np
from PIL import Image


class NotFinite(ValueError):
    """A picture of floats holds NaN or infinity."""


def to_rgb(image: Image.Image) -> tuple[np.ndarray, tuple[str, ...]]:
    """Convert a loaded picture of any mode.

    Args:
        image: In any of Pillow's modes.

    Returns:
        uint8 [H, W, 3], and what was done that one may want to know.
    """
    notes: tuple[str, ...] = ()
    if image.mode == "F":
        image, notes = Image.fromarray(_from_float(np.asarray(image))), ("float",)
    elif image.mode == "I" or image.mode.startswith("I;16"):
        image, notes = Image.fromarray(_from_wide(np.asarray(image))), ("16-bit",)
    elif image.mode == "CMYK":
        notes = ("cmyk",)
    elif image.has_transparency_data:
        image = image.convert("RGBA")
        if image.getchannel("A").getextrema() != (255, 255):
            image, notes = _over_white(image), ("alpha-on-white",)
    # Asked for the mode it has, Pillow would copy the picture.
    return np.array(image if image.mode == "RGB" else image.convert("RGB")), notes


def _over_white(image: Image.Image) -> Image.Image:
    ground = Image.new("RGB", image.size, (255, 255, 255))
    ground.paste(image, mask=image.getchannel("A"))
    return ground


def _from_wide(values: np.ndarray) -> np.ndarray:
    values = values.astype(np.int64)
    if values.min() < 0 or values.max() > 0xFFFF:
        return _stretch(values.astype(np.float64))
    return (values >> 8).astype(np.uint8)


def _from_float(values: np.ndarray) -> np.ndarray:
    if not np.isfinite(values).all():
        raise NotFinite
    values = values.astype(np.float64)
    if values.min() >= 0 and values.max() <= 1:
        return np.asarray(np.rint(values * 255), np.uint8)
    return _stretch(values)


def _stretch(values: np.ndarray) -> np.ndarray:
    low, high = values.min(), values.max()
    return np.asarray(
        np.rint((values - low) * (255 / max(high - low, 1e-30))), np.uint8
    )
