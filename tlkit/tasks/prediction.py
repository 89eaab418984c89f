"""What a person gets to hear of one image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Answer:
    """One answer.

    Attributes:
        label: The class, or "unknown"; of several labels all of them, "|" between, as
            in a manifest.
        labels: The same one by one; none where it is unknown.
        probability: Of the one class; None where there may be several.
        guess: The likeliest class, where the label may be "unknown"; else None.
    """

    label: str
    labels: tuple[str, ...]
    probability: float | None = None
    guess: str | None = None


@dataclass(frozen=True)
class ScoredSplit:
    """Images whose labels are known, and what the network says of them.

    Attributes:
        split: The side that they are on.
        truth: float32 [N, n], 1 in the columns of their labels; `Manifest.shares`.
        scores: float32 [N, n], probabilities.
        groups: N names of what belongs together.
        distances: float32 [N], how far they lie from what was trained on; None where
            that was not asked for. See `tlkit.evaluation.familiarity`.
    """

    split: str
    truth: np.ndarray
    scores: np.ndarray
    groups: tuple[str, ...]
    distances: np.ndarray | None = None
