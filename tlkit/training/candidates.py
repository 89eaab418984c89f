"""The candidates of a training, and the account of which one was selected and why."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tlkit.metrics.bootstrap import Bootstrap
from tlkit.metrics.calibration import scaled_losses
from tlkit.metrics.intervals import Estimate
from tlkit.model.phases import LAST
from tlkit.tasks.task import Task

# Behind the name of a phase: the mean of the weights before and after it.
AVERAGED = "-averaged"
BY_FOLDS = "folds of the training split"
BY_VAL = "the validation split"
BY_DEFAULT = "the default, as nothing was significantly better"


# Compared by identity: two phases of one kind are two candidates, and arrays have no
# single truth value.
@dataclass(frozen=True, eq=False)
class Candidate:
    """The network at one point of the training, and its predictions of some images."""

    name: str  # "probe", or the phase it comes from
    freeze_to: str  # the layer it was frozen up to, or "none"
    scores: np.ndarray = field(repr=False)  # float32 [N, n], class probabilities
    correct: np.ndarray = field(repr=False)  # float [N], see `Task.correctness`
    # float [N], log losses at the temperature that suits the scores best, by which
    # candidates are compared; of several labels per image at temperature 1.
    losses: np.ndarray = field(repr=False)
    groups: np.ndarray = field(repr=False)  # [N], images of one group count together
    loss: float  # mean log loss at temperature 1
    scaled_loss: float  # mean of `losses`
    accuracy: float  # mean of `correct`
    never_predicted: tuple[int, ...] = ()  # classes that occur; single label only
    epochs: int = 0  # how many its phase has run
    best_epoch: int = 0  # which of them was selected, from 1; 0 for the probe
    stopped: bool = False  # before the phase had run all its epochs
    seconds: float = 0.0
    averaged: str = ""  # of averaged weights, the name of the phase

    def account(self) -> dict[str, Any]:
        """Return all but the values of single images, for records."""
        arrays = ("scores", "correct", "losses", "groups")
        values = {k: v for k, v in vars(self).items() if k not in arrays}
        return {**values, "never_predicted": list(self.never_predicted)}

    def gain(self, other: Candidate) -> tuple[float, float]:
        """Return how much lower the scaled loss is than another's, and the error.

        The standard error is that of a mean over groups, as images of one group are
        not independent.
        """
        gains = other.losses - self.losses
        sums = _group_sums(gains - gains.mean(), self.groups)
        n = len(sums)
        error = math.inf
        if n > 1:
            error = math.sqrt(n / (n - 1) * float((sums**2).sum())) / len(gains)
        return float(gains.mean()), error


def _group_sums(values: np.ndarray, groups: np.ndarray) -> np.ndarray:
    return np.bincount(np.unique(groups, return_inverse=True)[1], weights=values)


def score_candidate(
    task: Task,
    truth: np.ndarray,
    groups: np.ndarray,
    name: str,
    freeze_to: str,
    scores: np.ndarray,
    **more: Any,
) -> Candidate:
    """Score predictions, truth being float32 [N, n] class shares."""
    correct = task.correctness(truth, scores)
    losses = task.losses(truth, scores)
    loss = float(losses.mean())
    never: tuple[int, ...] = ()
    if not task.multi_label:
        classes = truth.argmax(axis=1)
        losses = scaled_losses(classes, scores)
        never = tuple(np.setdiff1d(classes, scores.argmax(axis=1)).tolist())
    return Candidate(
        name,
        freeze_to,
        scores,
        correct,
        losses,
        groups,
        loss=loss,
        scaled_loss=float(losses.mean()),
        accuracy=float(correct.mean()),
        never_predicted=never,
        **more,
    )


def select_best(candidates: Sequence[Candidate], monitor: str) -> Candidate:
    """Return the best candidate by the monitor; the first of equals, or the last."""
    if monitor == LAST:
        return candidates[-1]
    if monitor.endswith("accuracy"):
        return max(candidates, key=lambda one: one.accuracy)
    return min(candidates, key=lambda one: one.scaled_loss)


def accuracy_gain(one: Candidate, other: Candidate) -> Estimate:
    """Return how much higher the accuracy of one is, on the same images."""
    return Bootstrap(one.groups).difference(one.correct, other.correct)


def account_for(
    candidates: Sequence[Candidate],
    selected: Candidate,
    *,
    held_out: Sequence[Candidate] = (),
    monitor: str,
) -> dict[str, Any]:
    """Compare the selected candidate with the first one, for run.json and a message."""
    compared = held_out or candidates
    best = next(c for c in compared if c.name == selected.name)
    by = BY_VAL
    if held_out:
        by = BY_FOLDS if select_best(held_out, monitor) is best else BY_DEFAULT
    elif monitor == LAST or len(candidates) == 1:
        by = ""
    listed = ", ".join(
        f"{c.name} {c.scaled_loss:.4f} ({c.accuracy:.3f})" for c in compared
    )
    where = "held out by folds" if held_out else "on the validation split"
    summary = (
        f"Temperature-scaled log loss (accuracy) {where}: {listed}. Selected: "
        f"{selected.name}"
    )
    account: dict[str, Any] = {
        "selected": selected.name,
        "baseline": "",
        "selected_by": by,
    }
    first = compared[0]
    if best is not first:
        gain = accuracy_gain(best, first)
        summary += (
            f", {gain.value:+.3f} [{gain.low:+.3f}, {gain.high:+.3f}] in accuracy "
            f"against the {first.name}"
        )
        interval = [gain.low, gain.high]
        account |= {"baseline": first.name, "gain": gain.value, "gain_ci95": interval}
    if by == BY_DEFAULT:
        summary += ", by default: in the folds nothing was significantly better"
    elif by:
        summary += f", on {by}"
    elif len(candidates) > 1:
        summary += ", as it came last: nothing was compared"
    return {**account, "summary": summary}
