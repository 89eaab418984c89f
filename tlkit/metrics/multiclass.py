"""True classes and probabilities in, figures with intervals out: one label each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.metrics import (
    confusion_matrix,
    f1_score,
    log_loss,
    precision_recall_fscore_support,
)


def measure(
    truth: np.ndarray, scores: np.ndarray, labels: Sequence[str]
) -> dict[str, Any]:
    """Accuracy with its interval, loss, and figures for each class.

    Args:
        truth: int [N], indices of the true classes.
        scores: float [N, n], rows summing to 1.
        labels: The n class names.

    Returns:
        See `tlkit.evaluate`. A class never predicted has precision 0.
    """
    called = scores.argmax(axis=1)
    every = list(range(len(labels)))
    shares = scores.astype(np.float64)
    shares /= shares.sum(axis=1, keepdims=True)
    right = int((called == truth).sum())
    columns = precision_recall_fscore_support(
        truth, called, labels=every, zero_division=0
    )
    return {
        "n": len(truth),
        "accuracy": right / len(truth),
        "accuracy_ci95": list(wilson_interval(right, len(truth))),
        "loss": float(log_loss(truth, shares, labels=every)),
        "macro_f1": float(
            f1_score(truth, called, labels=every, average="macro", zero_division=0)
        ),
        "per_class": [
            {
                "name": name,
                "precision": float(precision),
                "recall": float(recall),
                "f1": float(f1),
                "support": int(support),
            }
            for name, precision, recall, f1, support in zip(
                labels, *columns, strict=True
            )
        ],
        "labels": list(labels),
        "confusion": confusion_matrix(truth, called, labels=every).tolist(),
    }


def wilson_interval(right: float, n: float, z: float = 1.959964) -> tuple[float, float]:
    """The score interval of a proportion (Wilson 1927).

    Args:
        right: Number of successes; as a mean it need not be whole.
        n: Number of trials, at least 1; not whole where they are not independent.
        z: Normal quantile; the default gives 95 %.

    Returns:
        Low and high, within 0 and 1; exactly 0 where none is right, 1 where all are.
    """
    share = right / n
    middle = share + z * z / (2 * n)
    half = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    # Exact at the ends, where rounding would leave 1e-17 or 0.9999999.
    low = (middle - half) / scale if right else 0.0
    high = (middle + half) / scale if right < n else 1.0
    return low, high
