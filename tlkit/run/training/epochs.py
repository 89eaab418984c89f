"""The callbacks of a training run, and the line that each epoch leaves."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras

from tlkit.config import TrainConfig
from tlkit.model.phases import LAST
from tlkit.progress import Progress
from tlkit.run.training.annealing import Annealing
from tlkit.run.training.budget import Budget
from tlkit.run.training.checkpoint import MEMORY, Checkpoint, State


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
    """New callbacks for one fit.

    Args:
        train: The settings of a phase.
        place: Where its files go.
        state: Where training stands.
        earlier: The history of the phases before.
        frozen: Names of the frozen layers.
        epochs: Number of epochs.
        steps: Number of steps an epoch.
        ended: Behind how many steps to end, None for all of them.
        budget: When to stop at the latest.
        progress: Where to report.

    Returns:
        All of them in the order in which they must run, and the checkpoint again.
    """
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
    if train.plateau:
        watched.append(
            keras.callbacks.ReduceLROnPlateau(
                monitor=monitor,
                mode=mode,
                patience=train.plateau,
                factor=train.plateau_factor,
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
