"""tlkit label-issues: labels that are probably wrong."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import typer
from rich.table import Table
from rich.text import Text

from tlkit.cli.options import given, with_options
from tlkit.cli.terminal import ERR, OUT, Terminal, harmless, load_tensorflow, next_step
from tlkit.config import FROZEN_OPTIONS, SECTION_OF

# So many of the worst are printed.
SHOWN = 10


@with_options(without=set(SECTION_OF) - set(FROZEN_OPTIONS))
def label_issues(
    dataset: Path = typer.Argument(..., help="Data set directory."),
    out: Path = typer.Option(..., help="Folder to make."),
    overwrite: bool = typer.Option(
        False, "--overwrite", help="Replace earlier doubts in --out."
    ),
    **options: Any,
) -> None:
    """List labels that are probably wrong, with their images.

    Every image is judged by a linear probe that has seen neither it nor its
    group, on features of a frozen network (confident learning). All sides of the
    split are looked at; nothing is changed.
    """
    chosen = given(options)
    import tlkit

    load_tensorflow()
    with Terminal() as progress:
        found = tlkit.label_issues(
            dataset, out, overwrite=overwrite, progress=progress, **chosen
        )
    info = found.info
    looked_at = sum(info["looked_at"].values())
    sides = ", ".join(f"{n} {side}" for side, n in info["doubtful"].items() if n)
    OUT.print(
        f"label issues: {len(found.rows)} of {looked_at} examples probably have a "
        f"wrong label, or are hard to tell{f' ({sides})' if sides else ''}; "
        f"the probe agrees with {info['agreement']:.1%} of all labels",
        highlight=False,
    )
    _print_worst(found.rows)
    if info["doubtful"]["test"]:
        from tlkit.experiments.label_issues_page import ABOUT_THE_TEST

        line = f"{info['doubtful']['test']} {ABOUT_THE_TEST}"
        ERR.print(line, style="yellow", markup=False, highlight=False)
    for name, what in (
        ("label_issues.html", "their images"),
        ("label_issues.csv", "all of them; take out the rows that are right"),
    ):
        ERR.print(f"{out / name}: {what}", markup=False, highlight=False)
    if found.rows:
        words = ("--what", "mistakes", "--label-issues", out, "--out", "work")
        next_step("tlkit", "annotate", dataset, *words)
    else:
        next_step("tlkit", "finetune", dataset)


def _print_worst(rows: Sequence[dict[str, str]]) -> None:
    if not rows:
        return
    table = Table(box=None, header_style="bold")
    for column in ("image", "side", "label", "looks like"):
        table.add_column(column)
    for column in ("p of label", "p of other"):
        table.add_column(column, justify="right")
    for row in rows[:SHOWN]:
        place = f"{row['path']} [{row['box']}]" if row["box"] else row["path"]
        words = (place, row["split"], row["label"], row["suggested"])
        numbers = (f"{float(row[key]):.2f}" for key in ("p_label", "p_suggested"))
        table.add_row(*(Text(harmless(word)) for word in words), *numbers)
    OUT.print(table)
    if len(rows) > SHOWN:
        OUT.print(
            f"... and {len(rows) - SHOWN} more in label_issues.csv", highlight=False
        )
