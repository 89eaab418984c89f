"""Temperature scaling and the expected calibration error.

Guo et al. 2017, "On calibration of modern neural networks": one number, fitted on the
validation split, makes all probabilities more or less extreme; predictions stay.
"""

from __future__ import annotations

import numpy as np

# The smallest difference from 0 that float32 keeps beside probabilities near 1.
FLOOR = 1e-7
TEMPERATURES = np.geomspace(0.1, 10, 401)
BINS = 15


def scale(scores: np.ndarray, temperature: float) -> np.ndarray:
    """Scale class probabilities by a temperature.

    Args:
        scores: float [N, n]; rows sum to 1.
        temperature: Above 1 probabilities come closer together, below 1 they part.

    Returns:
        float64 [N, n]; rows sum to 1, in the same order within each row.
    """
    logits = np.log(np.maximum(scores.astype(np.float64), FLOOR)) / temperature
    parts = np.exp(logits - logits.max(axis=1, keepdims=True))
    scaled: np.ndarray = parts / parts.sum(axis=1, keepdims=True)
    return scaled


def fit_temperature(truth: np.ndarray, scores: np.ndarray) -> float:
    """Fit the temperature with the lowest log loss.

    Args:
        truth: int [N], classes of images that were not trained on.
        scores: float [N, n]; rows sum to 1.

    Returns:
        0.1 to 10; 1 where all predictions are correct, because nothing then shows
        overconfidence.
    """
    if (scores.argmax(axis=1) == truth).all():
        return 1.0
    losses = [_losses(truth, scores, t).mean() for t in TEMPERATURES]
    return float(TEMPERATURES[int(np.argmin(losses))])


def scaled_losses(truth: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Compute the log losses at the best temperature.

    Compares networks of different confidence, such as with and without label smoothing:
    a temperature can correct that later.

    Args:
        truth: int [N], classes of images that were not trained on.
        scores: float [N, n]; rows sum to 1.

    Returns:
        float64 [N].
    """
    losses = [_losses(truth, scores, t) for t in TEMPERATURES]
    return losses[int(np.argmin([one.mean() for one in losses]))]


def _losses(truth: np.ndarray, scores: np.ndarray, temperature: float) -> np.ndarray:
    true = scale(scores, temperature)[np.arange(len(truth)), truth]
    losses: np.ndarray = -np.log(np.maximum(true, FLOOR))
    return losses


def calibration_error(correct: np.ndarray, confidence: np.ndarray) -> float:
    """Compute the expected calibration error (Naeini et al. 2015) in BINS equal bins.

    Args:
        correct: bool [N].
        confidence: float [N], the probability of each prediction.

    Returns:
        Mean gap between confidence and accuracy, 0 to 1.
    """
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    gaps = np.bincount(bins, correct - confidence, minlength=BINS)
    return float(np.abs(gaps).sum() / len(correct))
