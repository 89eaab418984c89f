"""Intervals of accuracies and of fold scores.

Images of one group (duplicates, crops of one photo) are correct or incorrect together,
so they count for fewer images than there are.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.stats import t as student

# Normal quantile that leaves 2.5 % on either side.
Z95 = 1.959964


class Estimate(NamedTuple):
    """A value and the ends of its 95 % interval."""

    value: float
    low: float
    high: float


def wilson_interval(hits: float, n: float, z: float = Z95) -> tuple[float, float]:
    """Return the score interval of a proportion (Wilson 1927).

    Args:
        hits: Number of successes; need not be whole.
        n: Number of independent trials, at least 1; need not be whole.
        z: Normal quantile; the default gives 95 %.

    Returns:
        Low and high, within 0 and 1; exactly 0 without a hit, exactly 1 without a miss.
    """
    share = hits / n
    middle = share + z * z / (2 * n)
    half = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    # Exact at the ends, where rounding would leave 1e-17 or 0.9999999.
    low = (middle - half) / scale if hits else 0.0
    high = (middle + half) / scale if hits < n else 1.0
    return low, high


def design_effect(correct: np.ndarray, groups: Sequence[str] | np.ndarray) -> float:
    """Return how many grouped images tell as much as one independent image (Kish 1965).

    Args:
        correct: bool [N].
        groups: [N]; images with the same value stay together.

    Returns:
        At least 1; the mean group size where all images are correct, or none.
    """
    numbers = np.unique(np.asarray(groups), return_inverse=True)[1]
    variance = float(correct.var())
    if not variance:
        return len(correct) / (int(numbers.max()) + 1)
    sums = np.bincount(numbers, weights=correct - correct.mean())
    return max(1.0, float((sums**2).sum()) / (variance * len(correct)))


def accuracy(correct: np.ndarray, groups: Sequence[str] | np.ndarray) -> Estimate:
    """Return the share of correct predictions with its Wilson interval over groups.

    Args:
        correct: bool [N], N at least 1.
        groups: [N]; images with the same value stay together.

    Returns:
        The interval is that of N / `design_effect` independent images.
    """
    share, n = float(correct.mean()), len(correct) / design_effect(correct, groups)
    return Estimate(share, *wilson_interval(share * n, n))


def standard_error(estimate: Estimate) -> float:
    """Return the standard error from an interval; above 0 also at accuracy 1."""
    return (estimate.high - estimate.low) / (2 * Z95)


def one_standard_error(
    accuracies: Sequence[float], error: float, costs: Sequence[float]
) -> int:
    """Return the cheapest candidate within one standard error of the best.

    The rule of Breiman et al. (1984, Classification and Regression Trees, 3.4.3).

    Args:
        accuracies: One per candidate.
        error: Standard error of the highest accuracy.
        costs: One per candidate.

    Returns:
        Index of the candidate; of equal costs, the more accurate one.
    """
    enough = max(accuracies) - error
    fit = [i for i, share in enumerate(accuracies) if share >= enough]
    return min(fit, key=lambda i: (costs[i], -accuracies[i]))


@dataclass(frozen=True)
class Spread:
    """Fold scores: mean, standard deviation, 95 % interval and p-value of mean 0."""

    mean: float
    sd: float
    low: float
    high: float
    p: float


def spread(scores: np.ndarray, tested: float) -> Spread:
    """Summarize scores by fold, or differences of two models by fold.

    Folds share most of their training images, so their scores are dependent. Nadeau and
    Bengio (2003, Machine Learning 52:239) put 1 / J + tested in place of 1 / J; for
    repeated k-fold see Bouckaert and Frank (2004, PAKDD).

    Args:
        scores: float [J], J at least 2.
        tested: Test images per training image in a fold.

    Returns:
        Interval and two-sided p by the corrected t-test; low equals high and p is 0 or
        1 if all scores are the same.
    """
    count = len(scores)
    mean, sd = float(scores.mean()), float(scores.std(ddof=1))
    error = sd * math.sqrt(1 / count + tested)
    half = error * float(student.ppf(0.975, count - 1))
    if error:
        p = 2 * float(student.sf(abs(mean) / error, count - 1))
    else:
        p = 1.0 if mean == 0 else 0.0
    return Spread(mean, sd, mean - half, mean + half, p)
