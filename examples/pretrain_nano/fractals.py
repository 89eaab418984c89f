"""Fractals: attractors of iterated function systems, drawn by the chaos game.

Kataoka et al. 2020, "Pre-training without natural images" (arXiv 2101.08515); which
systems look like something, by their singular values: Anderson and Farrell 2022,
"Improving fractal pre-training" (arXiv 2110.03091).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from examples.pretrain_nano.objects import FULL, SIDE, pack

# Points of so many chains are computed at once; the first steps lead to the attractor.
CHAINS, STEPS, LEAD = 512, 60, 15


@dataclass(frozen=True)
class Fractal:
    """A system of affine maps x -> A x + b.

    Args:
        maps: float32 [n, 2, 2], the A.
        shifts: float32 [n, 2], the b.
    """

    maps: np.ndarray
    shifts: np.ndarray

    @classmethod
    def sample(cls, rng: np.random.Generator) -> Fractal:
        """Returns a system of two to four maps that contract, but not too much."""
        n = int(rng.integers(2, 5))
        while True:
            maps = np.stack([_contraction(rng) for _ in range(n)])
            singular = np.linalg.svd(maps, compute_uv=False)
            weight = (singular[:, 0] + 2 * singular[:, 1]).sum()
            if 0.4 * (5 + n) < weight < 0.5 * (6 + n):
                shifts = rng.uniform(-1, 1, (n, 2))
                return cls(maps.astype("float32"), shifts.astype("float32"))

    def image(self, rng: np.random.Generator) -> np.ndarray:
        """Returns uint8 [SIDE, SIDE, 2], a little another one every time."""
        n = len(self.maps)
        maps = self.maps * rng.uniform(0.9, 1.05, (n, 1, 1)).astype("float32")
        shifts = self.shifts * rng.uniform(0.9, 1.1, (n, 2)).astype("float32")
        points = np.nan_to_num(attractor(maps, shifts, rng), posinf=0, neginf=0)
        low, high = np.percentile(points, [1, 99], axis=0)
        size = max(1e-3, float((high - low).max()))
        places = ((points - (low + high) / 2) * (0.9 * SIDE / size) + SIDE / 2).astype(
            int
        )
        places = places[((places >= 0) & (places < SIDE)).all(axis=1)]
        flat = places[:, 1] * SIDE + places[:, 0]
        counts = np.bincount(flat, minlength=SIDE * SIDE).reshape(SIDE, SIDE)
        gray = np.log1p(counts.astype("float32"))
        cover = cv2.GaussianBlur((counts > 0).astype("float32"), (3, 3), 0.6)
        return pack(FULL * gray / max(1e-3, gray.max()), 1.4 * FULL * cover)


def attractor(
    maps: np.ndarray, shifts: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Points of the attractor.

    Args:
        maps: float32 [n, 2, 2].
        shifts: float32 [n, 2].
        rng: Draws which map comes next, by how much of the plane each keeps.

    Returns:
        float32 [N, 2].
    """
    shares = np.abs(np.linalg.det(maps)) + 0.02
    drawn = rng.choice(len(maps), (STEPS, CHAINS), p=shares / shares.sum())
    points = np.zeros((CHAINS, 2), "float32")
    found = []
    for step in drawn:
        points = np.einsum("nij,nj->ni", maps[step], points) + shifts[step]
        found.append(points)
    return np.concatenate(found[LEAD:])


def _contraction(rng: np.random.Generator) -> np.ndarray:
    first = rng.uniform(0.3, 0.95)
    stretch = np.diag([first, rng.uniform(0.1, first)])
    left, right = (_rotation(rng.uniform(-np.pi, np.pi)) for _ in range(2))
    mirror: np.ndarray = np.diag(np.sign(rng.uniform(-1, 1, 2)))
    contraction: np.ndarray = left @ stretch @ right @ mirror
    return contraction


def _rotation(angle: float) -> np.ndarray:
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, -s], [s, c]])
