"""tlkit evaluate: numbers with intervals, images of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer
from rich.table import Table

from tlkit.cli.terminal import ERR, OUT, Terminal, load_tensorflow, next_step


def evaluate(
    run: Path = typer.Argument(..., help="The --out folder of a tlkit finetune."),
    split: str = typer.Option(
        None, help="train | val | test.  [default: test where there is one, else val]"
    ),
    unknown: str = typer.Option(
        None,
        help="coverage:SHARE | accuracy:SHARE | confidence:P | none: choose on "
        "validation from where on an answer is unknown, for predict and export too.",
    ),
    unknown_by: str = typer.Option(
        "confidence",
        help="confidence | distance (from the training images): what tells that.",
    ),
    data: Path = typer.Option(None, help="Where the data set lies now, if moved."),
    tta: int = typer.Option(
        None,
        help="Score answers averaged over so many views of each image, too: 2 is "
        "plain and flipped, more are lightly changed ones besides.",
    ),
    workers: int = typer.Option(
        None,
        help="Processes that read images, 0 for none.  [default: one a processor]",
    ),
) -> None:
    """Score a run: accuracy with its interval, figures a class, mistakes."""
    import tlkit

    load_tensorflow()
    with Terminal() as progress:
        metrics = tlkit.evaluate(
            run, split=split, unknown=unknown, unknown_by=unknown_by, data=data,
            tta=tta, workers=workers, progress=progress,
        )  # fmt: skip
    print_score(metrics)
    print_certainty(metrics)
    print_views(metrics)
    print_tables(metrics)
    folder = run / "evaluation" / metrics["split"]
    for name, what in (
        ("predictions.csv", "every answer"),
        ("mistakes.png", "the most confident mistakes"),
        ("confusion.png", "the confusion matrix"),
        ("coverage.png", "accuracy against the share of answers kept"),
        ("classes.csv", "figures a class with their intervals"),
    ):
        if (folder / name).exists():
            ERR.print(f"{folder / name}: {what}", markup=False, highlight=False)
    ERR.print(f"{run / 'curves.png'}: loss and accuracy", highlight=False)
    next_step("tlkit", "predict", run, "IMAGES")
    next_step("tlkit", "export", run)


def print_score(metrics: dict[str, Any]) -> None:
    """Print the scores with their intervals, and what to think of them.

    Args:
        metrics: The result of `tlkit.evaluate`.
    """
    line = _of_labels(metrics) if "map" in metrics else _of_one_label(metrics)
    OUT.print(f"{metrics['split']}: {line}", highlight=False)
    chosen = [
        what
        for key, what in (
            ("chose_the_epoch", "which weights were kept"),
            ("chose_the_thresholds", "the thresholds of the labels"),
        )
        if metrics.get(key)
    ]
    if chosen:
        ERR.print(
            f"These images chose {', and '.join(chosen)}, so the score is on the "
            "bright side; a test split that training never saw would be the fair "
            "judge.",
            style="yellow",
        )
    if metrics["split"] == "train":
        ERR.print("These images were trained on: no measure of skill.", style="yellow")


def _of_one_label(metrics: dict[str, Any]) -> str:
    low, high = metrics["accuracy_ci95"]
    return (
        f"accuracy {metrics['accuracy']:.3f} "
        f"(95 % interval {low:.3f} to {high:.3f}) on {metrics['n']} images, "
        f"macro F1 {metrics['macro_f1']:.3f}, loss {metrics['loss']:.3f}"
    )


def _of_labels(metrics: dict[str, Any]) -> str:
    return (
        f"mAP {_figure(metrics, 'map')}, macro F1 {_figure(metrics, 'macro_f1')}, "
        f"micro F1 {_figure(metrics, 'micro_f1')}, all labels right "
        f"{_figure(metrics, 'subset_accuracy')} (95 % intervals) on {metrics['n']} "
        f"images, loss {metrics['loss']:.3f}"
    )


def _figure(row: dict[str, Any], key: str) -> str:
    """A figure with its interval, where it has one; a dash for none."""
    if row[key] is None:
        return "-"
    low, high = row.get(f"{key}_ci95") or (None, None)
    interval = "" if low is None else f" [{low:.3f}, {high:.3f}]"
    return f"{row[key]:.3f}{interval}"


def print_certainty(metrics: dict[str, Any]) -> None:
    """Print how far the confidence can be believed, and what is called unknown.

    Args:
        metrics: The result of `tlkit.evaluate`.
    """
    if found := metrics.get("calibration"):
        OUT.print(
            f"Confidence and accuracy are {found['error']:.3f} apart, "
            f"{found['error_tempered']:.3f} at temperature {found['temperature']:.2f}",
            highlight=False,
        )
    if not (unknown := metrics.get("unknown")):
        return
    kept = metrics["n"] - unknown["n"]
    line = f"Unknown, by {unknown['means']}: {unknown['n']} of {metrics['n']} images"
    if kept:
        line += f"; accuracy of the other {kept} {_figure(unknown, 'accuracy')}"
    OUT.print(line, highlight=False, markup=False)
    if unknown["chose_the_limit"]:
        ERR.print("These images chose that limit.", style="yellow")


def print_views(metrics: dict[str, Any]) -> None:
    """Print what averaging over views changes, where that was asked for.

    Args:
        metrics: The result of `tlkit.evaluate`.
    """
    if "views" not in metrics:
        return
    views = metrics["views"]
    name, shown = ("map", "mAP") if "map" in views else ("accuracy", "accuracy")
    low, high = views[f"{name}_ci95"]
    OUT.print(
        f"averaged over {views['n']} views ({views['kinds']}): {shown} "
        f"{views[name]:.3f} (95 % interval {low:.3f} to {high:.3f}), macro F1 "
        f"{views['macro_f1']:.3f}, loss {views['loss']:.3f}; turned right: "
        f"{views['turned_right']} answers, turned wrong: {views['turned_wrong']}",
        highlight=False,
    )
    ERR.print(
        f"That takes {views['n']} times as long. An exported model does not do it: it "
        "answers as the first score says, and so do the tables and files.",
        highlight=False,
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
    """Print the figures of each class, and the confusion matrix of a few.

    Args:
        metrics: The result of `tlkit.evaluate`.
    """
    table = Table(box=None, header_style="bold")
    table.add_column("class")
    shown = [key for key in COLUMNS if key in metrics["per_class"][0]]
    for key in shown:
        table.add_column(COLUMNS[key], justify="right")
    for row in metrics["per_class"]:
        *figures, support = shown
        table.add_row(
            row["name"], *(_figure(row, key) for key in figures), str(row[support])
        )
    OUT.print(table, markup=False)
    labels = metrics["labels"]
    if "confusion" in metrics and len(labels) <= 12:
        matrix = Table(box=None, header_style="bold", title="true \\ predicted")
        matrix.add_column("")
        for label in labels:
            matrix.add_column(label, justify="right")
        for label, counts in zip(labels, metrics["confusion"], strict=True):
            matrix.add_row(label, *(str(count) for count in counts))
        OUT.print(matrix)
