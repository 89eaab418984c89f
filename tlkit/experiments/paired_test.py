"""Two configurations on the same folds in, what the difference is worth out."""

from __future__ import annotations

from typing import Any

import numpy as np

from tlkit.errors import UsageError
from tlkit.experiments.cv_result import CVResult
from tlkit.metrics.bootstrap import Bootstrap
from tlkit.metrics.intervals import spread

# What must be the same, so that both have held out the same images fold by fold.
DRAW = {"folds": "folds", "repeats": "repeats", "seed": "seed"}


def check_same_folds(one: dict[str, Any], other: CVResult) -> None:
    """Refuse to compare what was not measured on the same folds."""
    faults = [
        f"{name} {one[key]} here, {other.info[key]} there"
        for key, name in DRAW.items()
        if one[key] != other.info[key]
    ]
    if one["data"]["checksum"] != other.info["data"]["checksum"]:
        faults.append(
            f"data {one['data']['checksum'][:8]} here, "
            f"{other.info['data']['checksum'][:8]} there"
        )
    if faults:
        raise UsageError(
            f"{other.directory} was measured on other folds: {'; '.join(faults)}.",
            hint="Compare on the same data set, with the same --folds, --repeats and "
            "--seed.",
        )


def compare(one: CVResult, other: CVResult) -> dict[str, Any]:
    """Hold one configuration against another, fold by fold and image by image."""
    check_same_folds(one.info, other)
    ours, theirs = one.answers(), other.answers()
    keys = ["repeat", "fold", "id"]
    if ours[keys].to_numpy().tolist() != theirs[keys].to_numpy().tolist():
        raise UsageError(
            f"{other.directory} was measured on other folds: another version of tlkit "
            "or scikit-learn has drawn them differently.",
            hint="Measure it again.",
        )
    rows = one.info["rounds"]
    tested = float(np.mean([row["n"] / row["learned"] for row in rows]))
    found: dict[str, Any] = {"directory": str(other.directory)}
    for name in ("accuracy", "loss"):
        both = zip(rows, other.info["rounds"], strict=True)
        difference = spread(np.array([a[name] - b[name] for a, b in both]), tested)
        found[name] = difference.mean
        found[f"{name}_ci95"] = [difference.low, difference.high]
        if name == "accuracy":
            found["p"] = difference.p
    ours["better"] = (ours["predicted"] == ours["label"]).astype(float)
    ours["better"] -= theirs["predicted"] == theirs["label"]
    images = ours.groupby("id").agg(better=("better", "mean"), group=("group", "first"))
    drawn = Bootstrap(images["group"].to_numpy()).mean(images["better"].to_numpy())
    found["accuracy_bootstrap_ci95"] = [drawn.low, drawn.high]
    intervals = (found["accuracy_ci95"], found["accuracy_bootstrap_ci95"])
    found["within_noise"] = any(low <= 0 <= high for low, high in intervals)
    return found
