"""Images with several labels: every class at or above its threshold is predicted."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import tensorflow as tf

from tlkit import files
from tlkit.dataset.records import BETWEEN
from tlkit.metrics.multilabel import measure_labels
from tlkit.tasks.prediction import Prediction, ScoredSplit


@dataclass(frozen=True)
class Multilabel:
    """Every class at or above its threshold is predicted; a `Postprocessing`."""

    labels: tuple[str, ...]
    thresholds: tuple[float, ...]

    @property
    def headline(self) -> tuple[str, ...]:
        """See `Postprocessing.headline`."""
        return "map", "map_ci95", "macro_f1", "macro_f1_ci95", "loss"

    @property
    def selected(self) -> tuple[str, ...]:
        """See `Postprocessing.selected`."""
        return ("label thresholds",)

    def present(self, scores: np.ndarray) -> np.ndarray:
        """Return bool [N, n]: at or above the threshold."""
        reached: np.ndarray = scores >= np.array(self.thresholds, np.float32)
        return reached

    def named(self, present: np.ndarray) -> tuple[str, ...]:
        """Return the class names where bool [n] is true."""
        return tuple(
            name for name, shown in zip(self.labels, present, strict=True) if shown
        )

    def predictions(self, scores: np.ndarray) -> list[Prediction]:
        """See `Postprocessing.predictions`; an image may have no label."""
        return [
            Prediction(
                label=BETWEEN.join(names),
                probabilities=dict(zip(self.labels, row.tolist(), strict=True)),
                labels=names,
            )
            for row, names in zip(
                scores, map(self.named, self.present(scores)), strict=True
            )
        ]

    def correct(self, split: ScoredSplit) -> np.ndarray:
        """See `Postprocessing.correct`."""
        same = self.present(split.scores) == (split.truth > 0)
        return np.asarray(same.all(axis=1))

    def measure(self, split: ScoredSplit) -> dict[str, Any]:
        """See `Postprocessing.measure`."""
        present = self.present(split.scores)
        metrics = measure_labels(
            split.truth > 0, split.scores, present, split.groups, self.labels
        )
        for row, threshold in zip(metrics["per_class"], self.thresholds, strict=True):
            row["threshold"] = threshold
        return metrics

    def confidence(self, split: ScoredSplit) -> np.ndarray:
        """See `Postprocessing.confidence`: the largest error of each image's labels."""
        off = np.abs(split.truth - split.scores)
        incorrect = self.present(split.scores) != (split.truth > 0)
        # Images without an incorrect label are sorted by how near they came to one.
        counted = np.where(incorrect | ~incorrect.any(axis=1, keepdims=True), off, 0.0)
        worst: np.ndarray = counted.max(axis=1)
        return worst

    def columns(self, split: ScoredSplit) -> dict[str, np.ndarray]:  # noqa: ARG002
        """See `Postprocessing.columns`."""
        return {}

    def caption(self, truth: np.ndarray, scores: np.ndarray) -> str:
        """See `Postprocessing.caption`."""
        there, present = truth > 0, self.present(scores[np.newaxis])[0]
        shown = dict(zip(self.labels, scores, strict=True))
        parts = []
        for word, names in (
            ("missed", self.named(there & ~present)),
            ("not there:", self.named(present & ~there)),
        ):
            if names:
                parts.append(
                    f"{word} {', '.join(f'{n} ({shown[n]:.2f})' for n in names)}"
                )
        return "; ".join(parts)

    def write(
        self,
        split: ScoredSplit,  # noqa: ARG002 - the metrics have it all
        metrics: dict[str, Any],
        folder: Path,
    ) -> None:
        """Write the table of the classes; see `Postprocessing.write`."""
        rows = []
        for row in map(dict, metrics["per_class"]):
            for name in [name for name in row if name.endswith("_ci95")]:
                ends, stem = row.pop(name) or (None, None), name.removesuffix("ci95")
                row |= {f"{stem}low": ends[0], f"{stem}high": ends[1]}
            rows.append(row)
        table = pd.DataFrame(rows)
        files.write_text(folder / "classes.csv", table.to_csv(index=False))

    def outputs(self, scores: tf.Tensor) -> dict[str, tf.Tensor]:
        """See `Postprocessing.outputs`."""
        thresholds = tf.constant(self.thresholds, tf.float32)
        return {"present": scores >= thresholds, "thresholds": thresholds}

    def describe_outputs(self) -> dict[str, str]:
        """See `Postprocessing.describe_outputs`."""
        n = len(self.labels)
        return {
            "present": f"bool [B, {n}]: which of class_names are present",
            "thresholds": f"float32 [{n}]: the lowest probability of a present class",
        }

    def exported_labels(self, outputs: dict[str, Any]) -> list[str]:
        """See `Postprocessing.exported_labels`."""
        return [BETWEEN.join(self.named(np.array(row))) for row in outputs["present"]]

    def is_stable(self, scores: np.ndarray, tolerance: float) -> np.ndarray:
        """See `Postprocessing.is_stable`."""
        away = np.abs(scores - np.array(self.thresholds)).min(axis=1)
        return np.asarray(away > tolerance)
