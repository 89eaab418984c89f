"""What a network was at some point, and how it answers pictures it has not seen."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tlkit.model.phases import LAST
from tlkit.model.task import Task
from tlkit.run.scoring.confidence import least_losses


@dataclass(frozen=True)
class Candidate:
    """What the network was at some point, and how it answers the validation side.

    Attributes:
        name: "probe", or what its phase has trained, as in Phase.
        freeze_to: The layer it was frozen up to, or "none".
        scores: float32 [N, n], class probabilities of the validation side.
        right: float [N], how right they are; see `Task.rightness`.
        losses: float [N], the log losses at the temperature that suits the scores best,
            which is what candidates are compared by; see `least_losses`. Of several
            labels a picture the losses as they are.
        loss: The mean log loss, as it is.
        tempered: The mean of `losses`.
        accuracy: The mean of `right`.
        never: Classes that occur among the pictures and are never answered; of one
            label a picture only.
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
        """All but what there is of each picture, for records."""
        values = dataclasses.asdict(self)
        del values["scores"], values["right"], values["losses"]
        return {**values, "never": list(self.never)}

    def gain(self, other: Candidate) -> tuple[float, float]:
        """How much less loss it has than another.

        Args:
            other: On the same pictures.

        Returns:
            The mean of the differences, and its standard error, infinite for a single
            picture.
        """
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
    """What answers are worth.

    Args:
        task: What was asked.
        truth: float [N, n], as from `Manifest.shares`.
        name: As in Candidate.
        point: Its `freeze_to`.
        scores: float32 [N, n].
        **more: Other attributes of a Candidate.

    Returns:
        The candidate.
    """
    right = task.rightness(truth, scores)
    losses = task.losses(truth, scores)
    loss = float(losses.mean())
    never: tuple[int, ...] = ()
    if not task.multi_label:
        classes = truth.argmax(axis=1)
        losses = least_losses(classes, scores)
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
    """The one to keep.

    Args:
        candidates: In the order in which they came about, on the same pictures.
        monitor: What they are judged by, as in TrainConfig.

    Returns:
        The one with the least tempered loss, or the highest accuracy; the earlier one
        where two are equal, for it has changed less. The last one of all where the
        monitor does not judge.
    """
    if monitor == LAST:
        return candidates[-1]
    if monitor.endswith("accuracy"):
        return max(candidates, key=lambda one: one.accuracy)
    return min(candidates, key=lambda one: one.tempered)
