"""Frozen features in, a linear probe out: the first result, in seconds.

Multinomial logistic regression on the pooled features, its strength of regularisation
chosen by cross-validation among the images it learns from; no other side is looked
at. Frozen features with a linear classifier are the baseline that is hardest to beat
on few images (Kornblith et al. 2019, arXiv 1805.08974), and the place to start
tuning from (Kumar et al. 2022, arXiv 2202.10054).
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from threadpoolctl import threadpool_limits

from tlkit.dataset.splitting.folds import Fold, most_folds, stratified_folds

# Inverse strengths that are tried, for features of unit mean square, weakest last.
STRENGTHS = tuple(float(c) for c in 10.0 ** np.arange(-5, 3))
# What is taken where a class is too small for cross-validation.
STRENGTH_UNCHECKED = 1e-2
FOLDS = 5
ITERATIONS = 1000
UNSEEN = -20.0


@dataclass(frozen=True)
class Probe:
    """A linear classifier on features.

    Attributes:
        kernel: float32 [C, n].
        bias: float32 [n].
        strength: The inverse strength of regularisation that was chosen.
        folds: How many folds chose it, 0 if there were too few images for any.
        held_out: float32 [N, n], class probabilities of the images it learned from,
            each from a fold that did not see it; empty without folds.
        loss: Mean log loss of these; it chose the strength, so it is on the bright
            side by what one choice among eight gains.
    """

    kernel: np.ndarray
    bias: np.ndarray
    strength: float
    folds: int
    held_out: np.ndarray
    loss: float

    def __call__(self, features: np.ndarray) -> np.ndarray:
        """Classify."""
        return softmax(features @ self.kernel + self.bias)


def softmax(logits: np.ndarray) -> np.ndarray:
    """Class probabilities."""
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(shares / shares.sum(axis=1, keepdims=True), np.float32)


def fit_probe(
    features: np.ndarray,
    targets: np.ndarray,
    groups: np.ndarray,
    *,
    classes: int,
    seed: int,
    balanced: bool = False,
) -> Probe:
    """Learn a probe.

    Args:
        features: float32 [N, C].
        targets: int [N]; every class is among them.
        groups: [N], which examples stay together in cross-validation.
        classes: How many there are, n.
        seed: Of the folds.
        balanced: Whether every class counts the same, however many it has.

    Returns:
        The probe, learned from all N.
    """
    # The steps of the solver are many and small: threads would wait for each other, ten
    # times as long as the steps take.
    with threadpool_limits(limits=1, user_api="blas"):
        weights = _weights(targets) if balanced else np.ones(len(targets))
        return _fit(features, targets, groups, weights, classes, seed)


def _fit(
    features: np.ndarray,
    targets: np.ndarray,
    groups: np.ndarray,
    weights: np.ndarray,
    classes: int,
    seed: int,
) -> Probe:
    middle = features.mean(axis=0)
    scale = float(np.sqrt(np.mean((features - middle) ** 2))) or 1.0
    # The best weights lie in the span of the examples, so that turning to its axes
    # changes nothing but the number of columns: N rather than C where N is less.
    rows, axes = turned((features - middle) / scale)
    folds = min(FOLDS, most_folds(targets, groups))
    if folds >= 2:
        parts = stratified_folds(targets, groups, folds, seed=seed)
        strength, held_out, loss = _choose(rows, targets, weights, parts, classes)
    else:
        folds, strength = 0, STRENGTH_UNCHECKED
        held_out, loss = np.empty((0, classes), np.float32), float("nan")
    kernel, bias = logistic(rows, targets, strength, classes, weights)
    kernel = axes.T @ kernel / scale
    return Probe(
        kernel.astype(np.float32),
        (bias - middle @ kernel).astype(np.float32),
        strength,
        folds,
        held_out,
        loss,
    )


def turned(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Turn rows to the axes of their span, where they are fewer than their columns."""
    if len(rows) >= rows.shape[1]:
        return rows, np.eye(rows.shape[1], dtype=rows.dtype)
    left, sizes, axes = np.linalg.svd(rows, full_matrices=False)
    return left * sizes, axes


def _weights(targets: np.ndarray) -> np.ndarray:
    """Of each example, so that classes weigh the same and their mean is 1."""
    _, numbers, counts = np.unique(targets, return_inverse=True, return_counts=True)
    weights: np.ndarray = len(targets) / (len(counts) * counts[numbers])
    return weights


def _choose(
    rows: np.ndarray,
    targets: np.ndarray,
    weights: np.ndarray,
    folds: list[Fold],
    classes: int,
) -> tuple[float, np.ndarray, float]:
    """The strength with the least loss on what was held out."""
    best: tuple[float, np.ndarray, float] = (STRENGTHS[0], np.empty(0), np.inf)
    worse = 0
    for strength in STRENGTHS:
        answers = np.zeros((len(rows), classes), np.float32)
        for fold in folds:
            kernel, bias = logistic(
                rows[fold.train],
                targets[fold.train],
                strength,
                classes,
                weights[fold.train],
            )
            answers[fold.held] = softmax(rows[fold.held] @ kernel + bias)
        loss = float(
            log_loss(targets, answers, labels=range(classes), sample_weight=weights)
        )
        if loss < best[2]:
            best, worse = (strength, answers, loss), 0
        else:
            worse += 1
        # The loss over the strength has one valley; the weaker, the slower it gets.
        if worse == 2:
            break
    return best


def logistic(
    rows: np.ndarray,
    targets: np.ndarray,
    strength: float,
    classes: int,
    weights: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Multinomial logistic regression with a penalty on the squares of the weights."""
    known, numbers = np.unique(targets, return_inverse=True)
    kernel = np.zeros((rows.shape[1], classes))
    # A class that a fold did not get to see is held for all but impossible.
    bias = np.full(classes, UNSEEN)
    if len(known) == 1:
        bias[known] = 0.0
        return kernel, bias
    model = LogisticRegression(C=strength, max_iter=ITERATIONS)
    with warnings.catch_warnings():
        # A last digit that is missing after so many steps decides nothing here.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(rows, numbers, sample_weight=weights)
    found, start = model.coef_.T, model.intercept_
    if len(known) == 2:
        found, start = np.hstack([-found, found]) / 2, np.append(-start, start) / 2
    kernel[:, known], bias[known] = found, start
    return kernel, bias
