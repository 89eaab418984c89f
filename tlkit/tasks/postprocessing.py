"""The step from probabilities to predictions: what multiclass and multilabel share."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import numpy as np
import tensorflow as tf

from tlkit.tasks.prediction import Prediction, ScoredSplit


class Postprocessing(Protocol):
    """From probabilities to predictions, their metrics, files and exported outputs.

    `scores` are float [N, n] class probabilities, `truth` float [n] as in ScoredSplit.
    """

    @property
    def headline(self) -> tuple[str, ...]:
        """Keys of the metrics that summarize the others."""
        ...

    @property
    def selected(self) -> tuple[str, ...]:
        """Names of what was selected on the validation split."""
        ...

    def predictions(self, scores: np.ndarray) -> list[Prediction]:
        """Return N predictions without a path."""
        ...

    def correct(self, split: ScoredSplit) -> np.ndarray:
        """Return bool [N], all of a prediction is correct, rejection aside."""
        ...

    def measure(self, split: ScoredSplit) -> dict[str, Any]:
        """Return the metrics with their intervals, named as in `tlkit.evaluate`."""
        ...

    def confidence(self, split: ScoredSplit) -> np.ndarray:
        """Return float [N], 0 to 1, by which errors are sorted."""
        ...

    def columns(self, split: ScoredSplit) -> dict[str, np.ndarray]:
        """Return further columns [N] of predictions.csv, by name."""
        ...

    def caption(self, truth: np.ndarray, scores: np.ndarray) -> str:
        """Return a line about one incorrect prediction, for errors.png."""
        ...

    def write(self, split: ScoredSplit, metrics: dict[str, Any], folder: Path) -> None:
        """Write further tables and plots of a split to a folder."""
        ...

    def outputs(self, scores: tf.Tensor) -> dict[str, tf.Tensor]:
        """Return a SavedModel's outputs besides `probabilities` and `class_names`."""
        ...

    def describe_outputs(self) -> dict[str, str]:
        """Return type and meaning of each of `outputs`, for a reader."""
        ...

    def exported_labels(self, outputs: dict[str, Any]) -> list[str]:
        """Return the N labels that an exported model's outputs, as lists, stand for."""
        ...

    def is_stable(self, scores: np.ndarray, tolerance: float) -> np.ndarray:
        """Return bool [N]: all probabilities within the tolerance give one label."""
        ...
