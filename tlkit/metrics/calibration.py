"""Class probabilities in, how sure the network may be of its answers out.

Temperature scaling (Guo et al. 2017, "On calibration of modern neural networks"): one
number, fitted on the validation side, makes a network less sure of all its answers, or
more, and changes none of them.
"""

from __future__ import annotations

import numpy as np

# What float32 can tell from 0 beside probabilities near 1.
FLOOR = 1e-7
TEMPERATURES = np.geomspace(0.1, 10, 401)
BINS = 15


def tempered(scores: np.ndarray, temperature: float) -> np.ndarray:
    """Class probabilities at another temperature.

    Args:
        scores: float [N, n], rows summing to 1.
        temperature: Above 1 they come closer to each other, below 1 they part.

    Returns:
        float64 [N, n], rows summing to 1, in the same order within each row.
    """
    logits = np.log(np.maximum(scores.astype(np.float64), FLOOR)) / temperature
    parts = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares: np.ndarray = parts / parts.sum(axis=1, keepdims=True)
    return shares


def fit_temperature(truth: np.ndarray, scores: np.ndarray) -> float:
    """The temperature with the least log loss.

    Args:
        truth: int [N], classes of images that were not trained on.
        scores: float [N, n], rows summing to 1.

    Returns:
        0.1 to 10; 1 where no answer is wrong, for nothing then tells how sure is too
        sure.
    """
    if (scores.argmax(axis=1) == truth).all():
        return 1.0
    losses = [_losses(truth, scores, t).mean() for t in TEMPERATURES]
    return float(TEMPERATURES[int(np.argmin(losses))])


def least_losses(truth: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Log losses at the temperature that suits the scores best.

    For comparing networks that are more or less sure of themselves, as label smoothing
    makes them: what a temperature can mend later is no fault of theirs.

    Args:
        truth: int [N], classes of images that were not trained on.
        scores: float [N, n], rows summing to 1.

    Returns:
        float64 [N].
    """
    losses = [_losses(truth, scores, t) for t in TEMPERATURES]
    return losses[int(np.argmin([one.mean() for one in losses]))]


def _losses(truth: np.ndarray, scores: np.ndarray, temperature: float) -> np.ndarray:
    shares = tempered(scores, temperature)[np.arange(len(truth)), truth]
    losses: np.ndarray = -np.log(np.maximum(shares, FLOOR))
    return losses


def calibration_error(right: np.ndarray, confidence: np.ndarray) -> float:
    """The expected calibration error (Naeini et al. 2015), in BINS of equal width.

    Args:
        right: bool [N].
        confidence: float [N], the probability that each answer was given.

    Returns:
        How far confidence and accuracy are apart on average, 0 to 1.
    """
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    gaps = np.bincount(bins, right - confidence, minlength=BINS)
    return float(np.abs(gaps).sum() / len(right))
