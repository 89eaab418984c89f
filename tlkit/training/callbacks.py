"""The callbacks of a training run, and the line that each epoch leaves."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras

from tlkit.config import TrainConfig
from tlkit.model.phases import LAST
from tlkit.progress import Progress
from tlkit.training.checkpoint import MEMORY, Checkpoint, State


class EpochLines(keras.callbacks.Callback):  # type: ignore[misc]
    """Reports every step, and one line an epoch.

    Args:
        progress: Where to.
        epochs: Number of epochs of the whole training.
        steps: Number of steps an epoch.
        checkpoint: Knows which epoch is the best so far; runs before this one.
    """

    def __init__(
        self, progress: Progress, epochs: int, steps: int, checkpoint: Checkpoint
    ) -> None:
        super().__init__()
        self.progress = progress
        self.epochs = epochs
        self.steps = steps
        self.checkpoint = checkpoint
        self.began = 0.0

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Start a progress bar."""
        self.began = time.perf_counter()
        self.progress.start(f"Epoch {epoch + 1}/{self.epochs}", self.steps)

    def on_train_batch_end(
        self, batch: int, logs: dict[str, float] | None = None
    ) -> None:
        """Move the progress bar on."""
        self.progress.advance()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Leave the line."""
        row = self.checkpoint.state.history[-1]
        judged = self.checkpoint.monitor != LAST
        found = judged and self.checkpoint.state.best_epoch == epoch + 1
        best = "  best" if found else ""
        self.progress.note(
            f"epoch {epoch + 1:3d}/{self.epochs}"
            f"  loss {row['loss']:.4f}  acc {row['accuracy']:.3f}"
            f"  val loss {row['val_loss']:.4f}  val acc {row['val_accuracy']:.3f}"
            f"  lr {row['learning_rate']:.1e}"
            f"  {time.perf_counter() - self.began:.1f} s{best}"
        )


@dataclasses.dataclass(frozen=True)
class Place:
    """Where a phase of a run leaves its files.

    Attributes:
        run: The run directory.
        name: Of the phase in it.
        phase: What is trained, for the history.
    """

    run: Path
    name: str
    phase: str

    @property
    def checkpoint(self) -> Path:
        """The directory of its checkpoint."""
        return self.run / "checkpoint" / self.name


class OnTime(keras.callbacks.Callback):  # type: ignore[misc]
    """Stops when the time is used up, so that the epoch that is running counts.

    Args:
        budget: Whose time.
        state: Told behind how many steps that was.
        ended: Behind how many steps to stop in any case.
        progress: Told of it.
    """

    def __init__(
        self, budget: Budget, state: State, ended: int | None, progress: Progress
    ) -> None:
        super().__init__()
        self.budget = budget
        self.state = state
        self.ended = ended
        self.progress = progress

    def on_train_batch_end(
        self, batch: int, logs: dict[str, float] | None = None
    ) -> None:
        """Stop behind the epoch's last step, and before if the time is up."""
        steps = int(self.model.optimizer.iterations)
        if self.budget.left < 0 or (self.ended is not None and steps >= self.ended):
            self.state.ended = steps
            self.model.stop_training = True

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Say why it ends."""
        if self.budget.left < 0:
            self.state.ended = int(self.model.optimizer.iterations)
            self.model.stop_training = True
            self.progress.note(
                f"The {self.budget.minutes:g} minutes are over: training ends here"
            )


def callbacks(
    train: TrainConfig,
    *,
    place: Place,
    state: State,
    earlier: Sequence[Mapping[str, Any]],
    frozen: tuple[str, ...],
    epochs: int,
    steps: int,
    ended: int | None,
    budget: Budget,
    progress: Progress,
) -> tuple[list[keras.callbacks.Callback], Checkpoint]:
    """New callbacks for one fit."""
    mode = "max" if train.monitor.endswith("accuracy") else "min"
    monitor = "val_loss" if train.monitor == LAST else train.monitor
    watched: list[keras.callbacks.Callback] = []
    if train.schedule == "auto":
        watched.append(Annealing(train.lr or 0.0, epochs * steps, budget, progress))
    if train.patience:
        watched.append(
            keras.callbacks.EarlyStopping(
                monitor=monitor, mode=mode, patience=train.patience
            )
        )
    if train.lr_patience:
        watched.append(
            keras.callbacks.ReduceLROnPlateau(
                monitor=monitor,
                mode=mode,
                patience=train.lr_patience,
                factor=train.lr_factor,
            )
        )
    if train.ema is not None:
        # What is scored on the validation side, and kept, is the mean.
        watched.append(keras.callbacks.SwapEMAWeights())
    watched.append(OnTime(budget, state, ended, progress))
    checkpoint = Checkpoint(
        place.checkpoint,
        state,
        monitor=train.monitor,
        frozen=frozen,
        watched=[one for one in watched if type(one).__name__ in MEMORY],
        history_csv=place.run / "history.csv",
        phase=place.phase,
        earlier=earlier,
    )
    tensorboard = keras.callbacks.TensorBoard(
        place.run / "tensorboard" / place.name, write_graph=False
    )
    lines = EpochLines(progress, epochs, steps, checkpoint)
    return [*watched, checkpoint, tensorboard, lines], checkpoint


# Adam knows nothing of the gradients' sizes at first, and a few steps at a whole rate
# undo much: this share of all is for the rise, as in one-cycle (Smith and Topin 2017).
WARMUP = 0.25
# Steps that are measured, behind the first ones, which compile.
MEASURED = (3, 10)
# What is left of the time for validation and for saving.
RESERVE = 0.8


class Annealing(keras.callbacks.Callback):  # type: ignore[misc]
    """Sets the rate of every step, and shortens the training to the time there is.

    A training that is cut short keeps a high rate to its end, and is the worse for it;
    so after a few steps their speed says how many there will be, and the cosine is
    laid over these. The number is kept in checkpoints.

    Args:
        lr: The highest rate.
        steps: Number of steps of the phase, if there is time for them.
        budget: When to stop at the latest.
        progress: Told if it becomes shorter.
    """

    def __init__(
        self, lr: float, steps: int, budget: Budget, progress: Progress
    ) -> None:
        super().__init__()
        self.lr = lr
        self.total: float = steps
        self.budget = budget
        self.progress = progress
        self._began = 0.0
        self._here = 0

    def rate(self, step: int) -> float:
        """The rate of a step."""
        warm = WARMUP * self.total
        if step < warm:
            return self.lr * (step + 1) / (warm + 1)
        done = min(1.0, (step - warm) / max(1.0, self.total - warm))
        return self.lr * 0.5 * (1 + math.cos(math.pi * done))

    def on_train_batch_begin(
        self,
        batch: int,
        logs: dict[str, float] | None = None,
    ) -> None:
        """Set the rate of the step, and measure."""
        optimizer = self.model.optimizer
        step = int(optimizer.iterations)
        if self._here == MEASURED[0]:
            self._began = time.monotonic()
        if self._here == MEASURED[1]:
            seconds = (time.monotonic() - self._began) / (MEASURED[1] - MEASURED[0])
            self._shorten(step, seconds)
        self._here += 1
        optimizer.learning_rate = self.rate(step)

    def on_train_batch_end(
        self,
        batch: int,
        logs: dict[str, float] | None = None,
    ) -> None:
        """End behind the last step."""
        if int(self.model.optimizer.iterations) >= self.total:
            self.model.stop_training = True

    def _shorten(self, step: int, seconds: float) -> None:
        """Lay the rest over the time that is left."""
        if not math.isfinite(self.budget.left):
            return
        # Whole epochs, so that the phase can be repeated as one of so many.
        each = self.params["steps"]
        fitting = step + int(RESERVE * self.budget.left / seconds)
        fitting = each * max(fitting // each, -(-(step + 1) // each))
        if fitting < self.total:
            self.progress.note(
                f"{self.total:.0f} steps of {seconds:.2f} s would take longer than "
                f"there is time: {fitting} instead"
            )
            self.total = fitting


@dataclasses.dataclass(frozen=True)
class Budget:
    """When a training has to end.

    Attributes:
        minutes: How long it may take; None for as long as it takes.
        began: Of `time.monotonic`, when its time began to count.
    """

    minutes: float | None = None
    began: float = dataclasses.field(default_factory=time.monotonic)

    @property
    def left(self) -> float:
        """Seconds, infinite without an end."""
        if self.minutes is None:
            return math.inf
        return 60 * self.minutes - (time.monotonic() - self.began)

    def at_most(self, minutes: float) -> Budget:
        """A part of it that begins now."""
        if 60 * minutes > self.left:
            return self
        return Budget(minutes)
