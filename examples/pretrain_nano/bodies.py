"""Bodies: several shaded parts, round or square, some with limbs."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from examples.pretrain_nano.objects import FINE, FULL, SIDE, SUBPIXELS, empty, pack

# Light falls from the outline of a part to its middle, in so many steps.
TONES = 4


@dataclass(frozen=True)
class Part:
    """An ellipse or a rectangle.

    Args:
        middle: [2], -0.5..0.5.
        radius: Half its length, in shares of the side.
        aspect: Width over length.
        angle: Degrees.
        tone: How light it is, 0..1.
        square: Whether it is a rectangle.
    """

    middle: np.ndarray
    radius: float
    aspect: float
    angle: float
    tone: float
    square: bool


@dataclass(frozen=True)
class Body:
    """Parts, and limbs below them.

    Args:
        parts: Drawn in this order.
        limbs: [n, 3, 2], a line over three points each.
        width: Of the limbs, in pixels.
    """

    parts: tuple[Part, ...]
    limbs: np.ndarray
    width: int

    @classmethod
    def sample(cls, rng: np.random.Generator) -> Body:
        """Returns two to six parts with up to four limbs."""
        parts = tuple(
            Part(
                middle=rng.uniform(-0.3, 0.3, 2),
                radius=rng.uniform(0.08, 0.3),
                aspect=rng.uniform(0.3, 1),
                angle=rng.uniform(0, 180),
                tone=rng.uniform(0.3, 1),
                square=bool(rng.random() < 0.25),
            )
            for _ in range(int(rng.integers(2, 7)))
        )
        limbs = rng.uniform(-0.48, 0.48, (int(rng.integers(0, 5)), 3, 2))
        limbs[:, 0] *= 0.5
        return cls(parts, limbs, int(rng.integers(1, 4)))

    def image(self, rng: np.random.Generator) -> np.ndarray:
        """Returns uint8 [SIDE, SIDE, 2], its parts moved and rotated a little."""
        cover, gray = empty(), empty()
        for limb in self.limbs:
            points = _pixels(limb + rng.normal(0, 0.02, limb.shape)) * 2**SUBPIXELS
            line = [points.astype("int32")]
            for layer, tone in ((cover, FULL), (gray, 60)):
                cv2.polylines(layer, line, False, tone, self.width, FINE, SUBPIXELS)
        for part in self.parts:
            x, y = _pixels(part.middle + rng.normal(0, 0.02, 2))
            long = 2 * part.radius * SIDE * rng.uniform(0.85, 1.15)
            angle = part.angle + rng.normal(0, 8)
            for tone in range(TONES):
                share = 1 - tone / TONES
                size = (long * share, long * share * part.aspect)
                box = ((float(x), float(y)), size, angle)
                light = int(FULL * part.tone * (0.55 + 0.15 * tone))
                _fill(gray, box, light, part.square)
                if tone == 0:
                    _fill(cover, box, FULL, part.square)
        return pack(gray, cover)


def _pixels(points: np.ndarray) -> np.ndarray:
    places: np.ndarray = (0.95 * points + 0.5) * SIDE
    return places


def _fill(
    layer: np.ndarray,
    box: tuple[tuple[float, float], tuple[float, float], float],
    tone: int,
    square: bool,
) -> None:
    if square:
        cv2.fillPoly(layer, [cv2.boxPoints(box).astype("int32")], tone, FINE)
    else:
        cv2.ellipse(layer, box, tone, -1, FINE)
