"""Features in, answers that nothing they are judged by has helped to find, out.

Nested cross-validation (Varma and Simon 2006, BMC Bioinformatics 7:91) of the linear
probe: the strength for a fold is chosen by the other folds alone.
"""

from __future__ import annotations

import itertools

import numpy as np
from sklearn.metrics import log_loss
from threadpoolctl import threadpool_limits

from tlkit.dataset.splitting.folds import Fold, most_folds, stratified_folds
from tlkit.training.probe import (
    FOLDS,
    STRENGTH_UNCHECKED,
    STRENGTHS,
    logistic,
    softmax,
    turned,
)

# Strengths that must be worse in a row before weaker regularisation is not tried.
WORSE = 2


def nested_scores(
    features: np.ndarray,
    targets: np.ndarray,
    groups: np.ndarray,
    *,
    classes: int,
    seed: int,
    folds: int = FOLDS,
) -> np.ndarray:
    """Class probabilities of every example, by a probe that has not seen it."""
    folds = min(folds, max(2, most_folds(targets, groups)))
    parts = stratified_folds(targets, groups, folds, seed=seed)
    # As in fit_probe.
    with threadpool_limits(1):
        return _nested(features, targets, parts, classes)


def _nested(
    features: np.ndarray, targets: np.ndarray, parts: list[Fold], classes: int
) -> np.ndarray:
    # Turning, shifting and stretching all alike looks at no label, and changes no
    # answer but for the unit of the strength.
    rows = features - features.mean(axis=0)
    rows, _ = turned(rows / (float(np.sqrt(np.mean(rows**2))) or 1.0))
    answers = np.zeros((len(rows), classes), np.float32)
    strengths = _strengths(rows, targets, parts, classes)
    for (train, held), strength in zip(parts, strengths, strict=True):
        kernel, bias = logistic(rows[train], targets[train], strength, classes)
        answers[held] = softmax(rows[held] @ kernel + bias)
    return answers


def _strengths(
    rows: np.ndarray, targets: np.ndarray, parts: list[Fold], classes: int
) -> list[float]:
    """For each fold the strength that is best on the others, each left out in turn.

    What learns from all but two folds serves both of them: ten fits for five folds
    where folds within folds would take twenty.

    Returns:
        One strength a fold.
    """
    count = len(parts)
    best = [(float("inf"), STRENGTH_UNCHECKED)] * count
    if count == 2:
        return [strength for _, strength in best]
    worse = [0] * count
    for strength in STRENGTHS:
        losses = np.full((count, count), np.nan)
        for i, j in itertools.combinations(range(count), 2):
            if min(worse[i], worse[j]) >= WORSE:
                continue
            rest = np.setdiff1d(parts[i].train, parts[j].held)
            kernel, bias = logistic(rows[rest], targets[rest], strength, classes)
            for fold, other in ((i, j), (j, i)):
                held = parts[other].held
                shares = softmax(rows[held] @ kernel + bias)
                losses[fold, other] = log_loss(
                    targets[held], shares, labels=range(classes)
                )
        for fold in range(count):
            if worse[fold] < WORSE:
                loss = float(np.nanmean(losses[fold]))
                worse[fold] = 0 if loss < best[fold][0] else worse[fold] + 1
                best[fold] = min(best[fold], (loss, strength))
        if min(worse) >= WORSE:
            break
    return [strength for _, strength in best]
