"""Class probabilities in, the one class of each image out, or that it is unknown."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import tensorflow as tf

from tlkit import files
from tlkit.evaluation.rejection import UNKNOWN, Unknown, certainties
from tlkit.metrics.calibration import FLOOR, calibration_error
from tlkit.metrics.coverage import coverage_table, risk_area
from tlkit.metrics.multiclass import measure, wilson_interval
from tlkit.reports import plots
from tlkit.tasks.prediction import Answer, ScoredSplit
from tlkit.workers import Aside


@dataclass(frozen=True)
class Multiclass:
    """The likeliest class is the answer; a `decision.Decision`.

    Attributes:
        labels: The n class names.
        temperature: Makes a confidence of the highest probability.
        unknown: From where on the answer is "unknown"; None for never.
    """

    labels: tuple[str, ...]
    temperature: float = 1.0
    unknown: Unknown | None = None

    @property
    def headline(self) -> tuple[str, ...]:
        """See `Decision.headline`."""
        return "accuracy", "accuracy_ci95", "loss", "macro_f1"

    @property
    def by_distance(self) -> bool:
        """Whether an answer depends on the distance of the features."""
        return self.unknown is not None and self.unknown.by == "distance"

    def known(self, scores: np.ndarray, distances: np.ndarray | None) -> np.ndarray:
        """Which images are not called unknown, bool [N]."""
        if self.unknown is None:
            return np.ones(len(scores), bool)
        certainty = certainties(scores, self.temperature, distances)
        kept: np.ndarray = certainty[self.unknown.by] >= self.unknown.limit
        return kept

    def answers(
        self, scores: np.ndarray, distances: np.ndarray | None = None
    ) -> list[Answer]:
        """The likeliest class of each image; see `Decision.answers`."""
        found = []
        known = self.known(scores, distances)
        for row, sure in zip(scores, known, strict=True):
            name, p = self.labels[row.argmax()], float(row.max())
            guess = name if self.unknown else None
            found.append(
                Answer(name, (name,), p, guess)
                if sure
                else Answer(UNKNOWN, (), p, guess)
            )
        return found

    def right(self, side: ScoredSplit) -> np.ndarray:
        """Whether the likeliest class is the true one; see `Decision.right`."""
        right: np.ndarray = side.scores.argmax(axis=1) == side.truth.argmax(axis=1)
        return right

    def measure(self, side: ScoredSplit) -> dict[str, Any]:
        """Accuracy, calibration and coverage; see `Decision.measure`."""
        truth = side.truth.argmax(axis=1)
        right = self.right(side)
        raw = side.scores.max(axis=1)
        certainty = certainties(side.scores, self.temperature, side.distances)
        return {
            **measure(truth, side.scores, self.labels),
            "calibration": {
                "temperature": self.temperature,
                "error": calibration_error(right, raw),
                "error_tempered": calibration_error(right, certainty["confidence"]),
                "chose_the_temperature": side.split == "val",
            },
            "risk_area": {
                by: risk_area(coverage_table(right, values))
                for by, values in certainty.items()
            },
            "unknown": self._measure_unknown(side, right),
        }

    def _measure_unknown(
        self, side: ScoredSplit, right: np.ndarray
    ) -> dict[str, Any] | None:
        if self.unknown is None:
            return None
        known = self.known(side.scores, side.distances)
        kept, found = int(known.sum()), int(right[known].sum())
        return {
            "rule": self.unknown.rule,
            "by": self.unknown.by,
            "means": str(self.unknown),
            "n": len(known) - kept,
            "coverage": kept / len(known),
            "coverage_ci95": list(wilson_interval(kept, len(known))),
            "accuracy": found / kept if kept else None,
            "accuracy_ci95": list(wilson_interval(found, kept)) if kept else None,
            "chose_the_limit": side.split == "val",
        }

    def weights(self, side: ScoredSplit) -> np.ndarray:
        """The probability of the answer; see `Decision.weights`."""
        best: np.ndarray = side.scores.max(axis=1)
        return best

    def columns(self, side: ScoredSplit) -> dict[str, np.ndarray]:
        """How sure each answer is; see `Decision.columns`."""
        columns = certainties(side.scores, self.temperature, None)
        if side.distances is not None:
            columns["distance"] = side.distances
        if self.unknown is not None:
            columns["known"] = self.known(side.scores, side.distances)
        return columns

    def caption(self, truth: np.ndarray, scores: np.ndarray) -> str:
        """What an image is, and what it was called; see `Decision.caption`."""
        wanted, called = (self.labels[row.argmax()] for row in (truth, scores))
        return f"{wanted}, called {called} ({scores.max():.2f})"

    def draw(
        self, side: ScoredSplit, metrics: dict[str, Any], folder: Path, draw: Aside
    ) -> None:
        """Write the confusion matrix and the coverage curve; see `Decision.draw`."""
        matrix = np.array(metrics["confusion"])
        names = list(self.labels)
        table = pd.DataFrame(matrix, index=names, columns=names)
        table.index.name = "true \\ predicted"
        files.write_text(folder / "confusion.csv", table.to_csv())
        draw(plots.draw_confusion, matrix, self.labels, folder / "confusion.png")
        right = self.right(side)
        certainty = certainties(side.scores, self.temperature, side.distances)
        curves = {by: coverage_table(right, each) for by, each in certainty.items()}
        rows = pd.concat(curves, names=["by"]).reset_index("by")
        files.write_text(folder / "coverage.csv", rows.to_csv(index=False))
        kept = metrics["unknown"] and metrics["unknown"]["coverage"]
        draw(plots.draw_coverage, curves, kept, folder / "coverage.png")

    def outputs(self, scores: tf.Tensor) -> dict[str, tf.Tensor]:
        """The label of each image; see `Decision.outputs`."""
        guess = tf.gather(tf.constant(list(self.labels)), tf.argmax(scores, axis=-1))
        if self.unknown is None:
            return {"label": guess}
        logits = tf.math.log(tf.maximum(scores, FLOOR)) / self.temperature
        confidence = tf.reduce_max(tf.nn.softmax(logits), axis=-1)
        known = confidence >= self.unknown.limit
        return {
            "label": tf.where(known, guess, UNKNOWN),
            "guess": guess,
            "known": known,
            "confidence": confidence,
            "unknown_below": tf.constant(self.unknown.limit, tf.float32),
        }

    def about(self) -> dict[str, str]:
        """What `outputs` are."""
        if self.unknown is None:
            return {"label": "string [B]"}
        return {
            "label": f"string [B], {UNKNOWN!r} where known is false",
            "guess": "string [B], the likeliest class in any case",
            "known": "bool [B], confidence is not below unknown_below",
            "confidence": "float32 [B], the highest probability, calibrated",
            "unknown_below": f"float32, chosen on validation for {self.unknown.rule}",
        }

    def said(self, outputs: dict[str, Any]) -> list[str]:
        """The labels that an artefact answered; see `Decision.said`."""
        return list(outputs["label"])

    def clear(self, scores: np.ndarray, tolerance: float) -> np.ndarray:
        """Where the second class is too far behind; see `Decision.clear`."""
        best = np.sort(scores, axis=1)
        clear: np.ndarray = best[:, -1] - best[:, -2] > 2 * tolerance
        if self.unknown is None:
            return clear
        sides = [
            self.known(_shifted(scores, off), None)
            for off in (-2 * tolerance, 2 * tolerance)
        ]
        clear &= sides[0] == sides[1]
        return clear


def _shifted(scores: np.ndarray, by: float) -> np.ndarray:
    """The same with another highest probability, the others in proportion."""
    best = scores.max(axis=1, keepdims=True)
    wanted = np.clip(best + by, FLOOR, 1 - FLOOR)
    rest = scores * (1 - wanted) / np.maximum(1 - best, FLOOR)
    shifted: np.ndarray = np.where(scores == best, wanted, rest)
    return shifted
