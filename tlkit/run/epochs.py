"""The callbacks of a training run, and the line that each epoch leaves."""

from __future__ import annotations

import time
from pathlib import Path

import keras

from tlkit.config import TrainConfig
from tlkit.progress import Progress
from tlkit.run.checkpoint import Checkpoint, State


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
        best = "  best" if self.checkpoint.state.best_epoch == epoch + 1 else ""
        self.progress.note(
            f"epoch {epoch + 1:3d}/{self.epochs}"
            f"  loss {row['loss']:.4f}  acc {row['accuracy']:.3f}"
            f"  val loss {row['val_loss']:.4f}  val acc {row['val_accuracy']:.3f}"
            f"  lr {row['learning_rate']:.1e}"
            f"  {time.perf_counter() - self.began:.1f} s{best}"
        )


def callbacks(
    train: TrainConfig,
    *,
    directory: Path,
    state: State,
    frozen: tuple[str, ...],
    steps: int,
    progress: Progress,
) -> tuple[list[keras.callbacks.Callback], Checkpoint]:
    """New callbacks for one fit.

    Args:
        train: The training section of a resolved configuration.
        directory: The run directory.
        state: Where training stands.
        frozen: Names of the frozen layers.
        steps: Number of steps an epoch.
        progress: Where to report.

    Returns:
        All of them in the order in which they must run, and the checkpoint again.
    """
    mode = "max" if train.monitor.endswith("accuracy") else "min"
    watched: list[keras.callbacks.Callback] = []
    if train.patience:
        watched.append(
            keras.callbacks.EarlyStopping(
                monitor=train.monitor, mode=mode, patience=train.patience
            )
        )
    if train.plateau:
        watched.append(
            keras.callbacks.ReduceLROnPlateau(
                monitor=train.monitor,
                mode=mode,
                patience=train.plateau,
                factor=train.plateau_factor,
            )
        )
    checkpoint = Checkpoint(
        directory / "checkpoint",
        state,
        monitor=train.monitor,
        frozen=frozen,
        watched=watched,
        history_csv=directory / "history.csv",
    )
    tensorboard = keras.callbacks.TensorBoard(
        directory / "tensorboard", write_graph=False
    )
    lines = EpochLines(progress, train.epochs, steps, checkpoint)
    return [*watched, checkpoint, tensorboard, lines], checkpoint
