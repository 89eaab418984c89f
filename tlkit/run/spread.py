"""Scores by fold in, their mean, spread and interval out; and of two, the difference.

Folds share most of what they learn from, so that their scores depend on each other and
the usual variance of a mean is too small. Nadeau and Bengio (2003, Machine Learning
52:239-281) put 1 / J + tested / learnt in place of 1 / J; for repeated k-fold see
Bouckaert and Frank (2004, PAKDD).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import t as student

DRAWS = 2000


@dataclass(frozen=True)
class Spread:
    """Of J scores.

    Attributes:
        mean: Of them.
        sd: Standard deviation from one fold to the next.
        low: Of the 95 % interval of the mean, by the corrected variance.
        high: Likewise; equal to low if all scores are the same.
        p: How likely a mean so far from 0 would be if there were nothing behind it,
            by the corrected t-test, two-sided.
    """

    mean: float
    sd: float
    low: float
    high: float
    p: float


def spread(scores: np.ndarray, tested: float) -> Spread:
    """Mean, spread and interval of scores by fold, or of differences of two.

    Args:
        scores: float [J], at least two.
        tested: Pictures held out in a fold for each one that it learns from.

    Returns:
        All of it.
    """
    count = len(scores)
    mean, sd = float(scores.mean()), float(scores.std(ddof=1))
    error = sd * float(np.sqrt(1 / count + tested))
    half = error * float(student.ppf(0.975, count - 1))
    if error:
        p = 2 * float(student.sf(abs(mean) / error, count - 1))
    else:
        p = 1.0 if mean == 0 else 0.0
    return Spread(mean, sd, mean - half, mean + half, p)


def bootstrap(
    values: np.ndarray, groups: np.ndarray, *, seed: int = 0
) -> tuple[float, float]:
    """The 95 % interval of a mean by the bootstrap over groups (Efron 1979).

    Args:
        values: float [N], one a picture.
        groups: [N], which pictures are drawn together.
        seed: Of the draws.

    Returns:
        Low and high.
    """
    _, index = np.unique(groups, return_inverse=True)
    sums, sizes = np.bincount(index, values), np.bincount(index)
    rng = np.random.default_rng(seed)
    drawn = rng.integers(len(sums), size=(DRAWS, len(sums)))
    means = sums[drawn].sum(axis=1) / sizes[drawn].sum(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)
