"""The run directory: one training run, enough to read it and to repeat it."""

from __future__ import annotations

import importlib.util
import shlex
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tlkit.backbones.spec import HUB_INSTALL, HUB_PACKAGE
from tlkit.config import size_of
from tlkit.errors import RunError
from tlkit.runs.result_dir import ResultDir
from tlkit.tasks.task import Task

if TYPE_CHECKING:
    import keras


class Run(ResultDir):
    """A run directory: one training run, open for reading."""

    MARKER = "run.json"
    KIND = "run directory"
    COMMAND = ("tlkit", "finetune")

    @classmethod
    def is_resumable(cls, directory: Path) -> bool:
        """Return whether an epoch of some phase, or of a fold, is saved."""
        places = ("checkpoint/*/state.json", "folds/*/checkpoint/*/state.json")
        return any(any(directory.glob(place)) for place in places)

    @property
    def size(self) -> int:
        """Height and width of the images that the network takes, pixels."""
        return size_of(self.config)

    @property
    def task(self) -> Task:
        """The kind of labels that the network predicts."""
        return Task(len(self.labels), bool(self.info["data"].get("multi_label")))

    def model(self) -> keras.Model:
        """Load the trained network.

        Returns:
            model.keras in float32: uint8 [B, size, size, 3] to probabilities.

        Raises:
            RunError: The file is missing or damaged.
        """
        import keras

        path = self.directory / "model.keras"
        if path.exists() and not zipfile.is_zipfile(path):
            raise RunError(
                f"{path} is damaged: it is not a whole .keras file.",
                hint="Take it from a backup, or train again.",
            )
        try:
            return keras.saving.load_model(path, compile=False)
        except (OSError, ValueError, TypeError) as error:
            if HUB_PACKAGE in str(error) and not importlib.util.find_spec(HUB_PACKAGE):
                raise RunError(
                    f"{path} has layers of KerasHub, which is not installed here.",
                    hint=f"{HUB_INSTALL}, or use what tlkit export made of the run.",
                ) from error
            raise RunError(f"{path} cannot be loaded: {error}") from error

    def metrics(self) -> dict[str, Any]:
        """Read the metrics of the last evaluation.

        Returns:
            The content of metrics.json; `finetune` ends with the validation split.

        Raises:
            RunError: There are none.
        """
        try:
            return super().metrics()
        except RunError as error:
            hint = f"Make it: tlkit evaluate {shlex.quote(str(self.directory))}"
            raise RunError(error.message, hint=hint) from error
