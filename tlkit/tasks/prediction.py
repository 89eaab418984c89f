"""Predictions, and splits with their probabilities."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Prediction:
    """The prediction for one image, or the reason why there is none.

    `probability` is that of `label`; `probabilities` has every class, in the order of
    labels.txt. Where an image may have several labels, `labels` are the predicted ones,
    `label` is the same in one text ("" for none), and `probability` is None. For an
    unreadable file all of it is None or empty, and `error` gives the reason. Where the
    run has a rejection threshold, `label` may be "unknown"; `guess` then is the
    likeliest class in any case, and `probability` is its own.
    """

    path: str = ""
    label: str | None = None
    probability: float | None = None
    probabilities: dict[str, float] = field(default_factory=dict)
    labels: tuple[str, ...] = ()
    guess: str | None = None
    error: str | None = None


@dataclass(frozen=True)
class ScoredSplit:
    """A split with its labels and its probabilities.

    Attributes:
        split: "train", "val" or "test".
        truth: float32 [N, n], 1 in the columns of the true labels, by
            `Manifest.multi_hot`.
        scores: float32 [N, n], class probabilities.
        groups: N group names.
    """

    split: str
    truth: np.ndarray
    scores: np.ndarray
    groups: tuple[str, ...]
