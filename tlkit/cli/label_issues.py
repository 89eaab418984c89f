"""tlkit label-issues: labels that are probably incorrect."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import typer
from rich.text import Text

import tlkit
from tlkit.cli.options import DATASET, OVERWRITE, given, with_options
from tlkit.cli.startup import load_tensorflow
from tlkit.cli.terminal import (
    OUT,
    Terminal,
    harmless,
    next_step,
    print_files,
    print_warning,
    table,
)
from tlkit.config import Scope

# The worst that are printed; all are in the file.
SHOWN = 10


@with_options(scope=Scope.FEATURES)
def label_issues(
    dataset: Path = DATASET,
    out: Path = typer.Option(..., help="Folder to make."),
    overwrite: bool = OVERWRITE,
    **options: Any,
) -> None:
    """List labels that are probably incorrect.

    A linear probe on frozen features predicts each image; it was trained on neither
    the image nor its group (confident learning). Covers all splits; changes nothing.
    """
    chosen = given(options)
    load_tensorflow()
    with Terminal() as progress:
        found = tlkit.label_issues(
            dataset, out, overwrite=overwrite, progress=progress, **chosen
        )
    info = found.info
    examples = sum(info["examples"].values())
    splits = ", ".join(f"{n} {split}" for split, n in info["label_issues"].items() if n)
    OUT.print(
        f"label issues: {len(found.rows)} of {examples} examples probably have an "
        f"incorrect label, or are hard to classify{f' ({splits})' if splits else ''}; "
        f"the probe agrees with {info['agreement']:.1%} of all labels"
    )
    _print_worst(found.rows)
    if info["label_issues"]["test"]:
        from tlkit.experiments.label_issues_page import ABOUT_THE_TEST

        print_warning(f"{info['label_issues']['test']} {ABOUT_THE_TEST}")
    files = {
        "label_issues.html": "their images",
        "label_issues.csv": "all of them; delete the rows whose label is correct",
    }
    print_files(out, files)
    if found.rows:
        words = (
            "--select",
            "label-issues",
            "--label-issues",
            out,
            "--out",
            "to-correct",
        )
        next_step("tlkit", "annotate", dataset, *words)
    else:
        next_step("tlkit", "finetune", dataset)


def _print_worst(rows: Sequence[dict[str, str]]) -> None:
    if not rows:
        return
    made = table("image", "split", "label", "predicted", ">p(label)", ">p(predicted)")
    for row in rows[:SHOWN]:
        place = f"{row['path']} [{row['box']}]" if row["box"] else row["path"]
        words = (place, row["split"], row["label"], row["suggested"])
        numbers = (f"{float(row[key]):.2f}" for key in ("p_label", "p_suggested"))
        made.add_row(*(Text(harmless(word)) for word in words), *numbers)
    OUT.print(made)
    if len(rows) > SHOWN:
        OUT.print(f"... and {len(rows) - SHOWN} more in label_issues.csv")
