"""tlkit evaluate: numbers with intervals, pictures of them."""

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
    data: Path = typer.Option(None, help="Where the data set lies now, if moved."),
    tta: int = typer.Option(
        None,
        help="Score answers averaged over so many views of each picture, too: 2 is "
        "plain and mirrored, more are lightly changed ones besides.",
    ),
    workers: int = typer.Option(
        None,
        help="Processes that read pictures, 0 for none.  [default: one a processor]",
    ),
) -> None:
    """Score a run: accuracy with its interval, figures a class, mistakes."""
    import tlkit

    load_tensorflow()
    with Terminal() as progress:
        metrics = tlkit.evaluate(
            run, split=split, data=data, tta=tta, workers=workers, progress=progress
        )
    print_score(metrics)
    print_views(metrics)
    print_tables(metrics)
    folder = run / "evaluation" / metrics["split"]
    for name, what in (
        ("predictions.csv", "every answer"),
        ("mistakes.png", "the most confident mistakes"),
        ("confusion.png", "the confusion matrix"),
    ):
        ERR.print(f"{folder / name}: {what}", markup=False, highlight=False)
    ERR.print(f"{run / 'curves.png'}: loss and accuracy", highlight=False)
    next_step("tlkit", "predict", run, "PICTURES")
    next_step("tlkit", "export", run)


def print_score(metrics: dict[str, Any]) -> None:
    """Print the accuracy with its interval, and what to think of it.

    Args:
        metrics: The result of `tlkit.evaluate`.
    """
    low, high = metrics["accuracy_ci95"]
    OUT.print(
        f"{metrics['split']}: accuracy {metrics['accuracy']:.3f} "
        f"(95 % interval {low:.3f} to {high:.3f}) on {metrics['n']} pictures, "
        f"macro F1 {metrics['macro_f1']:.3f}, loss {metrics['loss']:.3f}",
        highlight=False,
    )
    if metrics["chose_the_epoch"]:
        ERR.print(
            "These pictures chose the epoch, so the score is on the bright side; "
            "a test split that training never saw would be the fair judge.",
            style="yellow",
        )
    if metrics["split"] == "train":
        ERR.print(
            "These pictures were trained on: no measure of skill.", style="yellow"
        )


def print_views(metrics: dict[str, Any]) -> None:
    """Print what averaging over views changes, where that was asked for.

    Args:
        metrics: The result of `tlkit.evaluate`.
    """
    if "views" not in metrics:
        return
    views = metrics["views"]
    low, high = views["accuracy_ci95"]
    OUT.print(
        f"averaged over {views['n']} views ({views['kinds']}): accuracy "
        f"{views['accuracy']:.3f} (95 % interval {low:.3f} to {high:.3f}), macro F1 "
        f"{views['macro_f1']:.3f}, loss {views['loss']:.3f}; {views['turned_right']} "
        f"answers turned right, {views['turned_wrong']} turned wrong",
        highlight=False,
    )
    ERR.print(
        f"That takes {views['n']} times as long. An exported model does not do it: it "
        "answers as the first score says, and so do the tables and files.",
        highlight=False,
    )


def print_tables(metrics: dict[str, Any]) -> None:
    """Print the figures of each class, and the confusion matrix of a few.

    Args:
        metrics: The result of `tlkit.evaluate`.
    """
    table = Table(box=None, header_style="bold")
    table.add_column("class")
    for column in ("precision", "recall", "F1", "pictures"):
        table.add_column(column, justify="right")
    for row in metrics["per_class"]:
        table.add_row(
            row["name"],
            *(f"{row[key]:.3f}" for key in ("precision", "recall", "f1")),
            str(row["support"]),
        )
    OUT.print(table)
    labels = metrics["labels"]
    if len(labels) <= 12:
        matrix = Table(box=None, header_style="bold", title="true \\ predicted")
        matrix.add_column("")
        for label in labels:
            matrix.add_column(label, justify="right")
        for label, counts in zip(labels, metrics["confusion"], strict=True):
            matrix.add_row(label, *(str(count) for count in counts))
        OUT.print(matrix)
