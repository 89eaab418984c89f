"""tlkit evaluate: metrics of a run with their intervals."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import typer

import tlkit
from tlkit.cli.options import DATA, RUN, WORKERS
from tlkit.cli.startup import load_tensorflow
from tlkit.cli.terminal import (
    OUT,
    Terminal,
    next_step,
    print_files,
    print_line,
    print_warning,
    table,
)


def evaluate(
    run: Path = RUN,
    split: Literal["train", "val", "test"] = typer.Option(
        None, help="Split to score.  [default: test if there is one, else val]"
    ),
    unknown: str = typer.Option(
        None,
        help="coverage:SHARE | accuracy:SHARE | confidence:P | none: rule for "
        "predictions that become unknown, also of predict and export; its threshold "
        "is selected on the validation split.",
    ),
    data: Path = DATA,
    tta: int = typer.Option(
        None,
        help="Also score predictions averaged over this many views of each image: 2 "
        "is plain and flipped, more add slightly changed ones.",
    ),
    workers: int = WORKERS,
) -> None:
    """Score a run: accuracy, metrics per class, errors."""
    load_tensorflow()
    with Terminal() as progress:
        metrics = tlkit.evaluate(
            run, split=split, unknown=unknown, data=data, tta=tta,
            workers=workers, progress=progress,
        )  # fmt: skip
    print_score(metrics)
    print_certainty(metrics)
    print_views(metrics)
    print_tables(metrics)
    files = {
        "predictions.csv": "every prediction",
        "errors.png": "the most confident errors",
        "confusion.png": "the confusion matrix",
        "coverage.png": "accuracy against the share of predictions kept",
        "classes.csv": "metrics per class with their intervals",
    }
    print_files(run / "evaluation" / metrics["split"], files)
    print_files(run, {"curves.png": "loss and accuracy"})
    next_step("tlkit", "predict", run, "IMAGES")
    next_step("tlkit", "export", run)


def print_score(metrics: dict[str, Any]) -> None:
    """Print the scores with their intervals, and a warning if they are optimistic."""
    line = _of_labels(metrics) if "map" in metrics else _of_one_label(metrics)
    OUT.print(f"{metrics['split']}: {line}")
    used = ("epoch", "label thresholds")
    if chosen := [f"the {one}" for one in used if one in metrics["used_for_selection"]]:
        print_warning(
            f"Optimistic: this split selected {' and '.join(chosen)}. Evaluate on a "
            "test split for an unbiased score."
        )
    if metrics["split"] == "train":
        print_warning(
            "These images were trained on, so the score does not measure skill."
        )


def _of_one_label(metrics: dict[str, Any]) -> str:
    low, high = metrics["accuracy_ci95"]
    return (
        f"accuracy {metrics['accuracy']:.3f} "
        f"(95 % interval {low:.3f} to {high:.3f}) on {metrics['n']} images, "
        f"macro F1 {metrics['macro_f1']:.3f}, loss {metrics['loss']:.3f}"
    )


def _of_labels(metrics: dict[str, Any]) -> str:
    return (
        f"mAP {_metric(metrics, 'map')}, macro F1 {_metric(metrics, 'macro_f1')}, "
        f"micro F1 {_metric(metrics, 'micro_f1')}, all labels correct "
        f"{_metric(metrics, 'subset_accuracy')} (95 % intervals) on {metrics['n']} "
        f"images, loss {metrics['loss']:.3f}"
    )


def _metric(row: dict[str, Any], key: str) -> str:
    """Return a metric with its interval, if it has one; a dash for none."""
    if row[key] is None:
        return "-"
    low, high = row.get(f"{key}_ci95") or (None, None)
    interval = "" if low is None else f" [{low:.3f}, {high:.3f}]"
    return f"{row[key]:.3f}{interval}"


def print_certainty(metrics: dict[str, Any]) -> None:
    """Print the calibration of the confidence, and the number of unknown images."""
    if found := metrics.get("calibration"):
        OUT.print(
            f"Calibration error {found['ece']:.3f}, {found['ece_calibrated']:.3f} at "
            f"temperature {found['temperature']:.2f}"
        )
    if not (unknown := metrics.get("unknown")):
        return
    kept = metrics["n"] - unknown["n"]
    line = f"Unknown, by {unknown['means']}: {unknown['n']} of {metrics['n']} images"
    if kept:
        line += f"; accuracy of the other {kept} {_metric(unknown, 'accuracy')}"
    OUT.print(line)
    if "rejection threshold" in metrics["used_for_selection"]:
        print_warning("Optimistic: this split selected the threshold.")


def print_views(metrics: dict[str, Any]) -> None:
    """Print the change by averaging over views, where that was asked for."""
    if "views" not in metrics:
        return
    views = metrics["views"]
    name, shown = ("map", "mAP") if "map" in views else ("accuracy", "accuracy")
    low, high = views[f"{name}_ci95"]
    OUT.print(
        f"averaged over {views['n']} views ({views['kinds']}): {shown} "
        f"{views[name]:.3f} (95 % interval {low:.3f} to {high:.3f}), macro F1 "
        f"{views['macro_f1']:.3f}, loss {views['loss']:.3f}; corrected: "
        f"{views['corrected']} predictions, broken: {views['broken']}"
    )
    print_line(
        f"That takes {views['n']} times as long. The exported model, the tables and "
        "the files do not average: the first score is theirs."
    )


COLUMNS = {
    "ap": "average precision",
    "precision": "precision",
    "recall": "recall",
    "f1": "F1",
    "threshold": "threshold",
    "support": "images",
}


def print_tables(metrics: dict[str, Any]) -> None:
    """Print the metrics of each class, and the confusion matrix of a few classes."""
    *shown, support = (key for key in COLUMNS if key in metrics["per_class"][0])
    classes = table("class", *(f">{COLUMNS[key]}" for key in (*shown, support)))
    for row in metrics["per_class"]:
        cells = (_metric(row, key) for key in shown)
        classes.add_row(row["name"], *cells, str(row[support]))
    OUT.print(classes)
    labels = metrics["labels"]
    if "confusion" in metrics and len(labels) <= 12:
        matrix = table("", *(f">{label}" for label in labels))
        matrix.title = "true \\ predicted"
        for label, counts in zip(labels, metrics["confusion"], strict=True):
            matrix.add_row(label, *(str(count) for count in counts))
        OUT.print(matrix)
