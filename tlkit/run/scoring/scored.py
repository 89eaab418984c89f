"""One side of a split with what the network says of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Scored:
    """Pictures whose labels are known, and what the network says of them.

    Attributes:
        split: The side that they are on.
        truth: float32 [N, n], 1 in the columns of their labels; `Manifest.shares`.
        scores: float32 [N, n], probabilities.
        groups: N names of what belongs together.
        distances: float32 [N], how far they lie from what was trained on; None where
            that was not asked for. See `tlkit.run.scoring.familiarity`.
    """

    split: str
    truth: np.ndarray
    scores: np.ndarray
    groups: tuple[str, ...]
    distances: np.ndarray | None = None
