"""A run in, how its probabilities become an answer out.

There is a class for each form of an answer, OneLabel and SeveralLabels. Whoever
reports, predicts or exports asks for the decision of a run, and has no cases itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import tensorflow as tf

from tlkit.errors import RunError
from tlkit.run.answer import Answer
from tlkit.run.one_label import OneLabel
from tlkit.run.record import Run
from tlkit.run.several_labels import SeveralLabels
from tlkit.run.thresholds import choose_thresholds
from tlkit.workers import Aside


class Decision(Protocol):
    """How probabilities become an answer, and what is said of such answers."""

    def answers(self, scores: np.ndarray) -> list[Answer]:
        """The answer for each picture.

        Args:
            scores: float [N, n], probabilities.

        Returns:
            N answers.
        """
        ...

    def measure(
        self, truth: np.ndarray, scores: np.ndarray, groups: Sequence[str], split: str
    ) -> dict[str, Any]:
        """How good the answers are.

        Args:
            truth: float [N, n], from `Manifest.shares`.
            scores: float [N, n], probabilities.
            groups: N names of what belongs together.
            split: The side that the pictures are on.

        Returns:
            Figures with their intervals, as `tlkit.evaluate` names them.
        """
        ...

    def weights(self, truth: np.ndarray, scores: np.ndarray) -> np.ndarray:
        """By what a mistake weighs: the surer a wrong answer, the more.

        Args:
            truth: float [N, n], from `Manifest.shares`.
            scores: float [N, n], probabilities.

        Returns:
            float [N], 0 to 1.
        """
        ...

    def caption(self, truth: np.ndarray, scores: np.ndarray) -> str:
        """A line about one wrong answer.

        Args:
            truth: float [n].
            scores: float [n].

        Returns:
            For the picture of mistakes.
        """
        ...

    def draw(self, metrics: dict[str, Any], folder: Path, draw: Aside) -> None:
        """Write tables and pictures that this form of answer has.

        Args:
            metrics: From `measure`.
            folder: Where to.
            draw: Makes the pictures.
        """
        ...

    def outputs(self, scores: tf.Tensor) -> dict[str, tf.Tensor]:
        """What a SavedModel answers besides `probabilities` and `class_names`.

        Args:
            scores: float32 [B, n], probabilities.

        Returns:
            Tensors by name.
        """
        ...

    def about(self) -> dict[str, str]:
        """What each of `outputs` is, for a reader."""
        ...

    def said(self, outputs: dict[str, Any]) -> list[str]:
        """The answers of an artefact, in the form of `Answer.label`.

        Args:
            outputs: What it answered, as lists.

        Returns:
            N labels.
        """
        ...

    def clear(self, scores: np.ndarray, tolerance: float) -> np.ndarray:
        """Where the answer is the same for all probabilities that are near.

        Args:
            scores: float [N, n], probabilities.
            tolerance: How near.

        Returns:
            bool [N].
        """
        ...


def settle(run: Run, truth: np.ndarray, scores: np.ndarray) -> Run:
    """Choose on the validation side what a decision depends on, and keep it in the run.

    Args:
        run: One that has been trained.
        truth: float [N, n], from `Manifest.shares`.
        scores: float [N, n], probabilities of its validation side.

    Returns:
        The run, with what was chosen.
    """
    if not run.task.multi_label:
        return run
    chosen = choose_thresholds(truth > 0, scores, run.labels)
    return run.update(decision={"chosen_on": "val", "thresholds": chosen})


def decision_of(run: Run) -> Decision:
    """How the probabilities of a run become an answer.

    Args:
        run: A run that was settled.

    Returns:
        The decision.

    Raises:
        RunError: What was chosen is not in run.json.
    """
    if not run.task.multi_label:
        return OneLabel(run.labels)
    try:
        rows = run.info["decision"]["thresholds"]
        chosen = {row["name"]: float(row["threshold"]) for row in rows}
        return SeveralLabels(run.labels, tuple(chosen[name] for name in run.labels))
    except (KeyError, TypeError, ValueError) as error:
        raise RunError(
            f"{run.directory}/run.json does not say from which probability on each "
            f"label is there: {error!r}.",
            hint="Put the file back as it was, or train anew.",
        ) from error
