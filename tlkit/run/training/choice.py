"""Candidates in, which of them won on the validation side, and by how much, out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tlkit.model.phases import LAST
from tlkit.run.scoring.noise import Draws
from tlkit.run.training.candidate import Candidate, best_of

# Who chose: folds, or what is kept where they see no difference but chance.
FOLDS = "folds of the training side"
BY_DEFAULT = "the default, as nothing was ahead of it by more than chance"


def account_for(
    candidates: Sequence[Candidate],
    kept: Candidate,
    *,
    held_out: Sequence[Candidate] = (),
    monitor: str,
) -> dict[str, Any]:
    """Hold the candidate that was kept against the first one.

    Args:
        candidates: In the order in which they came about, judged by the validation
            side.
        kept: One of them.
        held_out: The same by what folds of the training side held out, if these have
            chosen.
        monitor: As in TrainConfig; where folds have chosen, what they went by.

    Returns:
        For records: `kept`, `against`, `gain` in accuracy with `gain_ci95`, `chosen_by`
        and `said`, a line for the user.
    """
    judged = held_out or candidates
    best = next(c for c in judged if c.name == kept.name)
    if held_out:
        by = FOLDS if best_of(held_out, monitor) is best else BY_DEFAULT
    elif monitor == LAST or len(candidates) == 1:
        by = ""
    else:
        by = "the validation side"
    line = ", ".join(f"{c.name} {c.tempered:.4f} ({c.accuracy:.3f})" for c in judged)
    title = "Held out by folds, tempered loss" if held_out else "Tempered val loss"
    said = f"{title} (accuracy): {line}. Kept: {kept.name}"
    account: dict[str, Any] = {"kept": kept.name, "against": "", "chosen_by": by}
    first = judged[0]
    if best is not first:
        gain, low, high = gain_interval(best.right, first.right)
        said += (
            f", {gain:+.3f} [{low:+.3f}, {high:+.3f}] in accuracy against the "
            f"{first.name}"
        )
        account |= {"against": first.name, "gain": gain, "gain_ci95": [low, high]}
    if by == BY_DEFAULT:
        said += ", by default: in the folds nothing was ahead of it by more than chance"
    elif by:
        said += f"; {by} chose it"
    elif len(candidates) > 1:
        said += ", as it came last: nothing chose it"
    return {**account, "said": said}


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
