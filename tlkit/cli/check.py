"""tlkit check: a finished split to a verdict whether it leaks."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.table import Table

from tlkit.cli.terminal import ERR, OUT, Terminal
from tlkit.errors import unknown_name

if TYPE_CHECKING:
    from tlkit.dataset.check.check import Checked

# More lines than a screen or two are for --out.
SHOWN = 40
FORMATS = ("table", "json")


def check(
    dataset: Path = typer.Argument(
        ..., help="What tlkit prepare made, or any folder with train, val, test."
    ),
    against: Path = typer.Option(
        None, help="Another folder that is to have no image in common with it."
    ),
    rotated: bool = typer.Option(
        False, "--rotated", help="Also look for rotated or flipped duplicates."
    ),
    allow_outside: bool = typer.Option(
        False, "--allow-outside", help="Follow links out of these folders."
    ),
    format: str = typer.Option(
        "table", help="table | json: how to print what was found."
    ),
    out: Path = typer.Option(None, help="CSV file to write all of it to."),
    workers: int = typer.Option(
        None,
        help="Processes that read images, 0 for none.  [default: one a processor]",
    ),
) -> None:
    """Look for leaks in a finished split, whoever made it; nothing is changed.

    Told are copies on different sides, groups on several sides, images under two
    labels, and files that are missing or changed since prepare. Exit code 0: there is
    none of it; 1: there is, or the check failed.
    """
    import tlkit

    if format not in FORMATS:
        raise unknown_name("output format", format, FORMATS)
    with Terminal() as progress:
        checked = tlkit.check(
            dataset,
            against=against,
            turned=rotated,
            allow_outside=allow_outside,
            workers=workers,
            progress=progress,
        )
    if format == "json":
        content = {
            "clean": checked.clean,
            "verdict": checked.verdict,
            **dataclasses.asdict(checked),
        }
        typer.echo(json.dumps(content, indent=2))
    else:
        _print(checked)
    if out is not None:
        checked.write(out)
        ERR.print(f"{out}: all that was found", markup=False, highlight=False)
    raise typer.Exit(0 if checked.clean else 1)


def _print(checked: Checked) -> None:
    for line in checked.verdict:
        style = "bold green" if checked.clean else "bold red"
        OUT.print(line, style=style, markup=False, highlight=False)
    if checked.findings:
        table = Table(box=None, header_style="bold")
        for column in ("found", "file", "label", "twin", "label", "distance", "detail"):
            table.add_column(column, overflow="fold")
        for one in checked.findings[:SHOWN]:
            distance = "" if one.distance is None else str(one.distance)
            row = (one.kind, one.file, one.label, one.twin, one.twin_label, distance)
            table.add_row(*row, one.detail)
        OUT.print(table, markup=False, highlight=False)
    if more := len(checked.findings[SHOWN:]):
        ERR.print(f"... and {more} more; --out leaks.csv writes all", highlight=False)
    for remark in checked.remarks:
        ERR.print(remark, markup=False, highlight=False)
