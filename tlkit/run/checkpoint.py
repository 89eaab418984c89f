"""Training state on disk: after every epoch, whole or not at all.

state.json is written last, in one step, and names the arrays that belong to it; so a
kill at any moment leaves the state of the epoch before or of this one.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd

from tlkit import files
from tlkit.errors import RunError

# What Keras' callbacks forget between two fits.
MEMORY = {
    "EarlyStopping": ("wait", "best", "best_epoch"),
    "ReduceLROnPlateau": ("wait", "best", "cooldown_counter"),
}


@dataclass
class State:
    """Where training stands after `epochs` whole epochs."""

    epochs: int = 0
    arrays: str = ""
    best_epoch: int = 0
    best_value: float | None = None
    best_arrays: str = ""
    stopped: bool = False
    callbacks: dict[str, dict[str, Any]] = field(default_factory=dict)
    history: list[dict[str, float]] = field(default_factory=list)


def read_state(directory: Path) -> State:
    """The state that a checkpoint directory holds.

    Args:
        directory: RUN/checkpoint.

    Returns:
        The state; that of a beginning where nothing was saved yet.

    Raises:
        RunError: The file is damaged.
    """
    try:
        text = (directory / "state.json").read_text(encoding="utf-8")
        return State(**json.loads(text))
    except FileNotFoundError:
        return State()
    except (ValueError, TypeError) as error:
        raise RunError(f"{directory}/state.json is damaged: {error}.") from error


class Checkpoint(keras.callbacks.Callback):  # type: ignore[misc]
    """Saves after every epoch, keeps the best, and puts a saved state back.

    Belongs behind the callbacks whose memory it keeps. Frozen weights are not saved:
    they are in the pretrained file, and do not change.

    Args:
        directory: RUN/checkpoint, existing.
        state: Where training stands; from `read_state`.
        monitor: Name of the logged value that decides which epoch is best.
        frozen: Names of the layers that are not saved.
        watched: Callbacks of the kinds in MEMORY.
        history_csv: Where the table of epochs goes.
    """

    def __init__(
        self,
        directory: Path,
        state: State,
        *,
        monitor: str,
        frozen: tuple[str, ...],
        watched: list[keras.callbacks.Callback],
        history_csv: Path,
    ) -> None:
        super().__init__()
        self.directory = directory
        self.state = state
        self.monitor = monitor
        self.frozen = frozenset(frozen)
        self.watched = watched
        self.history_csv = history_csv

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        """Put the saved state back, where there is one."""
        if not self.state.arrays:
            return
        load_arrays(self.directory / self.state.arrays, self._all_variables())
        for callback in self.watched:
            saved = self.state.callbacks.get(type(callback).__name__, {})
            for name, value in saved.items():
                if value is not None:
                    setattr(callback, name, value)

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Save this epoch.

        Args:
            epoch: 0 and up.
            logs: What Keras measured.

        Raises:
            RunError: The loss is not a number any more.
        """
        row = {name: float(value) for name, value in (logs or {}).items()}
        if not all(math.isfinite(value) for value in row.values()):
            raise RunError(
                f"Training diverged in epoch {epoch + 1}: {row}.",
                hint="Try a lower --lr, a tenth of it for a start.",
            )
        row["learning_rate"] = float(self.model.optimizer.learning_rate)
        old = (self.state.arrays, self.state.best_arrays)
        self.state.history.append({"epoch": epoch + 1, **row})
        self.state.epochs = epoch + 1
        self.state.stopped = bool(self.model.stop_training)
        self._save_if_best(epoch, row[self.monitor])
        self.state.arrays = f"last-{epoch + 1:04d}.npz"
        save_arrays(self.directory / self.state.arrays, self._all_variables())
        self.state.callbacks = {
            type(callback).__name__: _memory(callback) for callback in self.watched
        }
        files.write_json(self.directory / "state.json", asdict(self.state))
        table = pd.DataFrame(self.state.history).to_csv(index=False)
        files.write_text(self.history_csv, table)
        for name in set(old) - {self.state.arrays, self.state.best_arrays, ""}:
            (self.directory / name).unlink(missing_ok=True)

    def restore_best(self, model: keras.Model) -> None:
        """Put the best epoch's weights into the model.

        Args:
            model: The network that was trained.
        """
        load_arrays(
            self.directory / self.state.best_arrays, self._network_variables(model)
        )

    def _save_if_best(self, epoch: int, value: float) -> None:
        best = self.state.best_value
        higher_is_better = self.monitor.endswith("accuracy")
        if best is not None and (value <= best if higher_is_better else value >= best):
            return
        self.state.best_epoch = epoch + 1
        self.state.best_value = value
        self.state.best_arrays = f"best-{epoch + 1:04d}.npz"
        save_arrays(
            self.directory / self.state.best_arrays, self._network_variables(self.model)
        )

    def _network_variables(self, model: keras.Model) -> list[keras.Variable]:
        """All that training can change, the seeds of Dropout among them."""
        held = {
            id(variable)
            for layer in model.layers
            if layer.name in self.frozen
            for variable in layer.variables
        }
        return [v for v in model.variables if id(v) not in held]

    def _all_variables(self) -> list[keras.Variable]:
        optimizer = self.model.optimizer
        if not optimizer.built:
            optimizer.build(self.model.trainable_variables)
        return [*self._network_variables(self.model), *optimizer.variables]


def save_arrays(path: Path, variables: list[keras.Variable]) -> None:
    """Write the values of variables to a file.

    Args:
        path: An .npz file.
        variables: In an order that the next process will have, too.
    """
    values = {f"{i:05d}": np.asarray(v) for i, v in enumerate(variables)}
    np.savez(path, **values)  # type: ignore[arg-type]


def load_arrays(path: Path, variables: list[keras.Variable]) -> None:
    """Read the values of variables from a file.

    Args:
        path: What `save_arrays` wrote.
        variables: The same ones in the same order.

    Raises:
        RunError: The file is missing, damaged, or belongs to another network.
    """
    try:
        with np.load(path) as stored:
            values = [stored[f"{i:05d}"] for i in range(len(stored.files))]
    except (OSError, ValueError, KeyError) as error:
        raise RunError(f"Checkpoint {path} cannot be read: {error}.") from error
    if [v.shape for v in values] != [tuple(v.shape) for v in variables]:
        raise RunError(f"Checkpoint {path} belongs to another network.")
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def _memory(callback: keras.callbacks.Callback) -> dict[str, Any]:
    values = {name: getattr(callback, name) for name in MEMORY[type(callback).__name__]}
    return {
        name: None if value is None or not math.isfinite(value) else float(value)
        for name, value in values.items()
    }
