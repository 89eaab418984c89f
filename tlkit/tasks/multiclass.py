"""Images with one label each: the likeliest class is predicted, or "unknown"."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import tensorflow as tf

from tlkit import files
from tlkit.metrics.calibration import FLOOR, calibration_error, scale
from tlkit.metrics.intervals import accuracy
from tlkit.metrics.multiclass import measure
from tlkit.metrics.rejection import aurc, coverage_table
from tlkit.reports import plots
from tlkit.tasks.prediction import Prediction, ScoredSplit

UNKNOWN = "unknown"


@dataclass(frozen=True)
class Rejection:
    """The confidence below which a label is "unknown", and the rule that set it."""

    rule: str
    threshold: float


@dataclass(frozen=True)
class Multiclass:
    """The likeliest class is the prediction; a `Postprocessing`.

    Attributes:
        labels: The n class names.
        temperature: Turns the highest probability into a confidence.
        rejection: None to reject nothing.
    """

    labels: tuple[str, ...]
    temperature: float = 1.0
    rejection: Rejection | None = None

    @property
    def headline(self) -> tuple[str, ...]:
        """See `Postprocessing.headline`."""
        return "accuracy", "accuracy_ci95", "loss", "macro_f1"

    @property
    def selected(self) -> tuple[str, ...]:
        """See `Postprocessing.selected`."""
        return "temperature", *(("rejection threshold",) if self.rejection else ())

    def calibrated(self, scores: np.ndarray) -> np.ndarray:
        """Return the temperature-scaled confidence, float [N]."""
        confidence: np.ndarray = scale(scores, self.temperature).max(axis=1)
        return confidence

    def known(self, scores: np.ndarray) -> np.ndarray:
        """Return bool [N]: not rejected."""
        if self.rejection is None:
            return np.ones(len(scores), bool)
        return np.asarray(self.calibrated(scores) >= self.rejection.threshold)

    def predictions(self, scores: np.ndarray) -> list[Prediction]:
        """See `Postprocessing.predictions`."""
        found = []
        for row, known in zip(scores, self.known(scores), strict=True):
            guess = self.labels[row.argmax()]
            found.append(
                Prediction(
                    label=guess if known else UNKNOWN,
                    probability=float(row.max()),
                    probabilities=dict(zip(self.labels, row.tolist(), strict=True)),
                    labels=(guess,) if known else (),
                    guess=guess if self.rejection else None,
                )
            )
        return found

    def correct(self, split: ScoredSplit) -> np.ndarray:
        """See `Postprocessing.correct`."""
        return np.asarray(split.scores.argmax(axis=1) == split.truth.argmax(axis=1))

    def measure(self, split: ScoredSplit) -> dict[str, Any]:
        """See `Postprocessing.measure`."""
        correct, confidence = self.correct(split), self.calibrated(split.scores)
        return {
            **measure(
                split.truth.argmax(axis=1), split.scores, split.groups, self.labels
            ),
            "calibration": {
                "temperature": self.temperature,
                "ece": calibration_error(correct, split.scores.max(axis=1)),
                "ece_calibrated": calibration_error(correct, confidence),
            },
            "aurc": aurc(coverage_table(correct, confidence, split.groups)),
            "unknown": self._measure_rejection(split, correct),
        }

    def _measure_rejection(
        self, split: ScoredSplit, correct: np.ndarray
    ) -> dict[str, Any] | None:
        if self.rejection is None:
            return None
        known, groups = self.known(split.scores), np.array(split.groups, object)
        coverage = accuracy(known, groups)
        kept = accuracy(correct[known], groups[known]) if known.any() else None
        return {
            "rule": self.rejection.rule,
            "means": f"confidence below {self.rejection.threshold:.3f}",
            "n": int((~known).sum()),
            "coverage": coverage.value,
            "coverage_ci95": [coverage.low, coverage.high],
            "accuracy": kept and kept.value,
            "accuracy_ci95": kept and [kept.low, kept.high],
        }

    def confidence(self, split: ScoredSplit) -> np.ndarray:
        """See `Postprocessing.confidence`."""
        return np.asarray(split.scores.max(axis=1))

    def columns(self, split: ScoredSplit) -> dict[str, np.ndarray]:
        """See `Postprocessing.columns`."""
        columns = {"confidence": self.calibrated(split.scores)}
        return (
            columns
            if self.rejection is None
            else {
                **columns,
                "known": self.known(split.scores),
            }
        )

    def caption(self, truth: np.ndarray, scores: np.ndarray) -> str:
        """See `Postprocessing.caption`."""
        true, predicted = (self.labels[row.argmax()] for row in (truth, scores))
        return f"{true}, predicted {predicted} ({scores.max():.2f})"

    def write(self, split: ScoredSplit, metrics: dict[str, Any], folder: Path) -> None:
        """Write confusion matrix and coverage curve; see `Postprocessing.write`."""
        matrix, names = np.array(metrics["confusion"]), list(self.labels)
        table = pd.DataFrame(matrix, index=names, columns=names)
        table.index.name = "true \\ predicted"
        files.write_text(folder / "confusion.csv", table.to_csv())
        plots.draw_confusion(matrix, self.labels, folder / "confusion.png")
        curve = coverage_table(
            self.correct(split), self.calibrated(split.scores), split.groups
        )
        files.write_text(folder / "coverage.csv", curve.to_csv(index=False))
        kept = metrics["unknown"] and metrics["unknown"]["coverage"]
        plots.draw_coverage(curve, kept, folder / "coverage.png")

    def outputs(self, scores: tf.Tensor) -> dict[str, tf.Tensor]:
        """See `Postprocessing.outputs`."""
        guess = tf.gather(tf.constant(list(self.labels)), tf.argmax(scores, axis=-1))
        if self.rejection is None:
            return {"label": guess}
        logits = tf.math.log(tf.maximum(scores, FLOOR)) / self.temperature
        confidence = tf.reduce_max(tf.nn.softmax(logits), axis=-1)
        known = confidence >= self.rejection.threshold
        return {
            "label": tf.where(known, guess, UNKNOWN),
            "guess": guess,
            "known": known,
            "confidence": confidence,
            "unknown_below": tf.constant(self.rejection.threshold, tf.float32),
        }

    def describe_outputs(self) -> dict[str, str]:
        """See `Postprocessing.describe_outputs`."""
        if self.rejection is None:
            return {"label": "string [B]"}
        return {
            "label": f"string [B], {UNKNOWN!r} where known is false",
            "guess": "string [B], the likeliest class in any case",
            "known": "bool [B], confidence is not below unknown_below",
            "confidence": "float32 [B], the highest probability, calibrated",
            "unknown_below": f"float32, chosen on validation for {self.rejection.rule}",
        }

    def exported_labels(self, outputs: dict[str, Any]) -> list[str]:
        """See `Postprocessing.exported_labels`."""
        return list(outputs["label"])

    def is_stable(self, scores: np.ndarray, tolerance: float) -> np.ndarray:
        """See `Postprocessing.is_stable`."""
        best = np.sort(scores, axis=1)
        stable: np.ndarray = best[:, -1] - best[:, -2] > 2 * tolerance
        if self.rejection is None:
            return stable
        low, high = (
            self.known(_shifted(scores, off)) for off in (-2 * tolerance, 2 * tolerance)
        )
        return np.asarray(stable & (low == high))


def _shifted(scores: np.ndarray, by: float) -> np.ndarray:
    """Return scores with another highest probability, the others in proportion."""
    best = scores.max(axis=1, keepdims=True)
    target = np.clip(best + by, FLOOR, 1 - FLOOR)
    rest = scores * (1 - target) / np.maximum(1 - best, FLOOR)
    shifted: np.ndarray = np.where(scores == best, target, rest)
    return shifted
