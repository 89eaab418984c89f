"""Class probabilities in, all classes that each image shows out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import tensorflow as tf

from tlkit import files
from tlkit.dataset.splitting.examples import BETWEEN
from tlkit.metrics.multilabel import measure_labels
from tlkit.tasks.prediction import Answer, ScoredSplit
from tlkit.workers import Aside


@dataclass(frozen=True)
class Multilabel:
    """Every class that reaches its threshold is answered; a `decision.Decision`.

    Attributes:
        labels: The n class names.
        thresholds: n probabilities; a class is there if its own is not below.
    """

    labels: tuple[str, ...]
    thresholds: tuple[float, ...]

    @property
    def headline(self) -> tuple[str, ...]:
        """See `Decision.headline`."""
        return "map", "map_ci95", "macro_f1", "macro_f1_ci95", "loss"

    @property
    def by_distance(self) -> bool:
        """Whether an answer depends on the distance of the features."""
        return False

    def present(self, scores: np.ndarray) -> np.ndarray:
        """Which classes reach their threshold, bool [N, n]."""
        reached: np.ndarray = scores >= np.array(self.thresholds, np.float32)
        return reached

    def named(self, present: np.ndarray) -> tuple[str, ...]:
        """The names of the classes that are there, of bool [n]."""
        return tuple(
            n for n, is_there in zip(self.labels, present, strict=True) if is_there
        )

    def answers(
        self,
        scores: np.ndarray,
        distances: np.ndarray | None = None,  # noqa: ARG002
    ) -> list[Answer]:
        """All labels of each image, it may be none; see `Decision.answers`."""
        found = map(self.named, self.present(scores))
        return [Answer(BETWEEN.join(names), names) for names in found]

    def right(self, side: ScoredSplit) -> np.ndarray:
        """Whether all labels are right; see `Decision.right`."""
        right: np.ndarray = (self.present(side.scores) == (side.truth > 0)).all(axis=1)
        return right

    def measure(self, side: ScoredSplit) -> dict[str, Any]:
        """Average precision, F1 and more; see `Decision.measure`."""
        present = self.present(side.scores)
        figures = measure_labels(
            side.truth > 0, side.scores, present, side.groups, self.labels
        )
        for row, threshold in zip(figures["per_class"], self.thresholds, strict=True):
            row["threshold"] = threshold
        return {"chose_the_thresholds": side.split == "val", **figures}

    def weights(self, side: ScoredSplit) -> np.ndarray:
        """How far off the worst answer of each image is; see `Decision.weights`."""
        off = np.abs(side.truth - side.scores)
        wrong = self.present(side.scores) != (side.truth > 0)
        # Where nothing is wrong, it says how near the image came to it.
        counted = np.where(wrong | ~wrong.any(axis=1, keepdims=True), off, 0.0)
        worst: np.ndarray = counted.max(axis=1)
        return worst

    def columns(self, side: ScoredSplit) -> dict[str, np.ndarray]:  # noqa: ARG002
        """None besides those of all answers; see `Decision.columns`."""
        return {}

    def caption(self, truth: np.ndarray, scores: np.ndarray) -> str:
        """What was missed and what was wrongly seen; see `Decision.caption`."""
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

    def draw(
        self,
        side: ScoredSplit,  # noqa: ARG002 - all is in the figures
        metrics: dict[str, Any],
        folder: Path,
        draw: Aside,  # noqa: ARG002
    ) -> None:
        """Write the table of the classes; see `Decision.draw`."""
        rows = []
        for figures in metrics["per_class"]:
            row = dict(figures)
            for name in [name for name in row if name.endswith("_ci95")]:
                ends, stem = row.pop(name) or (None, None), name.removesuffix("ci95")
                row |= {f"{stem}low": ends[0], f"{stem}high": ends[1]}
            rows.append(row)
        table = pd.DataFrame(rows)
        files.write_text(folder / "classes.csv", table.to_csv(index=False))

    def outputs(self, scores: tf.Tensor) -> dict[str, tf.Tensor]:
        """Which classes are there, and from where on; see `Decision.outputs`."""
        thresholds = tf.constant(self.thresholds, tf.float32)
        return {"present": scores >= thresholds, "thresholds": thresholds}

    def about(self) -> dict[str, str]:
        """What `outputs` are."""
        n = len(self.labels)
        return {
            "present": f"bool [B, {n}]: which of class_names are there",
            "thresholds": f"float32 [{n}]: the probabilities from which on they are",
        }

    def said(self, outputs: dict[str, Any]) -> list[str]:
        """The labels that an artefact answered; see `Decision.said`."""
        return [BETWEEN.join(self.named(np.array(row))) for row in outputs["present"]]

    def clear(self, scores: np.ndarray, tolerance: float) -> np.ndarray:
        """Where no class is near its threshold; see `Decision.clear`."""
        away = np.abs(scores - np.array(self.thresholds)).min(axis=1)
        clear: np.ndarray = away > tolerance
        return clear
