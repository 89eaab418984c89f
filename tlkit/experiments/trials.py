"""A choice of settings in, what it reaches on folds of the training side out.

One trial of a search: the run that these settings would be, on each fold from the
same start, given up when it is clearly worse than others were at the same epoch.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np
import optuna

from tlkit import files
from tlkit.config import Config
from tlkit.device import choose_device, choose_precision
from tlkit.progress import Progress, Quiet
from tlkit.runs import result_dir
from tlkit.runs.timing import Clock
from tlkit.tasks.task import Task
from tlkit.training.callbacks import Budget
from tlkit.training.network import build_network
from tlkit.training.splits import Round
from tlkit.training.train_network import learn

# Steps of one fold in Optuna's records, more than any has epochs.
STRIDE = 1_000_000


class OutOfTime(Exception):
    """The time of the whole search is over, in the middle of a trial."""


class Reached(NamedTuple):
    """Means over the folds, of the epoch that was best on each."""

    loss: float
    accuracy: float


class Watch(keras.callbacks.Callback):  # type: ignore[misc]
    """Tells Optuna of every epoch, and gives up what is not worth the time.

    Args:
        trial: Whom to tell.
        fold: Counted from 0.
        earlier: The best values of the folds before.
        monitor: Which value.
        until: Of `time.monotonic`, when to end at the latest.
    """

    def __init__(
        self,
        trial: optuna.Trial,
        fold: int,
        earlier: Sequence[float],
        monitor: str,
        until: float,
    ) -> None:
        super().__init__()
        self.trial = trial
        self.fold = fold
        self.earlier = earlier
        self.monitor = monitor
        self.until = until
        self.values: list[float] = []

    def on_train_batch_end(
        self, batch: int, logs: dict[str, float] | None = None
    ) -> None:
        """Look at the clock."""
        if time.monotonic() > self.until:
            raise OutOfTime

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Say how good it is by now: the mean over the folds so far."""
        best = max if self.monitor.endswith("accuracy") else min
        self.values.append(float((logs or {})[self.monitor]))
        so_far = float(np.mean([*self.earlier, best(self.values)]))
        self.trial.report(so_far, self.fold * STRIDE + epoch)
        if self.trial.should_prune():
            raise optuna.TrialPruned


def judged_by(config: Config) -> str:
    """By what trials are held against each other: "accuracy" or "loss"."""
    return "accuracy" if config.train.monitor == "val_accuracy" else "loss"


def run_trial(
    trial: optuna.Trial,
    config: Config,
    rounds: Sequence[Round],
    directory: Path,
    *,
    until: float,
    progress: Progress,
) -> Reached:
    """Train on every fold."""
    device = choose_device(config.train.device)
    policy = choose_precision(config.train.precision, device)
    task = Task(len(rounds[0].manifest.labels))
    reached: list[Reached] = []
    name = judged_by(config)
    with keras.device(device):
        network = build_network(config, task, device, policy)
        for fold, one in enumerate(rounds):
            network.put_back({})
            earlier = [getattr(done, name) for done in reached]
            watch = Watch(trial, fold, earlier, f"val_{name}", until)
            with files.passing_directory(directory) as work:
                kept = learn(
                    result_dir.begin(work, config, one.manifest),
                    one.manifest,
                    network,
                    budget=Budget(config.train.minutes),
                    clock=Clock(),
                    progress=Quiet(progress, f"Fold {fold + 1} of {len(rounds)}: "),
                    watching=[watch],
                ).kept
            reached.append(Reached(kept.loss, kept.accuracy))
    means = np.mean(reached, axis=0)
    return Reached(float(means[0]), float(means[1]))
