"""The linear probe: multinomial logistic regression on pooled frozen features.

Frozen features with a linear classifier are the baseline that is hardest to beat on few
images (Kornblith et al. 2019, arXiv 1805.08974), and a good start for tuning (Kumar et
al. 2022, arXiv 2202.10054).
"""

from __future__ import annotations

import itertools
import warnings
from dataclasses import dataclass

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from threadpoolctl import threadpool_limits

from tlkit.dataset.splitting.folds import Fold, most_folds, stratified_folds

# Values of C (inverse regularization strength) that are tried, for features of unit
# mean square, the weakest regularization last.
STRENGTHS = tuple(float(c) for c in 10.0 ** np.arange(-5, 3))
# The value for classes that are too small for cross-validation.
STRENGTH_UNCHECKED = 1e-2
FOLDS = 5
ITERATIONS = 1000
# The loss has one valley over C, and larger C takes longer: after so many worse values
# in a row no more are tried.
WORSE = 2
# The logit of a class that a fold has no images of.
UNSEEN = -20.0


@dataclass(frozen=True)
class Probe:
    """A linear classifier on features.

    Attributes:
        kernel: float32 [C, n].
        bias: float32 [n].
        strength: The selected C of scikit-learn, inverse regularization strength.
        folds: Number of folds that selected it, 0 if there were too few images.
        held_out: float32 [N, n], class probabilities of the images it was fitted on,
            each by a fold without it; empty without folds.
        loss: Mean log loss of these; optimistic, as it selected the strength.
    """

    kernel: np.ndarray
    bias: np.ndarray
    strength: float
    folds: int
    held_out: np.ndarray
    loss: float

    def __call__(self, features: np.ndarray) -> np.ndarray:
        """Return class probabilities, float32 [N, n], of features [N, C]."""
        return _softmax(features @ self.kernel + self.bias)


def fit_probe(
    features: np.ndarray,
    targets: np.ndarray,
    groups: np.ndarray,
    *,
    classes: int,
    seed: int,
    balanced: bool = False,
) -> Probe:
    """Fit a probe, with the strength selected by grouped cross-validation.

    Args:
        features: float32 [N, C].
        targets: int [N]; every class is among them.
        groups: [N]; examples of one group stay together in cross-validation.
        classes: Number of classes, n.
        seed: Of the folds.
        balanced: Whether classes have equal weights in total.

    Returns:
        The probe, fitted on all N examples.
    """
    weights = np.ones(len(targets))
    if balanced:
        _, numbers, counts = np.unique(targets, return_inverse=True, return_counts=True)
        weights = len(targets) / (len(counts) * counts[numbers])
    center = features.mean(axis=0)
    rows = features - center
    scale = _scale(rows)
    rows, axes = _rotate(rows / scale)
    folds = min(FOLDS, most_folds(targets, groups))
    best: tuple[float, np.ndarray, float]
    best = STRENGTH_UNCHECKED, np.empty((0, classes), np.float32), float("nan")
    # The steps of the solver are many and small: threads would wait for each other, ten
    # times as long as the steps take.
    with threadpool_limits(limits=1, user_api="blas"):
        if folds >= 2:
            parts = stratified_folds(targets, groups, folds, seed=seed)
            best = _select_strength(rows, targets, weights, parts, classes)
        kernel, bias = _fit(rows, targets, best[0], classes, weights)
    kernel = axes.T @ kernel / scale
    bias = bias - center @ kernel
    return Probe(
        kernel.astype(np.float32),
        bias.astype(np.float32),
        best[0],
        folds if folds >= 2 else 0,
        *best[1:],
    )


def nested_scores(
    features: np.ndarray,
    targets: np.ndarray,
    groups: np.ndarray,
    *,
    classes: int,
    seed: int,
    folds: int = FOLDS,
) -> np.ndarray:
    """Predict every example by a probe for which it selected nothing.

    Nested cross-validation (Varma and Simon 2006, BMC Bioinformatics 7:91): the
    strength for a fold is selected on the other folds alone.

    Args:
        features: float32 [N, C].
        targets: int [N].
        groups: [N]; examples of one group stay together.
        classes: Number of classes, n.
        seed: Of the folds.
        folds: Number of outer folds; fewer where a class is smaller.

    Returns:
        float32 [N, n], class probabilities.

    Raises:
        UsageError: A class has a single image or group.
    """
    folds = min(folds, max(2, most_folds(targets, groups)))
    parts = stratified_folds(targets, groups, folds, seed=seed)
    # Shifting, scaling and rotating all features alike uses no label, and changes
    # nothing but the unit of the strength.
    rows = features - features.mean(axis=0)
    rows, _ = _rotate(rows / _scale(rows))
    scores = np.zeros((len(rows), classes), np.float32)
    with threadpool_limits(limits=1, user_api="blas"):
        strengths = _nested_strengths(rows, targets, parts, classes)
        for fold, strength in zip(parts, strengths, strict=True):
            scores[fold.held] = _predict(rows, targets, fold, strength, classes)
    return scores


