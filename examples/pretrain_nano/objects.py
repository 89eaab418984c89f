"""What all objects are drawn on: a grey layer and how much of it covers the ground."""

from __future__ import annotations

from typing import Protocol

import cv2
import numpy as np

SIDE = 64
# Outlines are drawn smooth, at sixteenths of a pixel.
FINE, SUBPIXELS = cv2.LINE_AA, 4
FULL = 255


class Shape(Protocol):
    """A class of objects; every picture of it is a little another one."""

    def picture(self, rng: np.random.Generator) -> np.ndarray:
        """Returns uint8 [SIDE, SIDE, 2], grey and cover."""


def empty() -> np.ndarray:
    """Returns a layer, uint8 [SIDE, SIDE], black."""
    return np.zeros((SIDE, SIDE), "uint8")


def pack(grey: np.ndarray, cover: np.ndarray) -> np.ndarray:
    """Both layers as they are kept.

    Args:
        grey: [SIDE, SIDE], 0..255, clipped.
        cover: The same, 255 where nothing of the ground is seen.

    Returns:
        uint8 [SIDE, SIDE, 2].
    """
    packed: np.ndarray = np.stack([grey, cover], -1).clip(0, FULL).astype("uint8")
    return packed
