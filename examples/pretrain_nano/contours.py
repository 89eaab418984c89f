"""Closed contours: filled and shaded, or lines within lines.

After the radial contours of Kataoka et al. 2022, "Replacing labeled real-image datasets
with auto-generated contours" (arXiv 2206.09132).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from examples.pretrain_nano.objects import FINE, FULL, SIDE, SUBPIXELS, empty, pack

ANGLES = np.linspace(0, 2 * np.pi, 128, endpoint=False)


@dataclass(frozen=True)
class Contour:
    """A radius over the angle, and what is drawn of it.

    Args:
        corners: Of a regular polygon that it begins with; below 3 a circle.
        waves: [n, 3], how many, how high and where.
        aspect: Height over width.
        lines: How many lines one within another; below 2 it is filled.
        rings: Lines on what is filled.
        shade: [3], light from two sides and from the middle, -1..1.
    """

    corners: int
    waves: np.ndarray
    aspect: float
    lines: int
    rings: int
    shade: np.ndarray

    @classmethod
    def sample(cls, rng: np.random.Generator) -> Contour:
        """Returns a contour of up to four waves."""
        n = int(rng.integers(1, 5))
        heights = rng.uniform(0.05, 0.45, n) / np.arange(1, n + 1)
        many, where = rng.integers(2, 9, n), rng.uniform(0, 2 * np.pi, n)
        return cls(
            corners=int(rng.integers(0, 8)),
            waves=np.stack([many, heights, where], axis=1),
            aspect=rng.uniform(0.4, 1),
            lines=int(rng.integers(0, 5)),
            rings=int(rng.integers(0, 3)),
            shade=rng.uniform(-1, 1, 3),
        )

    def image(self, rng: np.random.Generator) -> np.ndarray:
        """Returns uint8 [SIDE, SIDE, 2], a little another one every time."""
        outline = self._outline(rng)
        cover = empty()
        if self.lines > 1:
            width = int(rng.integers(1, 3))
            for line in range(self.lines):
                points = _fine(outline * (1 - 0.8 * line / self.lines))
                cv2.polylines(cover, [points], True, FULL, width, FINE, SUBPIXELS)
            return pack(np.full_like(cover, 200), cover)
        cv2.fillPoly(cover, [_fine(outline)], FULL, FINE, SUBPIXELS)
        y, x = np.mgrid[:SIDE, :SIDE].astype("float32") / SIDE - 0.5
        a, b, c = self.shade
        light = 0.55 + 0.5 * (a * x + b * y) + 2 * c * (x * x + y * y)
        gray = (FULL * light).clip(0, FULL).astype("uint8")
        for ring in range(self.rings):
            points, width = _fine(outline * (0.7 - 0.3 * ring)), int(rng.integers(1, 4))
            tone = FULL * (ring % 2)
            cv2.polylines(gray, [points], True, tone, width, FINE, SUBPIXELS)
        return pack(gray, cover)

    def _outline(self, rng: np.random.Generator) -> np.ndarray:
        """Points [128, 2], pixels from the middle."""
        radius = np.ones_like(ANGLES)
        if self.corners > 2:
            part = 2 * np.pi / self.corners
            radius = np.cos(part / 2) / np.cos(ANGLES % part - part / 2)
        for many, height, where in self.waves:
            phase = where + rng.normal(0, 0.1)
            radius += height * rng.uniform(0.8, 1.2) * np.cos(many * ANGLES + phase)
        radius = np.maximum(radius, 0.1) / np.abs(radius).max() * 0.46 * SIDE
        high = self.aspect * rng.uniform(0.9, 1.1)
        points = radius[:, None] * np.stack([np.cos(ANGLES), high * np.sin(ANGLES)], 1)
        # What is as high as wide has no upright position.
        turn = rng.uniform(0, 2 * np.pi) if self.aspect > 0.75 else rng.normal(0, 0.4)
        c, s = np.cos(turn), np.sin(turn)
        rotated: np.ndarray = points @ np.array([[c, s], [-s, c]])
        return rotated


def _fine(outline: np.ndarray) -> np.ndarray:
    places: np.ndarray = ((outline + SIDE / 2) * 2**SUBPIXELS).astype("int32")
    return places
