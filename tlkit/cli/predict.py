"""tlkit predict: class names for new images."""

from __future__ import annotations

import csv
import dataclasses
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import typer

import tlkit
from tlkit.cli.options import RUN, WORKERS
from tlkit.cli.startup import load_tensorflow
from tlkit.cli.terminal import OUT, Terminal, harmless, print_line, table

if TYPE_CHECKING:
    from tlkit import Prediction


def predict(
    run: Path = RUN,
    images: list[str] = typer.Argument(..., help="Files, folders or patterns."),
    format: Literal["table", "csv", "json"] = typer.Option(
        "table", help="Format on standard output."
    ),
    tta: int = typer.Option(
        None,
        help="Average over this many views of each image, as for evaluate.",
    ),
    workers: int = WORKERS,
) -> None:
    """Classify images.

    The exit code is 1 if some could not be read.
    """
    load_tensorflow()
    with Terminal() as progress:
        predictions = tlkit.predict(
            run, images, tta=tta, workers=workers, progress=progress
        )
    {"table": _print_table, "csv": _print_csv, "json": _print_json}[format](predictions)
    failed = sum(prediction.error is not None for prediction in predictions)
    if failed:
        print_line(f"{failed} of {len(predictions)} files could not be read.", "red")
        raise typer.Exit(1)


def _print_table(predictions: list[Prediction]) -> None:
    several = all(p.probability is None for p in predictions)
    columns = ("labels",) if several else ("label", ">probability")
    made = table("image", *columns, "next best")
    for prediction in predictions:
        path = harmless(prediction.path).replace("\n", "\\n")
        if prediction.error:
            made.add_row(path, f"[{prediction.error}]", style="red")
            continue
        rest = {
            name: p
            for name, p in prediction.probabilities.items()
            if name not in prediction.labels
        }
        second = max(rest, key=rest.__getitem__, default="")
        following = f"{second} {rest[second]:.3f}" if rest else ""
        if prediction.probability is not None:
            shown = (str(prediction.label), f"{prediction.probability:.3f}")
            made.add_row(path, *shown, following)
            continue
        found = (f"{n} {prediction.probabilities[n]:.3f}" for n in prediction.labels)
        made.add_row(path, ", ".join(found) or "-", following)
    OUT.print(made)


def _print_csv(predictions: list[Prediction]) -> None:
    labels = next((p.probabilities for p in predictions if p.probabilities), {})
    writer = csv.writer(sys.stdout, lineterminator="\n")
    names = [f"p_{label}" for label in labels]
    rejects = any(p.guess for p in predictions)
    guess = ["guess"] if rejects else []
    writer.writerow(["path", "label", "probability", "error", *guess, *names])
    for p in predictions:
        scores = [p.probabilities.get(label, "") for label in labels]
        guess = [p.guess or ""] if rejects else []
        writer.writerow([p.path, p.label, p.probability, p.error, *guess, *scores])


def _print_json(predictions: list[Prediction]) -> None:
    rows = []
    for prediction in predictions:
        row = dataclasses.asdict(prediction)
        if prediction.error is None:
            del row["error"]
        if prediction.guess is None:
            del row["guess"]
        rows.append(row)
    json.dump(rows, sys.stdout, indent=2, ensure_ascii=False)
    sys.stdout.write("\n")
