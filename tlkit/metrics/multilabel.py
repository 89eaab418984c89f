"""Metrics of images with several labels, with percentile intervals over groups."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.metrics import log_loss

from tlkit.metrics.bootstrap import PERCENTILES, Bootstrap
from tlkit.metrics.intervals import accuracy, wilson_interval


def measure_labels(
    truth: np.ndarray,
    scores: np.ndarray,
    present: np.ndarray,
    groups: Sequence[str],
    labels: Sequence[str],
    *,
    seed: int = 0,
) -> dict[str, Any]:
    """Compute average precision, F1 and more, each with its interval.

    Args:
        truth: bool [N, n], the labels of each image.
        scores: float [N, n], the probability of each label.
        present: bool [N, n], the predicted labels.
        groups: N names; images with the same name are drawn together.
        labels: The n class names.
        seed: Seed of the bootstrap.

    Returns:
        See `tlkit.evaluate`. An undefined metric, such as the average precision of a
        class without images, is None and does not enter the means.
    """
    weights = Bootstrap(groups, seed=seed).weights
    columns = {
        "ap": np.stack(
            [
                average_precision(*c, weights)
                for c in zip(truth.T, scores.T, strict=True)
            ]
        ),
        **_counted(truth, present, weights),
    }
    units = len(set(groups))
    holders = [len({g for g, t in zip(groups, c, strict=True) if t}) for c in truth.T]
    macro = {
        "map": _mean(columns["ap"]),
        "macro_f1": _mean(columns["f1"]),
        "micro_f1": _micro_f1(truth, present, weights),
    }
    share, low, high = accuracy((truth == present).all(axis=1), groups)
    loss = log_loss(truth.ravel(), scores.ravel().astype(np.float64), labels=[0, 1])
    metrics: dict[str, Any] = {"n": len(truth), "loss": float(loss)}
    for name, drawn in macro.items():
        metrics |= _with_interval(name, drawn, units)
    metrics |= {"subset_accuracy": share, "subset_accuracy_ci95": [low, high]}
    metrics["per_class"] = [
        {
            "name": name,
            "support": int(truth[:, i].sum()),
            "predicted": int(present[:, i].sum()),
            **{
                key: value
                for column, drawn in columns.items()
                for key, value in _with_interval(column, drawn[i], holders[i]).items()
            },
        }
        for i, name in enumerate(labels)
    ]
    return {**metrics, "labels": list(labels)}


def average_precision(
    truth: np.ndarray, scores: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """Return the mean precision over the recalls of a falling threshold, [D]."""
    order = np.argsort(-scores, kind="stable")
    # Equal scores are passed by the threshold at once.
    ends = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)
    drawn = weights[:, order]
    passed = np.cumsum(drawn, axis=1)[:, ends]
    found = np.cumsum(drawn * truth[order], axis=1)[:, ends]
    precision = _ratio(found, passed, otherwise=0.0)
    steps = np.diff(found, axis=1, prepend=0.0)
    return _ratio((precision * steps).sum(axis=1), found[:, -1])


def _counted(
    truth: np.ndarray, present: np.ndarray, weights: np.ndarray
) -> dict[str, np.ndarray]:
    """Return precision, recall, F1 of each class, [n, D]; NaN in a draw without it."""
    hits, predicted, there = (w.T for w in _counts(truth, present, weights))
    shown = np.where(there > 0, 1.0, np.nan)
    return {
        "precision": _ratio(hits, predicted, otherwise=0.0) * shown,
        "recall": _ratio(hits, there),
        "f1": _ratio(2 * hits, predicted + there) * shown,
    }


def _counts(
    truth: np.ndarray, present: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Count hits, predictions and true labels of each class, [D, n]."""
    return weights @ (truth & present), weights @ present, weights @ truth


def _micro_f1(
    truth: np.ndarray, present: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    hits, predicted, there = (c.sum(axis=1) for c in _counts(truth, present, weights))
    return _ratio(2 * hits, predicted + there)


def _ratio(
    part: np.ndarray, whole: np.ndarray, *, otherwise: float = np.nan
) -> np.ndarray:
    out: np.ndarray = np.full(part.shape, otherwise, np.float64)
    np.divide(part, whole, out=out, where=whole > 0)
    return out


def _mean(columns: np.ndarray) -> np.ndarray:
    """Average over the classes present in each draw, [n, D] to [D]."""
    there = ~np.isnan(columns)
    total: np.ndarray = np.where(there, columns, 0.0).sum(axis=0)
    return _ratio(total, there.sum(axis=0))


def _with_interval(name: str, drawn: np.ndarray, units: int) -> dict[str, Any]:
    """Return a metric and its interval from its values in all draws."""
    value, known = drawn[0], drawn[1:][~np.isnan(drawn[1:])]
    if np.isnan(value) or not len(known):
        return {name: None, f"{name}_ci95": None}
    low, high = (float(end) for end in np.percentile(known, PERCENTILES))
    # Draws from a sample without errors (or without hits) cannot show the next error:
    # the far end is that of the Wilson interval.
    if value == 1.0:
        low = min(low, wilson_interval(units, units)[0])
    if value == 0.0:
        high = max(high, wilson_interval(0, units)[1])
    return {name: float(value), f"{name}_ci95": [low, high]}
