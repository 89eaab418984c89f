"""What was compared, row by row, and what it comes to: as tables and as advice."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from tlkit import files
from tlkit.backbones import registry
from tlkit.metrics.bootstrap import Estimate
from tlkit.model.head import DEFAULT_HEAD, GAP

MARKER = "compare.json"
COSTS = {
    "ms": "ms an image",
    "gflop": "GFLOP an image",
    "mb": "MB of float32 weights",
}
NOTHING = Estimate(math.nan, math.nan, math.nan)


@dataclass(frozen=True)
class Entry:
    """A network that was measured, or why it could not be.

    Attributes:
        backbone: Its name.
        weights: As in the configuration.
        size: Side of the images, pixels.
        cut: The layer it ends at; "" if nothing is known of any.
        pooling: One of head.MAP_POOLINGS; "" if nothing was measured.
        trained: "probe" on frozen features, or "scratch" from random weights.
        failed: Why there are no figures.
        images: How many it was scored on.
        accuracy: Out of fold, with its 95 % interval.
        macro_f1: Likewise, the mean over the classes.
        loss: Log loss, likewise.
        difference: In accuracy to the best probe, on the same images, with its
            interval.
        ms: Milliseconds for one image on this machine, float32 Keras, one at a time.
        gflop: 1e9 operations for one image.
        mb: 1e6 bytes of float32 weights, head included.
        preprocessing: Of a network of the user's own, "" if it need not be said.
    """

    backbone: str
    weights: str
    size: int
    cut: str = ""
    pooling: str = ""
    trained: str = "probe"
    failed: str = ""
    images: int = 0
    accuracy: Estimate = NOTHING
    macro_f1: float = math.nan
    loss: float = math.nan
    difference: Estimate = NOTHING
    ms: float = math.nan
    gflop: float = math.nan
    mb: float = math.nan
    preprocessing: str = ""

    def cost(self, name: str) -> float:
        """One of COSTS."""
        return float(getattr(self, name))

    @property
    def within_noise(self) -> bool:
        """Whether the interval of the difference to the best one has 0 in it."""
        return self.difference.high >= 0

    def account(self) -> dict[str, Any]:
        """A flat row for tables and programs; None is what is not known."""
        row: dict[str, Any] = {}
        for name, value in vars(self).items():
            if isinstance(value, Estimate):
                low, high = f"{name}_low", f"{name}_high"
                row |= dict(zip((name, low, high), value, strict=True))
            else:
                row[name] = value
        unknown = {name for name, value in row.items() if value != value}
        return row | dict.fromkeys(unknown)


@dataclass(frozen=True)
class Comparison:
    """What `tlkit.compare` has found.

    Attributes:
        data: The data set directory.
        directory: Where the tables and the plot are.
        entries: All rows: probes from the cheapest up, then what was trained from
            scratch, then what could not be had.
        best: Number of the row with the highest accuracy.
        cheapest: Number of the cheapest row within one standard error of that.
        cost: By which of COSTS.
        optimism: By how much the accuracies of these two are expected to flatter them,
            as they were chosen by them.
        folds: Of the outer cross-validation.
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
        """The words of the command that goes on with the cheapest."""
        entry = self.entries[self.cheapest]
        words = ["tlkit", "finetune", self.data, "--backbone", entry.backbone]
        if entry.weights not in ("imagenet", "own"):
            words += ["--weights", entry.weights]
        if entry.preprocessing:
            words += ["--preprocessing", entry.preprocessing]
        own = registry.is_own(entry.backbone)
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

    def with_trained(self, entries: Sequence[Entry]) -> Comparison:
        """The same with rows of what was trained from scratch."""
        measured = [entry for entry in self.entries if not entry.failed]
        failed = [entry for entry in self.entries if entry.failed]
        return dataclasses.replace(self, entries=(*measured, *entries, *failed))

    def account(self) -> dict[str, Any]:
        """All of it, for programs."""
        values = {**vars(self), "directory": str(self.directory)}
        values |= {"command": list(self.command)}
        values["entries"] = [entry.account() for entry in self.entries]
        return values

    def write(self, folder: Path) -> None:
        """Write compare.csv, and compare.json, which has all of it.

        Args:
            folder: Where to.
        """
        table = pd.DataFrame([entry.account() for entry in self.entries])
        files.write_text(folder / "compare.csv", table.to_csv(index=False))
        files.write_json(folder / MARKER, self.account())


def megabytes(parameters: int, inputs: int, classes: int) -> float:
    """Size of the float32 weights of a network with a linear head."""
    outputs = 1 if classes == 2 else classes
    return 4 * (parameters + (inputs + 1) * outputs) / 1e6
