"""Scores by fold in, their mean, spread and interval out; and of two, the difference.

Folds share most of what they learn from, so that their scores depend on each other and
the usual variance of a mean is too small. Nadeau and Bengio (2003, Machine Learning
52:239-281) put 1 / J + tested / learned in place of 1 / J; for repeated k-fold see
Bouckaert and Frank (2004, PAKDD).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import t as student


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
        tested: Images held out in a fold for each one that it learns from.

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
