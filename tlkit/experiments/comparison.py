"""The rows of a comparison, the advice drawn from them, and their files."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import f1_score, log_loss

from tlkit import files
from tlkit.backbones import registry, spec
from tlkit.errors import RunError
from tlkit.metrics.bootstrap import Bootstrap
from tlkit.metrics.intervals import (
    Estimate,
    accuracy,
    one_standard_error,
    standard_error,
)
from tlkit.model.head import BOTH, DEFAULT_HEAD, GAP
from tlkit.training.cut_probes import Probed, Subjects

MARKER = "compare.json"
COSTS = {
    "ms": "ms per image",
    "gflop": "GFLOP an image",
    "mb": "MB of float32 weights",
}
UNKNOWN = Estimate(math.nan, math.nan, math.nan)


@dataclass(frozen=True)
class Entry:
    """A probe that was measured, or the reason why it could not be."""

    backbone: str
    weights: str  # As in the configuration.
    size: int  # Pixels.
    cut: str = ""  # Empty if the whole backbone failed.
    pooling: str = ""  # One of head.MAP_POOLINGS.
    failed: str = ""  # Why there are no metrics.
    images: int = 0  # Scored.
    accuracy: Estimate = UNKNOWN  # Out of fold, with its 95 % interval.
    macro_f1: float = math.nan
    loss: float = math.nan  # Log loss.
    difference: Estimate = UNKNOWN  # In accuracy to the best row, paired by image.
    ms: float = math.nan  # One image at a time, float32 Keras, this machine.
    gflop: float = math.nan  # 1e9 operations per image.
    mb: float = math.nan  # 1e6 bytes of float32 weights, head included.
    preprocessing: str = ""  # Of a custom network.

    def cost(self, name: str) -> float:
        """Return one of COSTS."""
        return float(getattr(self, name))

    @property
    def within_noise(self) -> bool:
        """True if the interval of the difference to the best row contains 0."""
        return self.difference.high >= 0

    def account(self) -> dict[str, Any]:
        """Return a flat row for tables and programs; None where unknown."""
        row: dict[str, Any] = {}
        for name, value in vars(self).items():
            if isinstance(value, Estimate):
                columns = (name, f"{name}_low", f"{name}_high")
                row |= dict(zip(columns, value, strict=True))
            else:
                row[name] = value
        return {name: None if value != value else value for name, value in row.items()}


# A row and its float32 [N, n] out-of-fold probabilities, None where it failed.
Row = tuple[Entry, np.ndarray | None]


@dataclass(frozen=True)
class Comparison:
    """The result of `tlkit.compare`.

    Attributes:
        data: Data set directory.
        directory: Holds the tables and the plot.
        entries: All rows, the cheapest first; rows that failed are at the end.
        best: Index of the entry with the highest accuracy.
        cheapest: Index of the cheapest entry within one standard error of the best.
        cost: The one of COSTS that "cheapest" refers to.
        optimism: How much the accuracies of best and cheapest are expected to be too
            high, as both were selected by them.
        folds: Number of outer folds.
        resize: How images were made square.
    """

    data: str
    directory: Path
    entries: tuple[Entry, ...]
    best: int
    cheapest: int
    cost: str
    optimism: tuple[float, float]
    folds: int
    resize: str

    @property
    def command(self) -> tuple[str, ...]:
        """The words of the `tlkit finetune` command for the cheapest entry."""
        entry = self.entries[self.cheapest]
        words = ["tlkit", "finetune", self.data, "--backbone", entry.backbone]
        if entry.weights not in ("imagenet", "own"):
            words += ["--weights", entry.weights]
        if entry.preprocessing:
            words += ["--preprocessing", entry.preprocessing]
        own = spec.is_custom(entry.backbone)
        if own or entry.size != registry.find(entry.backbone).native:
            words += ["--size", str(entry.size)]
        words += ["--cut", entry.cut]
        if entry.weights == "none":
            words += ["--freeze-to", entry.cut]
        if entry.pooling != GAP:
            words += ["--head", DEFAULT_HEAD.replace(GAP, entry.pooling, 1)]
        if self.resize != "squash":
            words += ["--resize", self.resize]
        return tuple(words)

    def account(self) -> dict[str, Any]:
        """Return all values in plain types, for programs.

        Returns:
            The content of compare.json.
        """
        return {
            **vars(self),
            "directory": str(self.directory),
            "command": list(self.command),
            "entries": [entry.account() for entry in self.entries],
        }

    def write(self, folder: Path) -> None:
        """Write compare.csv and compare.json to a folder."""
        table = pd.DataFrame([entry.account() for entry in self.entries])
        files.write_text(folder / "compare.csv", table.to_csv(index=False))
        files.write_json(folder / MARKER, self.account())


def probe_entry(empty: Entry, probe: Probed, subjects: Subjects) -> Entry:
    """Fill an entry with the metrics and costs of a probe."""
    scores, targets = probe.scores, subjects.targets
    classes = scores.shape[1]
    predicted = scores.argmax(axis=1)
    inputs = probe.at.channels * (2 if probe.pooling == BOTH else 1)
    return dataclasses.replace(
        empty,
        cut=probe.at.cut,
        pooling=probe.pooling,
        images=len(predicted),
        accuracy=accuracy(predicted == targets, subjects.groups),
        macro_f1=float(f1_score(targets, predicted, average="macro", zero_division=0)),
        loss=float(log_loss(targets, scores, labels=range(classes))),
        ms=probe.at.ms,
        gflop=round(probe.at.flops / 1e9, 4),
        mb=megabytes(probe.at.parameters, inputs, classes),
    )


def megabytes(parameters: int, inputs: int, classes: int) -> float:
    """Return the size of the float32 weights of a network with a linear head."""
    outputs = 1 if classes == 2 else classes
    return 4 * (parameters + (inputs + 1) * outputs) / 1e6


def conclude(
    rows: list[Row], subjects: Subjects, cost: str, resize: str, directory: Path
) -> Comparison:
    """Compare every row with the best, and find the cheapest within its error."""
    failed = [entry for entry, scores in rows if scores is None]
    measured = sorted(
        ((entry, scores) for entry, scores in rows if scores is not None),
        key=lambda row: row[0].cost(cost),
    )
    if not measured:
        lines = "; ".join(
            f"{entry.backbone} at {entry.size} px: {entry.failed}" for entry in failed
        )
        raise RunError(f"Nothing could be compared. {lines}")
    entries = [entry for entry, _ in measured]
    correct = np.stack(
        [scores.argmax(axis=1) == subjects.targets for _, scores in measured], axis=1
    )
    costs = [entry.cost(cost) for entry in entries]
    # Rows are sorted by cost: argmax takes the cheapest of equals.
    best = int(correct.mean(axis=0).argmax())
    error = standard_error(entries[best].accuracy)

    def cheapest(accuracies: np.ndarray) -> int:
        return one_standard_error(accuracies.tolist(), error, costs)

    draws = Bootstrap(subjects.groups, seed=subjects.seed)
    entries = [
        dataclasses.replace(
            entry, difference=draws.difference(correct[:, i], correct[:, best])
        )
        for i, entry in enumerate(entries)
    ]
    return Comparison(
        data=str(subjects.manifest.directory),
        directory=directory,
        entries=(*entries, *failed),
        best=best,
        cheapest=cheapest(correct.mean(axis=0)),
        cost=cost,
        optimism=(
            draws.optimism(correct, lambda accuracies: int(accuracies.argmax())),
            draws.optimism(correct, cheapest),
        ),
        folds=subjects.folds,
        resize=resize,
    )
