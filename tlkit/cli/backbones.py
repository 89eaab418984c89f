"""tlkit backbones: the table of networks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer
from rich.table import Table

from tlkit.cli.terminal import OUT, next_step
from tlkit.errors import unknown_name

if TYPE_CHECKING:
    from tlkit.backbones.registry import Backbone


def backbones(
    name: str = typer.Argument("", help="Only those with this in their name."),
) -> None:
    """List the networks that can be tuned."""
    table = Table(box=None, header_style="bold")
    for column in ("backbone", "preprocessing", "also called"):
        table.add_column(column, no_wrap=column == "backbone")
    for column in ("MB", "parameters", "native px", "least px"):
        table.add_column(column, justify="right")
    for backbone in named(name):
        table.add_row(
            backbone.name,
            backbone.preprocessing.name,
            ", ".join(backbone.aliases),
            f"{backbone.megabytes:.1f}",
            f"{backbone.parameters:,}",
            str(backbone.native),
            str(backbone.least),
        )
    OUT.print(table)
    next_step("tlkit", "layers", "BACKBONE")


def named(name: str) -> list[Backbone]:
    """The rows of the table with this in their name or an alias; an error if none."""
    from tlkit.backbones.registry import BACKBONES, LISTED_BY

    found = [
        backbone
        for backbone in BACKBONES.values()
        if name.lower() in " ".join((backbone.name, *backbone.aliases)).lower()
    ]
    if not found:
        raise unknown_name("backbone", name, BACKBONES, listed_by=LISTED_BY)
    return found
