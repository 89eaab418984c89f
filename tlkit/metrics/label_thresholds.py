"""Thresholds of several labels.

Each class gets the threshold with the best F1 on the validation split. On few positives
such a threshold follows noise (Yang 2001, "A study of thresholding strategies for text
categorization"), so rare classes share one that is best for all predictions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

# With fewer positives (or negatives) a recall is known to within about 0.3 only: too
# little to choose by.
ENOUGH = 10
MIDDLE = 0.5


def choose_thresholds(
    truth: np.ndarray, scores: np.ndarray, labels: Sequence[str]
) -> list[dict[str, Any]]:
    """Choose the threshold of each class.

    Args:
        truth: bool [N, n], of images that were not trained on.
        scores: float [N, n], probabilities.
        labels: The n class names.

    Returns:
        Per class its `name`, `threshold` and `by`: "class" where it has ENOUGH
        positives and negatives, "all" for the shared one, "default" for 0.5 where all
        classes together do not have enough.
    """
    shared, by = MIDDLE, "default"
    if _enough(truth):
        shared, by = best_threshold(truth.ravel(), scores.ravel()), "all"
    chosen = []
    for name, true, column in zip(labels, truth.T, scores.T, strict=True):
        own = _enough(true)
        chosen.append(
            {
                "name": name,
                "threshold": best_threshold(true, column) if own else shared,
                "by": "class" if own else by,
            }
        )
    return chosen


def _enough(truth: np.ndarray) -> bool:
    return min(int(truth.sum()), int((~truth).sum())) >= ENOUGH


def best_threshold(truth: np.ndarray, scores: np.ndarray) -> float:
    """Return the threshold with the best F1."""
    order = np.argsort(-scores, kind="stable")
    falling = scores[order].astype(np.float64)
    found = np.cumsum(truth[order])
    # The k highest scores as positives: F1 = 2 found / (k + positives).
    f1 = 2 * found / (np.arange(1, len(falling) + 1) + found[-1])
    cuts = (falling + np.append(falling[1:], 0.0)) / 2
    # Equal scores cannot be separated.
    possible = np.append(falling[:-1] > falling[1:], True)
    best = possible & (f1 >= f1[possible].max() - 1e-12)
    return float(min(cuts[best], key=lambda cut: abs(cut - MIDDLE)))
