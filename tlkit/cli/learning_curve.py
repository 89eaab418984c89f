"""tlkit learning-curve: accuracy by the number of training images."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

import tlkit
from tlkit.cli.options import DATASET, OVERWRITE, given, with_options
from tlkit.cli.startup import load_tensorflow
from tlkit.cli.terminal import OUT, Terminal, next_step, print_files, print_line, table
from tlkit.config import Scope

if TYPE_CHECKING:
    from tlkit.experiments.learning_curve import LearningCurve, Point


@with_options(scope=Scope.FEATURES)
def learning_curve(
    dataset: Path = DATASET,
    out: Path = typer.Option(..., help="Folder to make."),
    overwrite: bool = OVERWRITE,
    **options: Any,
) -> None:
    """Predict the accuracy with more images.

    Linear probes on frozen features learn from ever larger parts of the training and
    validation splits, and are scored on folds that they have not seen. A power law
    through the scores is extrapolated to two and four times the images.
    """
    chosen = given(options)
    from tlkit.dataset.rerun import source_words

    load_tensorflow()
    with Terminal() as progress:
        found = tlkit.learning_curve(
            dataset, out, overwrite=overwrite, progress=progress, **chosen
        )
    _print_points(found)
    OUT.print(_verdict(found))
    print_line(
        "This holds for more images of the same kind and for a linear probe; "
        "fine-tuning may use them better. A curve of few sizes is a rough guide."
    )
    print_files(out, {"learning_curve.png": "the curve"})
    words = source_words(tlkit.Manifest.read(dataset))
    if found.verdict == "pays" and words:
        source, *rest = words
        next_step("tlkit", "prepare", source, "--out", dataset, *rest)
    else:
        next_step("tlkit", "label-issues", dataset, "--out", "label_issues")


def _print_points(found: LearningCurve) -> None:
    made = table(">training images", ">accuracy", ">95 % interval", "")
    for place, point in enumerate(found.measured, start=1):
        made.add_row(*_cells(point), "now" if place == len(found.measured) else "")
    made.add_section()
    for times, point in zip((2, 4), found.expected, strict=True):
        made.add_row(*_cells(point), f"expected of {times} times as many")
    OUT.print(made)


def _cells(point: Point) -> tuple[str, str, str]:
    interval = f"{point.low:.3f} to {point.high:.3f}"
    return str(point.images), f"{point.accuracy:.3f}", interval


def _verdict(found: LearningCurve) -> str:
    expected, low, high = (f"{100 * share:.1f}" for share in found.gain)
    points = f"{expected} points of accuracy (95 % interval {low} to {high})"
    opening = {
        "pays": "More images pay",
        "flat": "The curve is flat",
        "unclear": "It is open whether more images pay by a whole point",
    }[found.verdict]
    return f"{opening}. Four times as many should bring {points}."