def _scale(rows: np.ndarray) -> float:
    """Return the root mean square of centered features, 1 where that is 0."""
    return float(np.sqrt(np.mean(rows**2))) or 1.0


def _rotate(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rotate rows to the axes of their span, where these are fewer than columns.

    The best weights lie in that span, so nothing changes but the number of columns.

    Returns:
        The rows, and the axes.
    """
    if len(rows) >= rows.shape[1]:
        return rows, np.eye(rows.shape[1], dtype=rows.dtype)
    left, sizes, axes = np.linalg.svd(rows, full_matrices=False)
    return left * sizes, axes


def _select_strength(
    rows: np.ndarray,
    targets: np.ndarray,
    weights: np.ndarray,
    folds: list[Fold],
    classes: int,
) -> tuple[float, np.ndarray, float]:
    """Return the strength of the least held-out loss, the predictions and the loss."""
    best: tuple[float, np.ndarray, float] = (STRENGTHS[0], np.empty(0), np.inf)
    worse = 0
    for strength in STRENGTHS:
        scores = np.zeros((len(rows), classes), np.float32)
        for fold in folds:
            scores[fold.held] = _predict(
                rows, targets, fold, strength, classes, weights[fold.train]
            )
        loss = log_loss(targets, scores, labels=range(classes), sample_weight=weights)
        worse += 1
        if loss < best[2]:
            best, worse = (strength, scores, float(loss)), 0
        if worse == WORSE:
            break
    return best


def _nested_strengths(
    rows: np.ndarray, targets: np.ndarray, parts: list[Fold], classes: int
) -> list[float]:
    """Select for each fold the strength that is best on the others.

    A probe fitted without two folds serves both of them: ten fits for five folds, where
    folds within folds would take twenty.

    Returns:
        One strength per fold.
    """
    count = len(parts)
    best = [(float("inf"), STRENGTH_UNCHECKED)] * count
    worse = [0] * count
    for strength in STRENGTHS if count > 2 else ():
        losses = np.full((count, count), np.nan)
        for i, j in itertools.combinations(range(count), 2):
            if min(worse[i], worse[j]) >= WORSE:
                continue
            rest = np.setdiff1d(parts[i].train, parts[j].held)
            kernel, bias = _fit(rows[rest], targets[rest], strength, classes)
            for fold, other in ((i, j), (j, i)):
                held = parts[other].held
                scores = _softmax(rows[held] @ kernel + bias)
                losses[fold, other] = log_loss(
                    targets[held], scores, labels=range(classes)
                )
        for fold in range(count):
            if worse[fold] < WORSE:
                loss = float(np.nanmean(losses[fold]))
                worse[fold] = 0 if loss < best[fold][0] else worse[fold] + 1
                best[fold] = min(best[fold], (loss, strength))
        if min(worse) >= WORSE:
            break
    return [strength for _, strength in best]


def _predict(
    rows: np.ndarray,
    targets: np.ndarray,
    fold: Fold,
    strength: float,
    classes: int,
    weights: np.ndarray | None = None,
) -> np.ndarray:
    """Fit on the training part of a fold, and predict what it holds out."""
    train = fold.train
    kernel, bias = _fit(rows[train], targets[train], strength, classes, weights)
    return _softmax(rows[fold.held] @ kernel + bias)


def _fit(
    rows: np.ndarray,
    targets: np.ndarray,
    strength: float,
    classes: int,
    weights: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Fit multinomial logistic regression; return kernel [C, n] and bias [n]."""
    known, numbers = np.unique(targets, return_inverse=True)
    kernel = np.zeros((rows.shape[1], classes))
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


def _softmax(logits: np.ndarray) -> np.ndarray:
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(shares / shares.sum(axis=1, keepdims=True), np.float32)
