"""The power law of learning curves: err(n) = a + b n^-c.

How errors fall with the number of examples (Hestness et al. 2017, arXiv 1712.00409); it
fits most learning curves, and none must (Viering and Loog 2023, arXiv 2103.10948).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# From hardly falling to as fast as the mean of independent draws gets exact.
EXPONENTS = np.linspace(0.05, 1.0, 39)


@dataclass(frozen=True)
class PowerLaws:
    """Laws, one an entry.

    Attributes:
        floor: float [B], the error that stays however many examples there are, a.
        height: float [B], b, for n as a share of `unit`; both are 0 or more.
        exponent: float [B], c, one of EXPONENTS.
        unit: Number of examples.
    """

    floor: np.ndarray
    height: np.ndarray
    exponent: np.ndarray
    unit: float

    def __call__(self, sizes: np.ndarray) -> np.ndarray:
        """Return the errors at these sizes, float [B, S]."""
        falling = (np.asarray(sizes) / self.unit) ** -self.exponent[:, None]
        errors: np.ndarray = self.floor[:, None] + self.height[:, None] * falling
        return errors


def fit_power_laws(
    sizes: np.ndarray, errors: np.ndarray, weights: np.ndarray
) -> PowerLaws:
    """Fit laws by least squares.

    Args:
        sizes: [S], numbers of examples, at least three different ones.
        errors: float [B, S], of each curve.
        weights: float [S], of the squares, above 0.

    Returns:
        One law a curve. Given the exponent the law is linear, so that each exponent is
        tried with the best floor and height that are not negative.
    """
    unit = float(np.max(sizes))
    weights = weights / weights.sum()
    best = np.full(len(errors), np.inf)
    floor, height, exponent = (np.zeros(len(errors)) for _ in range(3))
    for c in EXPONENTS:
        falling = (sizes / unit) ** -c
        for a, b in _lines(falling, errors, weights):
            left = errors - a[:, None] - b[:, None] * falling
            squares = (left**2) @ weights
            better = (a >= 0) & (b >= 0) & (squares < best)
            best[better] = squares[better]
            floor[better], height[better], exponent[better] = a[better], b[better], c
    return PowerLaws(floor, height, exponent, unit)


def _lines(
    x: np.ndarray, y: np.ndarray, weights: np.ndarray
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Intercept and slope of y over x: the best, that without either of both."""
    x_mean, y_mean = x @ weights, y @ weights
    slope = ((y - y_mean[:, None]) * (x - x_mean)) @ weights
    slope /= (x - x_mean) ** 2 @ weights
    through_zero = (y * x) @ weights / (x**2 @ weights)
    none = np.zeros(len(y))
    return [(y_mean - slope * x_mean, slope), (none, through_zero), (y_mean, none)]
