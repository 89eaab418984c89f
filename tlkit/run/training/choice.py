"""Candidates in, which of them won on the validation side, and by how much, out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tlkit.run.scoring.noise import Draws
from tlkit.run.training.learn import Candidate


def account_for(candidates: Sequence[Candidate], kept: Candidate) -> dict[str, Any]:
    """Hold the candidate that was kept against the first one.

    Args:
        candidates: In the order in which they came about.
        kept: One of them.

    Returns:
        For records: `kept`, `against`, `gain` in accuracy with `gain_ci95`, and `said`,
        a line for the user.
    """
    line = ", ".join(f"{c.name} {c.loss:.4f} ({c.accuracy:.3f})" for c in candidates)
    said = f"Val loss (accuracy): {line}. Kept: {kept.name}"
    first = candidates[0]
    if kept is first:
        return {"kept": kept.name, "against": "", "said": said}
    gain, low, high = gain_interval(kept.right, first.right)
    said += (
        f", {gain:+.3f} [{low:+.3f}, {high:+.3f}] in accuracy against the "
        f"{first.name}; the validation side has chosen it"
    )
    return {
        "kept": kept.name,
        "against": first.name,
        "gain": gain,
        "gain_ci95": [low, high],
        "said": said,
    }


def gain_interval(
    one: np.ndarray, other: np.ndarray, *, seed: int = 0
) -> tuple[float, float, float]:
    """How much more often one is right than the other, on the same pictures.

    Args:
        one: float [N], how right each answer is, 0 to 1.
        other: The same of the other.
        seed: Of the bootstrap.

    Returns:
        The difference in accuracy, and the ends of its 95 % interval by the bootstrap
        over pictures (Efron 1979), paired.
    """
    gain = Draws(np.arange(len(one)), seed=seed).difference(one, other)
    return gain.value, gain.low, gain.high
