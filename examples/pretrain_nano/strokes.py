"""Strokes: the signs of a script that nobody writes."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from examples.pretrain_nano.objects import FINE, FULL, SIDE, SUBPIXELS, empty, pack

PLACES = np.linspace(0, 1, 24)[:, None]


@dataclass(frozen=True)
class Strokes:
    """Bezier curves.

    Args:
        curves: Control points [2 to 4, 2] each, -0.5..0.5.
    """

    curves: tuple[np.ndarray, ...]

    @classmethod
    def sample(cls, rng: np.random.Generator) -> Strokes:
        """Returns one to four of them."""
        many = int(rng.integers(1, 5))
        return cls(
            tuple(
                rng.uniform(-0.42, 0.42, (int(rng.integers(2, 5)), 2))
                for _ in range(many)
            )
        )

    def image(self, rng: np.random.Generator) -> np.ndarray:
        """Returns uint8 [SIDE, SIDE, 2], as another hand and pen would write it."""
        cover, width = empty(), int(rng.integers(2, 8))
        slant = np.array(
            [
                [rng.uniform(0.8, 1.1), rng.normal(0, 0.2)],
                [rng.normal(0, 0.1), rng.uniform(0.8, 1.1)],
            ]
        )
        for curve in self.curves:
            points = bezier(curve + rng.normal(0, 0.03, curve.shape)) @ slant.T
            places = (points * 0.95 + 0.5) * SIDE * 2**SUBPIXELS
            line = [places.astype("int32")]
            cv2.polylines(cover, line, False, FULL, width, FINE, SUBPIXELS)
        return pack(np.full_like(cover, 220), cover)


def bezier(control: np.ndarray) -> np.ndarray:
    """Points of a curve.

    Args:
        control: float [k, 2].

    Returns:
        float [24, 2], from the first control point to the last.
    """
    n = len(control) - 1
    weights = [
        math.comb(n, i) * (1 - PLACES) ** (n - i) * PLACES**i for i in range(n + 1)
    ]
    points: np.ndarray = np.concatenate(weights, axis=1) @ control
    return points
