"""Class probabilities in, the one class of each picture out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import tensorflow as tf

from tlkit import files
from tlkit.run import plots
from tlkit.run.answer import Answer
from tlkit.run.measures import measure
from tlkit.workers import Aside


@dataclass(frozen=True)
class OneLabel:
    """The likeliest class is the answer; a `decision.Decision`.

    Attributes:
        labels: The n class names.
    """

    labels: tuple[str, ...]

    def answers(self, scores: np.ndarray) -> list[Answer]:
        """The likeliest class of each picture.

        Args:
            scores: float [N, n], rows summing to 1.

        Returns:
            N answers.
        """
        names = [self.labels[i] for i in scores.argmax(axis=1)]
        return [
            Answer(name, (name,), float(p))
            for name, p in zip(names, scores.max(axis=1), strict=True)
        ]

    def measure(
        self,
        truth: np.ndarray,
        scores: np.ndarray,
        groups: Sequence[str],  # noqa: ARG002 - Wilson's interval counts pictures
        split: str,  # noqa: ARG002 - nothing was chosen
    ) -> dict[str, Any]:
        """Accuracy and figures for each class; see `Decision.measure`."""
        return measure(truth.argmax(axis=1), scores, self.labels)

    def weights(self, truth: np.ndarray, scores: np.ndarray) -> np.ndarray:  # noqa: ARG002
        """The probability of the answer; see `Decision.weights`."""
        best: np.ndarray = scores.max(axis=1)
        return best

    def caption(self, truth: np.ndarray, scores: np.ndarray) -> str:
        """What a picture is, and what it was called; see `Decision.caption`."""
        wanted, called = (self.labels[row.argmax()] for row in (truth, scores))
        return f"{wanted}, called {called} ({scores.max():.2f})"

    def draw(self, metrics: dict[str, Any], folder: Path, draw: Aside) -> None:
        """Write the confusion matrix as table and picture; see `Decision.draw`."""
        matrix = np.array(metrics["confusion"])
        names = list(self.labels)
        table = pd.DataFrame(matrix, index=names, columns=names)
        table.index.name = "true \\ predicted"
        files.write_text(folder / "confusion.csv", table.to_csv())
        draw(plots.draw_confusion, matrix, self.labels, folder / "confusion.png")

    def outputs(self, scores: tf.Tensor) -> dict[str, tf.Tensor]:
        """The label of each picture; see `Decision.outputs`."""
        names = tf.constant(list(self.labels))
        return {"label": tf.gather(names, tf.argmax(scores, axis=-1))}

    def about(self) -> dict[str, str]:
        """What `outputs` are."""
        return {"label": "string [B]"}

    def said(self, outputs: dict[str, Any]) -> list[str]:
        """The labels that an artefact answered; see `Decision.said`."""
        return list(outputs["label"])

    def clear(self, scores: np.ndarray, tolerance: float) -> np.ndarray:
        """Where the second class is too far behind; see `Decision.clear`."""
        best = np.sort(scores, axis=1)
        clear: np.ndarray = best[:, -1] - best[:, -2] > 2 * tolerance
        return clear
