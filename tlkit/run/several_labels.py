"""Class probabilities in, all classes that each picture shows out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import tensorflow as tf

from tlkit import files
from tlkit.dataset.candidate import BETWEEN
from tlkit.run.answer import Answer
from tlkit.run.label_measures import measure_labels
from tlkit.workers import Aside


@dataclass(frozen=True)
class SeveralLabels:
    """Every class that reaches its threshold is answered; a `decision.Decision`.

    Attributes:
        labels: The n class names.
        thresholds: n probabilities; a class is there if its own is not below.
    """

    labels: tuple[str, ...]
    thresholds: tuple[float, ...]

    def present(self, scores: np.ndarray) -> np.ndarray:
        """Which classes reach their threshold, bool [N, n]."""
        reached: np.ndarray = scores >= np.array(self.thresholds, np.float32)
        return reached

    def named(self, present: np.ndarray) -> tuple[str, ...]:
        """The names of the classes that are there, of bool [n]."""
        return tuple(
            n for n, is_there in zip(self.labels, present, strict=True) if is_there
        )

    def answers(self, scores: np.ndarray) -> list[Answer]:
        """All labels of each picture; it may be none.

        Args:
            scores: float [N, n], of each class from 0 to 1.

        Returns:
            N answers.
        """
        found = map(self.named, self.present(scores))
        return [Answer(BETWEEN.join(names), names) for names in found]

    def measure(
        self, truth: np.ndarray, scores: np.ndarray, groups: Sequence[str], split: str
    ) -> dict[str, Any]:
        """Average precision, F1 and more; see `Decision.measure`."""
        present = self.present(scores)
        figures = measure_labels(truth > 0, scores, present, groups, self.labels)
        for row, threshold in zip(figures["per_class"], self.thresholds, strict=True):
            row["threshold"] = threshold
        return {"chose_the_thresholds": split == "val", **figures}

    def weights(self, truth: np.ndarray, scores: np.ndarray) -> np.ndarray:
        """How far off the worst answer of each picture is; see `Decision.weights`."""
        off = np.abs(truth - scores)
        wrong = self.present(scores) != (truth > 0)
        # Where nothing is wrong, it says how near the picture came to it.
        counted = np.where(wrong | ~wrong.any(axis=1, keepdims=True), off, 0.0)
        worst: np.ndarray = counted.max(axis=1)
        return worst

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

    def draw(self, metrics: dict[str, Any], folder: Path, draw: Aside) -> None:  # noqa: ARG002
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
