"""tlkit check: whether a finished split leaks."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import typer

import tlkit
from tlkit.cli.options import (
    ALLOW_OUTSIDE,
    ATTRIBUTE,
    COLUMN,
    FORMAT,
    SEPARATOR,
    WORKERS,
    Format,
    columns_by_role,
)
from tlkit.cli.terminal import OUT, Terminal, print_line, table

if TYPE_CHECKING:
    from tlkit.dataset.check.check import Checked

# More lines than a screen or two are for --out.
SHOWN = 40


def check(
    dataset: Path = typer.Argument(
        ..., help="Data set directory, or any folder with train, val, test."
    ),
    against: Path = typer.Option(
        None, help="Another folder that must have no image in common with it."
    ),
    source_format: Format = FORMAT,
    attribute: str = ATTRIBUTE,
    column: list[str] = COLUMN,
    separator: str = SEPARATOR,
    rotated: bool = typer.Option(
        False, "--rotated", help="Also look for rotated or flipped duplicates."
    ),
    allow_outside: bool = ALLOW_OUTSIDE,
    format: Literal["table", "json"] = typer.Option(
        "table", help="Format of the output."
    ),
    out: Path = typer.Option(None, help="CSV file to write all findings to."),
    workers: int = WORKERS,
) -> None:
    """Look for leaks in a finished split.

    The split may be of any origin, and is not changed. Reports duplicates and groups
    across splits, images with two labels, and files that are missing or changed since
    prepare. Exit code 0: no findings; 1: findings, or the check failed.
    """
    with Terminal() as progress:
        checked = tlkit.check(
            dataset,
            against=against,
            format=source_format,
            attribute=attribute,
            columns=columns_by_role(column),
            separator=separator,
            rotated=rotated,
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
        print_line(f"{out}: all findings")
    raise typer.Exit(0 if checked.clean else 1)


def _print(checked: Checked) -> None:
    for line in checked.verdict:
        OUT.print(line, style="bold green" if checked.clean else "bold red")
    if checked.findings:
        made = table("found", "file", "label", "match", "label", "distance", "detail")
        for one in checked.findings[:SHOWN]:
            distance = "" if one.distance is None else str(one.distance)
            row = (one.kind, one.file, one.label, one.match, one.match_label, distance)
            made.add_row(*row, one.transform or one.group or one.detail)
        OUT.print(made)
    if more := len(checked.findings[SHOWN:]):
        print_line(f"... and {more} more; --out leaks.csv writes all")
    for remark in checked.remarks:
        print_line(remark)
