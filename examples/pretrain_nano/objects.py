"""The canvas of all objects: a gray layer and how much of it covers the ground."""

from __future__ import annotations

from typing import Protocol

import cv2
import numpy as np

SIDE = 64
# Outlines are drawn smooth, at sixteenths of a pixel.
FINE, SUBPIXELS = cv2.LINE_AA, 4
FULL = 255


class Shape(Protocol):
    """A class of objects; every image of it is a little another one."""

    def image(self, rng: np.random.Generator) -> np.ndarray:
        """Returns uint8 [SIDE, SIDE, 2], gray and cover."""


def empty() -> np.ndarray:
    """Returns a layer, uint8 [SIDE, SIDE], black."""
    return np.zeros((SIDE, SIDE), "uint8")


def pack(gray: np.ndarray, cover: np.ndarray) -> np.ndarray:
    """Both layers as they are kept.

    Args:
        gray: [SIDE, SIDE], 0..255, clipped.
        cover: The same, 255 where nothing of the ground is seen.

    Returns:
        uint8 [SIDE, SIDE, 2].
    """
    packed: np.ndarray = np.stack([gray, cover], -1).clip(0, FULL).astype("uint8")
    return packed
