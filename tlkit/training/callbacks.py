"""The callbacks of a phase: its length, its learning rate, and a line each epoch."""

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

Logs = dict[str, float] | None

# Adam does not know the size of the gradients at first, and a few steps at the full
# rate undo much: this share of all steps is for the rise, as in one-cycle (Smith and
# Topin 2017, arXiv 1708.07120).
WARMUP = 0.25
# The steps between which the speed is measured; those before compile.
MEASURED = (3, 10)
# The share of the remaining time for steps; the rest is for validation and saving.
RESERVE = 0.8


@dataclasses.dataclass(frozen=True)
class Budget:
    """The time that a training may take."""

    minutes: float | None = None  # None for no limit
    began: float = dataclasses.field(default_factory=time.monotonic)

    @property
    def left(self) -> float:
        """Seconds that are left, infinite without a limit."""
        if self.minutes is None:
            return math.inf
        return 60 * self.minutes - (time.monotonic() - self.began)

    def at_most(self, minutes: float) -> Budget:
        """Return a part of it that begins now."""
        return self if 60 * minutes > self.left else Budget(minutes)


class StepLimit(keras.callbacks.Callback):  # type: ignore[misc]
    """Ends a phase after its last step, or when the time is up, even within an epoch.

    The epoch that is running is scored and saved like any other.
    """

    def __init__(
        self, steps: int, budget: Budget, state: State, progress: Progress
    ) -> None:
        super().__init__()
        self.total: float = steps
        self.budget = budget
        self.state = state
        self.progress = progress

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Stop after the last step, or when the time is up."""
        self.state.out_of_time = self.budget.left < 0
        done = int(self.model.optimizer.iterations) >= self.total
        if done or self.state.out_of_time:
            self.model.stop_training = True

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Stop between epochs, and note why."""
        if self.budget.left < 0:
            self.state.out_of_time = True
            self.model.stop_training = True
            self.progress.note(
                f"The {self.budget.minutes:g} minutes are over: training ends here"
            )


class Annealing(StepLimit):
    """Sets the learning rate of every step, and fits the phase to the time there is.

    A phase that is cut short keeps a high rate to its end and is the worse for it. So
    the speed of a few steps predicts their number, and the cosine is laid over
    these. Keras' CosineDecay cannot change its length. Checkpoints keep the number.
    """

    def __init__(
        self, lr: float, steps: int, budget: Budget, state: State, progress: Progress
    ) -> None:
        super().__init__(steps, budget, state, progress)
        self.lr = lr
        self._began = 0.0
        self._here = 0

    def rate(self, step: int) -> float:
        """Return the learning rate of a step: a linear rise, then a cosine."""
        warm = WARMUP * self.total
        if step < warm:
            return self.lr * (step + 1) / (warm + 1)
        done = min(1.0, (step - warm) / max(1.0, self.total - warm))
        return self.lr * 0.5 * (1 + math.cos(math.pi * done))

    def on_train_batch_begin(self, batch: int, logs: Logs = None) -> None:
        """Set the rate of the step, and measure the speed."""
        step = int(self.model.optimizer.iterations)
        if self._here == MEASURED[0]:
            self._began = time.monotonic()
        if self._here == MEASURED[1]:
            seconds = (time.monotonic() - self._began) / (MEASURED[1] - MEASURED[0])
            self._shorten(step, seconds)
        self._here += 1
        self.model.optimizer.learning_rate = self.rate(step)

    def _shorten(self, step: int, seconds: float) -> None:
        """Anneal the learning rate over the remaining time."""
        if not math.isfinite(self.budget.left):
            return
        # Whole epochs, so that config.yaml can repeat the phase as so many.
        each = self.params["steps"]
        fitting = step + int(RESERVE * self.budget.left / seconds)
        fitting = each * max(fitting // each, -(-(step + 1) // each))
        if fitting < self.total:
            self.progress.note(
                f"{self.total:.0f} steps of {seconds:.2f} s would take longer than "
                f"there is time: {fitting} instead"
            )
            self.total = fitting


class EpochLines(keras.callbacks.Callback):  # type: ignore[misc]
    """Reports every step, and one line per epoch; placed after the checkpoint."""

    def __init__(
        self, progress: Progress, epochs: int, steps: int, checkpoint: Checkpoint
    ) -> None:
        super().__init__()
        self.progress = progress
        self.epochs = epochs
        self.steps = steps
        self.checkpoint = checkpoint
        self.began = 0.0

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        """Start a progress bar."""
        self.began = time.perf_counter()
        self.progress.start(f"Epoch {epoch + 1}/{self.epochs}", self.steps)

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Advance the progress bar."""
        self.progress.advance()

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Report the epoch."""
        state = self.checkpoint.state
        row = state.history[-1]
        is_best = self.checkpoint.monitor != LAST and state.best_epoch == epoch + 1
        best = "  best" if is_best else ""
        self.progress.note(
            f"epoch {epoch + 1:3d}/{self.epochs}"
            f"  loss {row['loss']:.4f}  acc {row['accuracy']:.3f}"
            f"  val loss {row['val_loss']:.4f}  val acc {row['val_accuracy']:.3f}"
            f"  lr {row['learning_rate']:.1e}"
            f"  {time.perf_counter() - self.began:.1f} s{best}"
        )


@dataclasses.dataclass(frozen=True)
class PhaseDir:
    """The files of a phase in a run directory."""

    run: Path
    number: int  # of the phase, from 1
    phase: str  # its name in the history

    @property
    def name(self) -> str:
        """Name of the phase's own directories."""
        return f"{self.number}-{self.phase}"

    @property
    def checkpoint(self) -> Path:
        """The directory of its checkpoint."""
        return self.run / "checkpoint" / self.name


def build_callbacks(
    train: TrainConfig,
    *,
    place: PhaseDir,
    state: State,
    earlier: Sequence[Mapping[str, Any]],
    frozen: tuple[str, ...],
    total: int,
    steps: int,
    budget: Budget,
    progress: Progress,
) -> tuple[list[keras.callbacks.Callback], Checkpoint]:
    """Build the callbacks of a phase of `total` steps, `steps` an epoch."""
    monitor = "val_loss" if train.monitor == LAST else train.monitor
    watch = {"monitor": monitor, "mode": "max" if "accuracy" in monitor else "min"}
    listed: list[keras.callbacks.Callback] = []
    if train.schedule == "auto":
        listed.append(Annealing(train.lr or 0.0, total, budget, state, progress))
    else:
        listed.append(StepLimit(total, budget, state, progress))
    if train.patience:
        stopping = keras.callbacks.EarlyStopping(**watch, patience=train.patience)
        listed.append(stopping)
    if train.lr_patience:
        listed.append(
            keras.callbacks.ReduceLROnPlateau(
                **watch, patience=train.lr_patience, factor=train.lr_factor
            )
        )
    if train.ema is not None:
        # What is scored on the validation split, and selected, is the mean.
        listed.append(keras.callbacks.SwapEMAWeights())
    checkpoint = Checkpoint(
        place.checkpoint,
        state,
        monitor=train.monitor,
        frozen=frozen,
        watched=[one for one in listed if type(one).__name__ in MEMORY],
        history_csv=place.run / "history.csv",
        phase=place.phase,
        earlier=earlier,
    )
    tensorboard = keras.callbacks.TensorBoard(
        place.run / "tensorboard" / place.name, write_graph=False
    )
    lines = EpochLines(progress, -(-total // steps), steps, checkpoint)
    return [*listed, checkpoint, tensorboard, lines], checkpoint
