"""Metrics of images with one label each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.metrics import classification_report, confusion_matrix, log_loss

from tlkit.metrics.intervals import accuracy


def measure(
    truth: np.ndarray,
    scores: np.ndarray,
    groups: Sequence[str],
    labels: Sequence[str],
) -> dict[str, Any]:
    """Compute accuracy with its interval, loss, and the metrics of each class.

    Args:
        truth: int [N], indices of the true classes.
        scores: float [N, n], probabilities; rows sum to 1.
        groups: N names; images with the same name are not independent.
        labels: The n class names.

    Returns:
        See `tlkit.evaluate`. A class never predicted has precision 0.
    """
    predicted, every = scores.argmax(axis=1), list(range(len(labels)))
    shares = scores.astype(np.float64)
    shares /= shares.sum(axis=1, keepdims=True)
    rows = classification_report(
        truth, predicted, labels=every, output_dict=True, zero_division=0
    )
    share, low, high = accuracy(predicted == truth, groups)
    return {
        "n": len(truth),
        "accuracy": share,
        "accuracy_ci95": [low, high],
        "loss": float(log_loss(truth, shares, labels=every)),
        "macro_f1": float(rows["macro avg"]["f1-score"]),
        "per_class": [
            {
                "name": name,
                "precision": float(rows[str(i)]["precision"]),
                "recall": float(rows[str(i)]["recall"]),
                "f1": float(rows[str(i)]["f1-score"]),
                "support": int(rows[str(i)]["support"]),
            }
            for i, name in enumerate(labels)
        ],
        "labels": list(labels),
        "confusion": confusion_matrix(truth, predicted, labels=every).tolist(),
    }
