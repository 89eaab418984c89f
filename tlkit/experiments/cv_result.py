"""The result of cross-validation: out-of-fold predictions and their metrics.

folds.json           state, data, folds, and a row of metrics for each finished split
config.yaml          the configuration, everything resolved
labels.txt           the class order
oof_predictions.csv  predictions for each image by a network that has not seen it
metrics.json         the metrics, once all splits are finished
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tlkit import files
from tlkit.errors import RunError, UsageError
from tlkit.metrics.bootstrap import Bootstrap
from tlkit.metrics.intervals import accuracy, spread
from tlkit.metrics.multiclass import measure
from tlkit.runs.result_dir import ResultDir
from tlkit.training.cv_folds import CVFold

PREDICTIONS = "oof_predictions.csv"
SAVED_METRICS = ("n", "accuracy", "macro_f1", "loss")


class CVResult(ResultDir):
    """A directory of cross-validation, open for reading."""

    MARKER = "folds.json"
    KIND = "cross-validation"
    COMMAND = ("tlkit", "cross-validate")

    @classmethod
    def is_resumable(cls, directory: Path) -> bool:
        """Return whether at least one split is finished."""
        return (directory / PREDICTIONS).is_file()

    def predictions(self) -> pd.DataFrame:
        """Read the out-of-fold predictions of the finished splits.

        Returns:
            A row for each image and repeat, with columns id, path, group, label,
            repeat, fold, predicted, and p_LABEL for each class.

        Raises:
            RunError: The file is missing or damaged.
        """
        path = self.directory / PREDICTIONS
        finished = {(row["repeat"], row["fold"]) for row in self.info["splits"]}
        names = [f"p_{label}" for label in self.labels]
        texts = dict.fromkeys(("id", "path", "group", "label", "predicted"), str)
        try:
            table = pd.read_csv(path, dtype=texts, keep_default_na=False)
            table[names] = table[names].astype(np.float32)
            pairs = zip(table["repeat"], table["fold"], strict=True)
        except (OSError, ValueError, KeyError) as error:
            raise RunError(f"{path} cannot be read: {error}.") from error
        return table[[pair in finished for pair in pairs]].reset_index(drop=True)

    def probabilities(self, table: pd.DataFrame) -> np.ndarray:
        """Return the class probabilities of a table of predictions.

        Args:
            table: From `predictions`, or some rows of it.

        Returns:
            float32 [N, n].
        """
        return table[[f"p_{label}" for label in self.labels]].to_numpy(np.float32)

    def targets(self, table: pd.DataFrame) -> np.ndarray:
        """Return the true classes of a table of predictions.

        Args:
            table: From `predictions`, or some rows of it.

        Returns:
            int [N].
        """
        return table["label"].map(self.labels.index).to_numpy(int)

    def add(self, split: CVFold, probabilities: np.ndarray, **more: Any) -> CVResult:
        """Record the predictions float32 [N, n] of a split, and more about it."""
        examples = split.manifest.of("test")
        table = pd.DataFrame(
            {
                "id": [example.id for example in examples],
                "path": [example.path for example in examples],
                "group": [example.group for example in examples],
                "label": [example.label for example in examples],
                "repeat": split.repeat,
                "fold": split.fold,
                "predicted": [self.labels[i] for i in probabilities.argmax(axis=1)],
                **{f"p_{self.labels[i]}": p for i, p in enumerate(probabilities.T)},
            }
        )
        if self.info["splits"]:
            table = pd.concat([self.predictions(), table])
        # The table first: a row of folds.json means that its predictions are there.
        files.write_text(self.directory / PREDICTIONS, table.to_csv(index=False))
        targets = split.manifest.targets(examples)
        groups = [example.group for example in examples]
        measured = measure(targets, probabilities, groups, self.labels)
        row = {
            "repeat": split.repeat,
            "fold": split.fold,
            "learned": len(split.manifest.examples) - len(examples),
            **{name: measured[name] for name in SAVED_METRICS},
            **more,
        }
        return self.update(splits=[*self.info["splits"], row])

    @property
    def test_ratio(self) -> float:
        """The mean ratio of held-out examples to those that a split learns from."""
        ratios = [row["n"] / row["learned"] for row in self.info["splits"]]
        return float(np.mean(ratios))


def summarize(found: CVResult) -> dict[str, Any]:
    """Compute the metrics over all splits."""
    rows, table = found.info["splits"], found.predictions()
    repeats = found.info["repeats"]
    metrics: dict[str, Any] = {
        "folds": found.info["folds"],
        "repeats": repeats,
        "n": len(table) // repeats,
        "interval": "over folds, corrected for their dependence (Nadeau, Bengio 2003)",
    }
    for name in ("accuracy", "macro_f1", "loss"):
        one = spread(np.array([row[name] for row in rows]), found.test_ratio)
        most = np.inf if name == "loss" else 1.0
        metrics[name] = one.mean
        metrics[f"{name}_sd"] = one.sd
        metrics[f"{name}_ci95"] = [max(one.low, 0.0), min(one.high, most)]
    metrics["selected"] = dict(Counter(row["selected"] for row in rows))
    targets, probabilities = found.targets(table), found.probabilities(table)
    pooled = measure(targets, probabilities, list(table["group"]), found.labels)
    # Repeats are more predictions, not more images, and neither are images of a group.
    table["correct"] = table["predicted"] == table["label"]
    images = table.groupby("id").agg(
        correct=("correct", "mean"), group=("group", "first")
    )
    share = accuracy(images["correct"].to_numpy(), images["group"].to_numpy())
    pooled["accuracy_ci95"] = [share.low, share.high]
    if not metrics["accuracy_sd"]:
        # Folds with equal scores still leave the uncertainty of few images.
        metrics["accuracy_ci95"] = pooled["accuracy_ci95"]
        metrics["interval"] = "over images (Wilson 1927), as all folds are alike"
    return {**metrics, "pooled": pooled}


def check_same_folds(info: dict[str, Any], baseline: CVResult) -> None:
    """Refuse a baseline that was measured on other folds than a record has."""
    faults = [
        f"{name} {info[name]} here, {baseline.info[name]} there"
        for name in ("folds", "repeats", "seed")
        if info[name] != baseline.info[name]
    ]
    here, there = (one["data"]["checksum"] for one in (info, baseline.info))
    if here != there:
        faults.append(f"data {here[:8]} here, {there[:8]} there")
    if faults:
        raise UsageError(
            f"{baseline.directory} was measured on other folds: {'; '.join(faults)}.",
            hint="Compare on the same data set, with the same --folds, --repeats and "
            "--seed.",
        )


def compare_with(found: CVResult, baseline: CVResult) -> dict[str, Any]:
    """Compare two configurations, paired by split and by image."""
    check_same_folds(found.info, baseline)
    ours, theirs = found.predictions(), baseline.predictions()
    keys = ["repeat", "fold", "id"]
    if ours[keys].to_numpy().tolist() != theirs[keys].to_numpy().tolist():
        raise UsageError(
            f"{baseline.directory} was measured on other folds: another version of "
            "tlkit or scikit-learn has drawn them differently.",
            hint="Measure it again.",
        )
    pairs = list(zip(found.info["splits"], baseline.info["splits"], strict=True))
    paired: dict[str, Any] = {"directory": str(baseline.directory)}
    for name in ("accuracy", "loss"):
        gaps = np.array([one[name] - other[name] for one, other in pairs])
        difference = spread(gaps, found.test_ratio)
        paired[name] = difference.mean
        paired[f"{name}_ci95"] = [difference.low, difference.high]
        if name == "accuracy":
            paired["p"] = difference.p
    ours["better"] = (ours["predicted"] == ours["label"]).astype(float)
    ours["better"] -= theirs["predicted"] == theirs["label"]
    images = ours.groupby("id").agg(better=("better", "mean"), group=("group", "first"))
    drawn = Bootstrap(images["group"].to_numpy()).mean(images["better"].to_numpy())
    paired["accuracy_bootstrap_ci95"] = [drawn.low, drawn.high]
    intervals = (paired["accuracy_ci95"], paired["accuracy_bootstrap_ci95"])
    paired["within_noise"] = any(low <= 0 <= high for low, high in intervals)
    return paired
