"""The comparison of two images by their thumbnails."""

from __future__ import annotations

import numpy as np

from tlkit.dataset.inspection.image_info import Thumbnails

MAX_SPOT = 32.0
# Below this a near duplicate counts as the same image, re-encoded or resized at most.
# Images of one scene with and without a defect, labeled so, stay above it.
MAX_SPOT_SAME = 20.0
# The same for means of 16 x 16 fields of the image, as a quick first test.
MAX_COARSE = 48.0
MIN_CORRELATION = 0.9
MAX_GAIN = 1.5
# Flatter than this, in gray levels, an image holds nothing to know it again by.
MIN_DEVIATION = 2.0
# Two colorful images may differ by so much in hue at a spot; with less color than
# MIN_COLOR one is a gray copy.
MAX_HUE = 64.0
MIN_COLOR = 3.0


def difference(one: Thumbnails, other: Thumbnails) -> float:
    """Compare two images by their thumbnails."""
    a, b = one.luma.astype(np.float32), other.luma.astype(np.float32)
    deviation_a, deviation_b = float(a.std()), float(b.std())
    lower = max(min(deviation_a, deviation_b), 1e-6)
    if max(deviation_a, deviation_b) > MAX_GAIN * lower:
        return float("inf")
    a, b = a - a.mean(), (b - b.mean()) * (deviation_a / deviation_b)
    if float((a * b).mean()) < MIN_CORRELATION * deviation_a**2:
        return float("inf")
    if _hue_difference(one.color, other.color) > MAX_HUE:
        return float("inf")
    beyond = np.maximum(_outside(a, b), _outside(b, a))
    return float(_blurred(beyond).max())


def _windows(values: np.ndarray) -> np.ndarray:
    # [9, H, W, ...]: the 3 x 3 surroundings of each pixel, edges repeated
    height, width = values.shape[:2]
    margins = [(1, 1), (1, 1), *[(0, 0)] * (values.ndim - 2)]
    padded = np.pad(values, margins, mode="edge")
    return np.stack(
        [padded[i : i + height, j : j + width] for i in range(3) for j in range(3)]
    )


def _outside(values: np.ndarray, others: np.ndarray) -> np.ndarray:
    # by how much values exceed what others reach within one pixel around
    around = _windows(others)
    above, below = values - around.max(axis=0), around.min(axis=0) - values
    return np.asarray(np.maximum(np.maximum(above, below), 0))


def _blurred(values: np.ndarray) -> np.ndarray:
    return np.asarray(_windows(values).mean(axis=0))


def _hue_difference(one: np.ndarray, other: np.ndarray) -> float:
    a, b = _chroma(one), _chroma(other)
    if min(float(np.abs(a).mean()), float(np.abs(b).mean())) < MIN_COLOR:
        return 0.0  # a gray copy has no colors to compare
    return float(np.abs(_blurred(a - b)).max())


def _chroma(color: np.ndarray) -> np.ndarray:
    values = color.astype(np.float32)
    return np.asarray(values - values.mean(axis=2, keepdims=True))
