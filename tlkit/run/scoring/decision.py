"""A run in, how its probabilities become an answer out.

There is a class for each form of an answer, OneLabel and SeveralLabels. Whoever
reports, predicts or exports asks for the decision of a run, and has no cases itself.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import numpy as np
import tensorflow as tf

from tlkit.errors import RunError
from tlkit.run.record import Run
from tlkit.run.scoring.answer import Answer
from tlkit.run.scoring.confidence import fit_temperature
from tlkit.run.scoring.one_label import OneLabel
from tlkit.run.scoring.scored import Scored
from tlkit.run.scoring.several_labels import SeveralLabels
from tlkit.run.scoring.thresholds import choose_thresholds
from tlkit.run.scoring.unknown import Unknown, choose_unknown
from tlkit.workers import Aside


class Decision(Protocol):
    """How probabilities become an answer, and what is said of such answers."""

    @property
    def headline(self) -> tuple[str, ...]:
        """The names of the figures that sum the others up."""
        ...

    @property
    def by_distance(self) -> bool:
        """Whether an answer depends on the distance of the features."""
        ...

    def answers(
        self, scores: np.ndarray, distances: np.ndarray | None = None
    ) -> list[Answer]:
        """The answer for each picture.

        Args:
            scores: float [N, n], probabilities.
            distances: float [N], from `familiarity`, if `by_distance`.

        Returns:
            N answers.
        """
        ...

    def right(self, side: Scored) -> np.ndarray:
        """Whether all of an answer is right, bool [N], if nothing is called unknown."""
        ...

    def measure(self, side: Scored) -> dict[str, Any]:
        """How good the answers are.

        Args:
            side: What is known of the pictures, and what the network says.

        Returns:
            Figures with their intervals, as `tlkit.evaluate` names them.
        """
        ...

    def weights(self, side: Scored) -> np.ndarray:
        """By what a mistake weighs: the surer a wrong answer, the more.

        Args:
            side: As for `measure`.

        Returns:
            float [N], 0 to 1.
        """
        ...

    def columns(self, side: Scored) -> dict[str, np.ndarray]:
        """What else the table of all answers has.

        Args:
            side: As for `measure`.

        Returns:
            [N] each, by name.
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

    def draw(
        self, side: Scored, metrics: dict[str, Any], folder: Path, draw: Aside
    ) -> None:
        """Write tables and pictures that this form of answer has.

        Args:
            side: As for `measure`.
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


def decide_on_val(run: Run, val: Scored) -> Run:
    """Choose on the validation side what a decision depends on, and keep it in the run.

    Args:
        run: One that has been trained.
        val: Its validation side.

    Returns:
        The run, with what was chosen.
    """
    chosen: dict[str, Any] = {"chosen_on": "val"}
    if run.task.multi_label:
        chosen["thresholds"] = choose_thresholds(val.truth > 0, val.scores, run.labels)
    else:
        chosen["temperature"] = fit_temperature(val.truth.argmax(axis=1), val.scores)
    return run.update(decision=chosen)


def set_unknown(run: Run, rule: str, by: str, val: Scored) -> Run:
    """Choose on the validation side what is unknown, and keep it in the run.

    Args:
        run: One that `decide_on_val` has seen.
        rule: As `coverage.parse_rule` takes it.
        by: One of `unknown.MEASURES`.
        val: Its validation side, with distances where these decide.

    Returns:
        The run, with what was chosen.
    """
    chosen = choose_unknown(rule, by, val, _temperature(run))
    return run.update(decision={**run.info.get("decision", {}), "unknown": chosen})


def decision_of(run: Run) -> Decision:
    """How the probabilities of a run become an answer.

    Args:
        run: One that `decide_on_val` has seen.

    Returns:
        The decision.

    Raises:
        RunError: What was chosen is not in run.json.
    """
    try:
        if not run.task.multi_label:
            unknown = run.info.get("decision", {}).get("unknown")
            said = Unknown(**unknown) if unknown else None
            return OneLabel(run.labels, _temperature(run), said)
        rows = run.info["decision"]["thresholds"]
        chosen = {row["name"]: float(row["threshold"]) for row in rows}
        return SeveralLabels(run.labels, tuple(chosen[name] for name in run.labels))
    except (KeyError, TypeError, ValueError) as error:
        raise RunError(
            f"{run.directory}/run.json does not say how its probabilities become an "
            f"answer: {error!r}.",
            hint="Put the file back as it was, or train anew.",
        ) from error


def _temperature(run: Run) -> float:
    """Of a run from before temperatures were fitted: none, which is 1."""
    return float(run.info.get("decision", {}).get("temperature", 1.0))
