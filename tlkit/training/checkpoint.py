"""The checkpoint of a phase: the state of training after whole epochs, on disk.

state.json is written last, in one step, and names the arrays that belong to it. So a
kill at any moment leaves the state of this epoch or of an earlier one. Keras'
BackupAndRestore and CSVLogger do not: their files are written one after the other, and
what EarlyStopping and ReduceLROnPlateau have counted is lost.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd

from tlkit import files
from tlkit.backbones.graph import running_means
from tlkit.errors import RunError
from tlkit.model.phases import LAST

# Writing a network can take longer than the epoch that it saves: at most one part in so
# many of the time is for saving.
SHARE = 10

# The counters of callbacks, which Keras resets when `fit` begins.
MEMORY = {
    "EarlyStopping": ("wait", "best", "best_epoch"),
    "ReduceLROnPlateau": ("wait", "best", "cooldown_counter"),
    "Annealing": ("total",),
}


@dataclass
class State:
    """The state of training after `epochs` epochs; all whole, but perhaps the last."""

    epochs: int = 0
    arrays: str = ""
    best_epoch: int = 0
    best_value: float | None = None
    best_arrays: str = ""
    stopped: bool = False
    out_of_time: bool = False
    callbacks: dict[str, dict[str, Any]] = field(default_factory=dict)
    history: list[dict[str, float]] = field(default_factory=list)


def read_state(directory: Path) -> State:
    """Read the state of a checkpoint directory, a new one where there is none."""
    try:
        text = (directory / "state.json").read_text(encoding="utf-8")
        return State(**json.loads(text))
    except FileNotFoundError:
        return State()
    except (ValueError, TypeError) as error:
        raise RunError(f"{directory}/state.json is damaged: {error}.") from error


class Checkpoint(keras.callbacks.Callback):  # type: ignore[misc]
    """Selects the best epoch, saves the state of training, and restores it.

    Saves after every epoch; but later if the last saving is less than SHARE times as
    long ago as it took. Belongs behind the callbacks in `watched`, whose counters it
    saves. The layers in `frozen` are not saved, as they do not change. `earlier` are
    the rows that the phases before have left in `history_csv`.
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
        phase: str,
        earlier: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        super().__init__()
        self.directory = directory
        self.state = state
        self.monitor = monitor
        self.frozen = frozenset(frozen)
        self.watched = watched
        self.history_csv = history_csv
        self.phase = phase
        self.earlier = earlier
        self._best: list[np.ndarray] = []
        self._due = -math.inf
        self._saved = state.epochs

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        """Restore the saved state, where there is one."""
        if not self.state.arrays:
            return
        load_arrays(self.directory / self.state.arrays, self._all_variables())
        for callback in self.watched:
            saved = self.state.callbacks.get(type(callback).__name__, {})
            for name, value in saved.items():
                if value is not None:
                    setattr(callback, name, value)

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Save this epoch."""
        row = {name: float(value) for name, value in (logs or {}).items()}
        if not all(math.isfinite(value) for value in row.values()):
            raise RunError(
                f"Training diverged in epoch {epoch + 1}: {row}.",
                hint="Try a lower --lr, a tenth of it for a start.",
            )
        row["learning_rate"] = float(self.model.optimizer.learning_rate)
        self.state.history.append({"epoch": epoch + 1, **row})
        self.state.epochs = epoch + 1
        self.state.stopped = bool(self.model.stop_training)
        self._note_if_best(epoch, row)
        began = time.monotonic()
        if began >= self._due:
            self._save(self._all_variables())
            done = time.monotonic()
            self._due = done + SHARE * (done - began)

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        """Save the last epoch, and the whole table of epochs."""
        if self.monitor == LAST and self.state.history:
            self._best = self._now()
        if self._saved < self.state.epochs:
            self._save(self._all_variables())
        self._write_history()

    def restore_best(self, model: keras.Model) -> None:
        """Give a model the weights of the best epoch."""
        variables = self._network_variables(model)
        if self._best:
            assign_arrays(variables, self._best, "the best epoch")
        else:
            load_arrays(self.directory / self.state.best_arrays, variables)

    def rows(self) -> list[dict[str, Any]]:
        """Return the table of epochs, those of earlier phases first."""
        first = len(self.earlier)
        own = [
            {"phase": self.phase, **row, "epoch": first + int(row["epoch"])}
            for row in self.state.history
        ]
        return [*map(dict, self.earlier), *own]

    def _note_if_best(self, epoch: int, row: dict[str, float]) -> None:
        if self.monitor == LAST:
            # Copied only when it is needed.
            self._best, self.state.best_epoch = [], epoch + 1
            return
        value, best = row[self.monitor], self.state.best_value
        higher = self.monitor.endswith("accuracy")
        if best is None or (value > best if higher else value < best):
            self.state.best_epoch, self.state.best_value = epoch + 1, value
            self._best = self._now()

    def _now(self) -> list[np.ndarray]:
        """Copy the weights that this epoch was scored with."""
        # Keras hands out copies: the optimizer goes on in memory of its own.
        means = running_means(self.model.optimizer)
        return [
            np.asarray(means.get(id(v), v)) for v in self._network_variables(self.model)
        ]

    def _save(self, variables: list[keras.Variable]) -> None:
        old = (self.state.arrays, self.state.best_arrays)
        self.state.best_arrays = f"best-{self.state.best_epoch:04d}.npz"
        if self.state.best_arrays not in old:
            save_arrays(
                self.directory / self.state.best_arrays, self._best or self._now()
            )
        self.state.arrays = f"last-{self.state.epochs:04d}.npz"
        values = [np.asarray(v) for v in variables]
        save_arrays(self.directory / self.state.arrays, values)
        self.state.callbacks = {
            type(callback).__name__: _memory(callback) for callback in self.watched
        }
        files.write_json(self.directory / "state.json", asdict(self.state))
        self._saved = self.state.epochs
        self._write_history()
        for name in set(old) - {self.state.arrays, self.state.best_arrays, ""}:
            (self.directory / name).unlink(missing_ok=True)

    def _write_history(self) -> None:
        table = pd.DataFrame(self.rows()).to_csv(index=False)
        files.write_text(self.history_csv, table)

    def _network_variables(self, model: keras.Model) -> list[keras.Variable]:
        """Return all variables that training can change, the seeds of Dropout too."""
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


def save_arrays(path: Path, values: list[np.ndarray]) -> None:
    """Write the values of variables to a file."""
    named = {f"{i:05d}": value for i, value in enumerate(values)}
    np.savez(path, **named)  # type: ignore[arg-type]


def load_arrays(path: Path, variables: list[keras.Variable]) -> None:
    """Read the values of variables from a file."""
    try:
        with np.load(path) as stored:
            values = [stored[f"{i:05d}"] for i in range(len(stored.files))]
    except (OSError, ValueError, KeyError) as error:
        raise RunError(f"Checkpoint {path} cannot be read: {error}.") from error
    assign_arrays(variables, values, f"checkpoint {path}")


def assign_arrays(
    variables: list[keras.Variable], values: list[np.ndarray], source: str
) -> None:
    """Assign values to variables of the same shapes."""
    if [v.shape for v in values] != [tuple(v.shape) for v in variables]:
        raise RunError(
            f"The weights of {source} have the shapes of another network.",
            hint="Restore the checkpoint, or train again.",
        )
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def _memory(callback: keras.callbacks.Callback) -> dict[str, Any]:
    values = {name: getattr(callback, name) for name in MEMORY[type(callback).__name__]}
    return {
        name: None if value is None or not math.isfinite(value) else float(value)
        for name, value in values.items()
    }
