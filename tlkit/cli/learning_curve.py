"""tlkit learning-curve: is more data worth it?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from rich.table import Table

from tlkit.cli.options import given, with_options
from tlkit.cli.terminal import ERR, OUT, Terminal, load_tensorflow, next_step
from tlkit.config import FROZEN_OPTIONS, SECTION_OF

if TYPE_CHECKING:
    from tlkit.experiments.learning_curve import LearningCurve, Point


@with_options(without=set(SECTION_OF) - set(FROZEN_OPTIONS))
def learning_curve(
    dataset: Path = typer.Argument(..., help="Data set directory."),
    out: Path = typer.Option(..., help="Folder to make."),
    overwrite: bool = typer.Option(
        False, "--overwrite", help="Replace an earlier curve in --out."
    ),
    **options: Any,
) -> None:
    """Tell what twice and four times the images would bring.

    Linear probes on features of a frozen network learn from ever larger parts of
    the training and validation sides, and are scored on folds of these that they
    have not seen. A power law through the scores is drawn on, with its interval.
    """
    chosen = given(options)
    import tlkit
    from tlkit.dataset.rerun import source_words

    load_tensorflow()
    with Terminal() as progress:
        found = tlkit.learning_curve(
            dataset, out, overwrite=overwrite, progress=progress, **chosen
        )
    _print_points(found)
    OUT.print(_verdict(found), highlight=False)
    ERR.print(
        "That is of more images of the same kind, and of a linear probe; tuning the "
        "network may use them better. A curve of few sizes is a rough guide.",
        highlight=False,
    )
    ERR.print(f"{out / 'learning_curve.png'}: the curve", markup=False, highlight=False)
    words = source_words(tlkit.Manifest.read(dataset))
    if found.verdict == "pays" and words:
        source, *rest = words
        next_step("tlkit", "prepare", source, "--out", dataset, *rest)
    else:
        next_step("tlkit", "label-issues", dataset, "--out", "label_issues")


def _print_points(found: LearningCurve) -> None:
    table = Table(box=None, header_style="bold")
    for column in ("images to learn from", "accuracy", "95 % interval"):
        table.add_column(column, justify="right")
    table.add_column("")
    for place, point in enumerate(found.seen, start=1):
        table.add_row(*_cells(point), "now" if place == len(found.seen) else "")
    table.add_section()
    for times, point in zip((2, 4), found.expected, strict=True):
        table.add_row(*_cells(point), f"expected of {times} times as many")
    OUT.print(table)


def _cells(point: Point) -> tuple[str, str, str]:
    interval = f"{point.low:.3f} to {point.high:.3f}"
    return str(point.images), f"{point.accuracy:.3f}", interval


def _verdict(found: LearningCurve) -> str:
    expected, low, high = (f"{100 * share:.1f}" for share in found.gain)
    points = f"{expected} points of accuracy (95 % interval {low} to {high})"
    opening = {
        "pays": "More images pay",
        "flat": "The curve is flat",
        "unclear": "Whether more images pay, by a whole point for sure, is open",
    }[found.verdict]
    return f"{opening}. Four times as many should bring {points}."
