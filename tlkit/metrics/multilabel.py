"""True labels and probabilities in, figures with intervals out: several labels.

Intervals are percentiles over a seeded bootstrap that draws groups, so that near copies
and crops of one photo, which are right or wrong together, count as the one they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.metrics import log_loss

from tlkit.metrics.multiclass import wilson_interval

DRAWS = 1000
PERCENTILES = (2.5, 97.5)


def measure_labels(
    truth: np.ndarray,
    scores: np.ndarray,
    present: np.ndarray,
    groups: Sequence[str],
    labels: Sequence[str],
    *,
    seed: int = 0,
) -> dict[str, Any]:
    """What there is to say of answers with several labels.

    Args:
        truth: bool [N, n], the labels of each image.
        scores: float [N, n], the probability of each label.
        present: bool [N, n], the labels that are answered.
        groups: N names; what bears the same is drawn together.
        labels: The n class names.
        seed: Of the bootstrap.

    Returns:
        See `tlkit.evaluate`. What is not defined, as the average precision of a class
        without an image here, is None and does not enter the means.
    """
    weights = bootstrap_weights(groups, seed=seed)
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
    every = int((truth == present).all(axis=1).sum())
    figures: dict[str, Any] = {"n": len(truth), "loss": _loss(truth, scores)}
    for name, drawn in macro.items():
        figures |= _with_interval(name, drawn, units)
    figures["subset_accuracy"] = every / len(truth)
    figures["subset_accuracy_ci95"] = list(wilson_interval(every, len(truth)))
    figures["per_class"] = [
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
    return {**figures, "labels": list(labels)}


def bootstrap_weights(groups: Sequence[str], *, seed: int) -> np.ndarray:
    """How often each image is drawn in each draw."""
    _, member = np.unique(np.asarray(groups), return_inverse=True)
    number = int(member.max()) + 1
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(number, np.full(number, 1 / number), size=DRAWS)
    return np.vstack([np.ones(len(member)), drawn[:, member]])


def average_precision(
    truth: np.ndarray, scores: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """The mean precision over the recalls that a falling threshold reaches."""
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
    """Precision, recall and F1 of each class, [n, D]; a draw without it has NaN."""
    hits, said, there = (w.T for w in _counts(truth, present, weights))
    shown = np.where(there > 0, 1.0, np.nan)
    return {
        "precision": _ratio(hits, said, otherwise=0.0) * shown,
        "recall": _ratio(hits, there),
        "f1": _ratio(2 * hits, said + there) * shown,
    }


def _counts(
    truth: np.ndarray, present: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rightly answered, answered, and true ones of each class, [D, n]."""
    return weights @ (truth & present), weights @ present, weights @ truth


def _micro_f1(
    truth: np.ndarray, present: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    hits, said, there = (c.sum(axis=1) for c in _counts(truth, present, weights))
    return _ratio(2 * hits, said + there)


def _ratio(
    part: np.ndarray, whole: np.ndarray, *, otherwise: float = np.nan
) -> np.ndarray:
    out: np.ndarray = np.full(part.shape, otherwise, np.float64)
    np.divide(part, whole, out=out, where=whole > 0)
    return out


def _mean(columns: np.ndarray) -> np.ndarray:
    """The mean over the classes that there are in each draw, [n, D] to [D]."""
    there = ~np.isnan(columns)
    total: np.ndarray = np.where(there, columns, 0.0).sum(axis=0)
    return _ratio(total, there.sum(axis=0))


def _with_interval(name: str, drawn: np.ndarray, units: int) -> dict[str, Any]:
    """A figure and its interval, from its values in all draws, the first as it is."""
    value, known = drawn[0], drawn[1:][~np.isnan(drawn[1:])]
    if np.isnan(value) or not len(known):
        return {name: None, f"{name}_ci95": None}
    low, high = (float(end) for end in np.percentile(known, PERCENTILES))
    # Draws from what is all right, or all wrong, cannot show what the next image will
    # be like: there the far end is that of so many out of so many.
    if value == 1.0:
        low = min(low, wilson_interval(units, units)[0])
    if value == 0.0:
        high = max(high, wilson_interval(0, units)[1])
    return {name: float(value), f"{name}_ci95": [low, high]}


def _loss(truth: np.ndarray, scores: np.ndarray) -> float:
    """Binary cross-entropy, the mean over classes and images."""
    return float(
        log_loss(truth.ravel(), scores.ravel().astype(np.float64), labels=[0, 1])
    )
