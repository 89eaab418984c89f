"""Candidates in, which of them won on the validation side, and by how much, out."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tlkit.metrics.bootstrap import Bootstrap
from tlkit.metrics.calibration import scaled_losses
from tlkit.model.phases import LAST
from tlkit.tasks.task import Task

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
    """Hold the candidate that was kept against the first one."""
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
    """How much more often one is right than the other, on the same images."""
    gain = Bootstrap(np.arange(len(one)), seed=seed).difference(one, other)
    return gain.value, gain.low, gain.high


@dataclass(frozen=True)
class Candidate:
    """What the network was at some point, and how it answers the validation side.

    Attributes:
        name: "probe", or what its phase has trained, as in Phase.
        freeze_to: The layer it was frozen up to, or "none".
        scores: float32 [N, n], class probabilities of the validation side.
        right: float [N], how right they are; see `Task.correctness`.
        losses: float [N], the log losses at the temperature that suits the scores best,
            which is what candidates are compared by; see `scaled_losses`. Of several
            labels an image the losses as they are.
        loss: The mean log loss, as it is.
        tempered: The mean of `losses`.
        accuracy: The mean of `right`.
        never: Classes that occur among the images and are never answered; of one
            label an image only.
        epochs: How many epochs the phase has run.
        best_epoch: Which of them was kept, counted from 1; 0 for a probe.
        stopped: Whether the phase has ended before its time.
        seconds: What it has taken.
        of: For a mean of weights before and after a phase, the name of the phase.
    """

    name: str
    freeze_to: str
    scores: np.ndarray = field(repr=False)
    right: np.ndarray = field(repr=False)
    losses: np.ndarray = field(repr=False)
    loss: float
    tempered: float
    accuracy: float
    never: tuple[int, ...] = ()
    epochs: int = 0
    best_epoch: int = 0
    stopped: bool = False
    seconds: float = 0.0
    of: str = ""

    def account(self) -> dict[str, Any]:
        """All but what there is of each image, for records."""
        values = dataclasses.asdict(self)
        del values["scores"], values["right"], values["losses"]
        return {**values, "never": list(self.never)}

    def gain(self, other: Candidate) -> tuple[float, float]:
        """How much less loss it has than another."""
        gains = other.losses - self.losses
        if len(gains) == 1:
            return float(gains[0]), math.inf
        return float(gains.mean()), float(gains.std(ddof=1) / len(gains) ** 0.5)


def judge(
    task: Task,
    truth: np.ndarray,
    name: str,
    point: str,
    scores: np.ndarray,
    **more: Any,
) -> Candidate:
    """What answers are worth."""
    right = task.correctness(truth, scores)
    losses = task.losses(truth, scores)
    loss = float(losses.mean())
    never: tuple[int, ...] = ()
    if not task.multi_label:
        classes = truth.argmax(axis=1)
        losses = scaled_losses(classes, scores)
        never = tuple(np.setdiff1d(classes, scores.argmax(axis=1)).tolist())
    return Candidate(
        name,
        point,
        scores,
        right,
        losses,
        loss,
        float(losses.mean()),
        float(right.mean()),
        never,
        **more,
    )


def best_of(candidates: Sequence[Candidate], monitor: str) -> Candidate:
    """The one to keep."""
    if monitor == LAST:
        return candidates[-1]
    if monitor.endswith("accuracy"):
        return max(candidates, key=lambda one: one.accuracy)
    return min(candidates, key=lambda one: one.tempered)
