"""Grounds: colored textures, of filtered noise, cells or waves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

SIDE = 96
CLOUDS, BANDS, GRAIN, CELLS, WAVES = range(5)
EDGED, RIDGED, FOLDED = 1, 2, 3

_Y, _X = np.meshgrid(np.fft.fftfreq(SIDE), np.fft.rfftfreq(SIDE), indexing="ij")
FREQUENCY, DIRECTION = np.hypot(_X, _Y) + 1e-6, np.arctan2(_Y, _X)
HIGH, WIDE = np.mgrid[:SIDE, :SIDE]


@dataclass(frozen=True)
class Ground:
    """A class of textures.

    Args:
        kind: CLOUDS of all frequencies, BANDS of one frequency, GRAIN of one frequency
            and direction, CELLS around points, or WAVES.
        fall: By which power of the frequency clouds fade.
        frequency: Of bands, grain and waves, cycles a pixel.
        band: Octaves to each side, nearly (in e-folds).
        angle: Radians.
        spread: Of the direction, radians; none above 1.
        form: What is made of the field: EDGED, RIDGED, FOLDED or 0 for nothing.
        level: Where an edge is, 0..1.
        cells: Their number.
        across: Frequency of the waves across, relative.
        palette: float [3, 3], RGB 0..255 of low, middle and high.
    """

    kind: int
    fall: float
    frequency: float
    band: float
    angle: float
    spread: float
    form: int
    level: float
    cells: int
    across: float
    palette: np.ndarray

    @classmethod
    def sample(cls, rng: np.random.Generator) -> Ground:
        """Returns a texture; half of them are of nearly one color."""
        palette = rng.uniform(0, 255, (3, 3))
        if rng.random() < 0.5:
            palette = palette.mean(0) + 0.35 * (palette - palette.mean(0))
        return cls(
            kind=int(rng.integers(0, 5)),
            fall=rng.uniform(0.6, 2.2),
            frequency=np.exp(rng.uniform(np.log(0.02), np.log(0.3))),
            band=rng.uniform(0.15, 0.6),
            angle=rng.uniform(-np.pi / 2, np.pi / 2),
            spread=float(rng.choice([0.15, 0.4, 9])),
            form=int(rng.integers(0, 4)),
            level=rng.uniform(0.3, 0.7),
            cells=int(np.exp(rng.uniform(np.log(6), np.log(150)))),
            across=rng.uniform(0.5, 2),
            palette=palette,
        )

    def image(self, rng: np.random.Generator) -> np.ndarray:
        """Returns uint8 [SIDE, SIDE, 3], RGB, another one every time."""
        if self.kind == CELLS:
            field = _cells(rng.uniform(0, SIDE, (self.cells, 2)))
        elif self.kind == WAVES:
            field = self._waves(rng)
        else:
            field = self._noise(rng)
        share = np.clip((self._formed(field) + 2) / 4, 0, 1)[..., None]
        low, middle, high = self.palette + rng.normal(0, 12, (3, 3))
        lower = low + 2 * share * (middle - low)
        upper = middle + 2 * (share - 0.5) * (high - middle)
        colors: np.ndarray = np.where(share < 0.5, lower, upper)
        return colors.clip(0, 255).astype("uint8")

    def _noise(self, rng: np.random.Generator) -> np.ndarray:
        waves = np.fft.rfft2(rng.standard_normal((SIDE, SIDE)))
        if self.kind == CLOUDS:
            weight = FREQUENCY**-self.fall * (FREQUENCY > 0.5 / SIDE)
        else:
            octaves = np.log(FREQUENCY / self.frequency) / self.band
            weight = np.exp(-0.5 * octaves**2)
        if self.kind == GRAIN or self.spread < 1:
            off = np.angle(np.exp(2j * (DIRECTION - self.angle))) / 2
            weight = weight * np.exp(-0.5 * (off / self.spread) ** 2)
        return _scaled(np.fft.irfft2(waves * weight, s=(SIDE, SIDE)))

    def _waves(self, rng: np.random.Generator) -> np.ndarray:
        turn, speed = self.angle + rng.normal(0, 0.05), 1.2 * np.pi * self.frequency
        c, s = np.cos(turn), np.sin(turn)
        first, second = rng.uniform(0, 2 * np.pi, 2)
        along = np.cos(speed * (WIDE * c + HIGH * s) + first)
        across = np.cos(speed * self.across * (HIGH * c - WIDE * s) + second)
        field: np.ndarray = 1.4 * (along * across if self.form >= RIDGED else along)
        return field

    def _formed(self, field: np.ndarray) -> np.ndarray:
        if self.form == EDGED:
            field = 0.9 * np.sign(field + 2 * self.level - 1)
        elif self.form == RIDGED:
            field = 1.5 * np.abs(field) - 1.2
        elif self.form == FOLDED:
            field = np.sin(3 * field)
        return field


def _scaled(field: np.ndarray) -> np.ndarray:
    scaled: np.ndarray = field / (field.std() + 1e-6)
    return scaled


def _cells(points: np.ndarray) -> np.ndarray:
    """Return how much farther the second nearest point is than the nearest."""
    y, x = points.T
    far = np.hypot(HIGH[..., None] - y, WIDE[..., None] - x)
    far.partition(1, axis=-1)
    return _scaled(far[..., 1] - far[..., 0]) - 1
