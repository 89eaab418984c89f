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
from tlkit.evaluation.rejection import Unknown, choose_unknown
from tlkit.metrics.calibration import fit_temperature
from tlkit.metrics.thresholds import choose_thresholds
from tlkit.runs.result_dir import Run
from tlkit.tasks.multiclass import Multiclass
from tlkit.tasks.multilabel import Multilabel
from tlkit.tasks.prediction import Answer, ScoredSplit
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
        """The answer for each image."""
        ...

    def right(self, side: ScoredSplit) -> np.ndarray:
        """Whether all of an answer is right, bool [N], if nothing is called unknown."""
        ...

    def measure(self, side: ScoredSplit) -> dict[str, Any]:
        """How good the answers are."""
        ...

    def weights(self, side: ScoredSplit) -> np.ndarray:
        """By what a mistake weighs: the surer a wrong answer, the more."""
        ...

    def columns(self, side: ScoredSplit) -> dict[str, np.ndarray]:
        """What else the table of all answers has."""
        ...

    def caption(self, truth: np.ndarray, scores: np.ndarray) -> str:
        """A line about one wrong answer."""
        ...

    def draw(
        self, side: ScoredSplit, metrics: dict[str, Any], folder: Path, draw: Aside
    ) -> None:
        """Write tables and images that this form of answer has."""
        ...

    def outputs(self, scores: tf.Tensor) -> dict[str, tf.Tensor]:
        """What a SavedModel answers besides `probabilities` and `class_names`."""
        ...

    def about(self) -> dict[str, str]:
        """What each of `outputs` is, for a reader."""
        ...

    def said(self, outputs: dict[str, Any]) -> list[str]:
        """The answers of an artefact, in the form of `Answer.label`."""
        ...

    def clear(self, scores: np.ndarray, tolerance: float) -> np.ndarray:
        """Where the answer is the same for all probabilities that are near."""
        ...


def decide_on_val(run: Run, val: ScoredSplit) -> Run:
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


def set_unknown(run: Run, rule: str, by: str, val: ScoredSplit) -> Run:
    """Choose on the validation side what is unknown, and keep it in the run."""
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
            return Multiclass(run.labels, _temperature(run), said)
        rows = run.info["decision"]["thresholds"]
        chosen = {row["name"]: float(row["threshold"]) for row in rows}
        return Multilabel(run.labels, tuple(chosen[name] for name in run.labels))
    except (KeyError, TypeError, ValueError) as error:
        raise RunError(
            f"{run.directory}/run.json does not say how its probabilities become an "
            f"answer: {error!r}.",
            hint="Put the file back as it was, or train again.",
        ) from error


def _temperature(run: Run) -> float:
    """Of a run from before temperatures were fitted: none, which is 1."""
    return float(run.info.get("decision", {}).get("temperature", 1.0))
