"""Ask a quarter of a data set what the whole will bring, and compare with the whole.

Digits (scikit-learn), hymenoptera and the cells of bccd as crops: the learning curve of
a quarter, drawn by whole groups, is drawn on to twice and four times as much; the curve
of all of it tells what comes. All sides of the split are taken together.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

import tlkit
from tests.benchmarks import common
from tlkit.dataset.demo_digits import write_digits
from tlkit.experiments.label_issues import groups_of
from tlkit.experiments.learning_curve import extrapolate
from tlkit.experiments.subsets import measure, nested_subsets
from tlkit.features.embedding import embedding_config, features_of
from tlkit.progress import Silent

CELLS = common.SHARED / "data" / "bccd"
SIZES = {"digits": 96, "hymenoptera": 224, "cells": 96}


def main() -> None:
    """Measure, draw on, compare, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=None)
    parser.add_argument("--only", nargs="+", default=list(SIZES))
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", type=Path, default=None)
    options = parser.parse_args()
    work = options.work or Path(tempfile.mkdtemp(prefix="tlkit-bench-"))
    rows = [
        row for name in options.only for row in compare(work, name, options.repeats)
    ]
    common.print_table(rows, options.json)


def compare(work: Path, name: str, repeats: int) -> list[dict[str, Any]]:
    """The rows of one data set: twice as much, and four times as much."""
    features, targets, groups = _load(work, name)
    classes = int(targets.max()) + 1

    def curve(chosen: np.ndarray) -> Any:
        own = np.unique(groups[chosen], return_inverse=True)[1]
        measured = measure(
            features[chosen], targets[chosen], own,
            classes=classes, seed=0, progress=Silent(),
        )  # fmt: skip
        return measured, extrapolate(measured, work, seed=0)

    whole, _ = curve(np.arange(len(targets)))
    quarters = []
    for repeat in range(repeats):
        quarter = round(len(targets) / 4)
        chosen = nested_subsets(targets, groups, [quarter], seed=1000 + repeat)[0]
        quarters.append(curve(chosen)[1])
    return [_row(name, times, quarters, whole) for times in (2, 4)]


def _row(name: str, times: int, quarters: list[Any], whole: Any) -> dict[str, Any]:
    """Means over the quarters, and how many intervals hold what came."""
    points = [quarter.expected[times // 4] for quarter in quarters]
    seen = [
        1 - np.interp(np.log(p.images), np.log(whole.sizes), whole.errors)
        for p in points
    ]
    off = [p.accuracy - s for p, s in zip(points, seen, strict=True)]
    held = sum(p.low <= s <= p.high for p, s in zip(points, seen, strict=True))
    return {
        "data": name,
        "learned from": round(np.mean([q.measured[-1].images for q in quarters])),
        "accuracy": float(np.mean([q.measured[-1].accuracy for q in quarters])),
        "times": times,
        "expected": float(np.mean([p.accuracy for p in points])),
        "interval": f"{np.mean([p.low for p in points]):.3f} to "
        f"{np.mean([p.high for p in points]):.3f}",
        "seen": float(np.mean(seen)),
        "off, mean": f"{np.mean(off):+.3f}",
        "off, mean of sizes": float(np.mean(np.abs(off))),
        "in the interval": f"{held} of {len(points)}",
    }


def _load(work: Path, name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features float32 [N, C], classes int [N] and groups int [N]."""
    options: dict[str, Any] = {}
    if name == "digits":
        source = work / "digits"
        if not source.exists():
            write_digits(source, each=1000)
        options = {"near": False}
    elif name == "cells":
        source, options = CELLS, {"label_by": "shapes"}
    else:
        source = common.ANTS
    manifest = tlkit.prepare(source, work / f"data-{name}", overwrite=True, **options)
    config = embedding_config(
        weights=common.weights(common.MOBILENET), size=SIZES[name]
    )
    rows = features_of(config, manifest.source, manifest.examples, "", Silent())
    return rows, manifest.targets(manifest.examples), groups_of(manifest.examples)


if __name__ == "__main__":
    main()
