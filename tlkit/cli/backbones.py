"""tlkit backbones: the table of networks, and the layers of one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from tlkit.cli.startup import load_tensorflow
from tlkit.cli.terminal import OUT, next_step, table
from tlkit.errors import unknown_name

if TYPE_CHECKING:
    from tlkit.backbones.spec import Backbone

backbones = typer.Typer(rich_markup_mode=None, invoke_without_command=True)


@backbones.callback()
def default(context: typer.Context) -> None:
    """List the networks that can be tuned, or the layers of one."""
    if context.invoked_subcommand is None:
        list_("")


@backbones.command("list")
def list_(
    name: str = typer.Argument("", help="Only networks with this in their name."),
) -> None:
    """List the networks, with their size and native resolution."""
    shown = table(
        *("backbone", "preprocessing", "also called"),
        *(">MB", ">parameters", ">native px", ">min px"),
    )
    for backbone in named(name):
        shown.add_row(
            backbone.name,
            backbone.preprocessing.name,
            ", ".join(backbone.aliases),
            f"{backbone.megabytes:.1f}",
            f"{backbone.parameters:,}",
            str(backbone.native),
            str(backbone.min_size),
        )
    OUT.print(shown)
    next_step("tlkit", "backbones", "show", "BACKBONE")


@backbones.command()
def show(
    backbone: str = typer.Argument(
        ..., help="A network; see tlkit backbones. Or PATH.keras, or hub:PRESET."
    ),
    size: int = typer.Option(
        None, help="Image size in pixels.  [default: the native size]"
    ),
) -> None:
    """List the layers at which a network can be cut."""
    from tlkit.backbones import registry, spec

    # A misspelt name fails before anything slow begins.
    if not spec.is_custom(backbone):
        registry.find(backbone)
    load_tensorflow()
    from tlkit.backbones import cut_points as cut

    found = registry.find_graph(backbone, size=size)
    shown = table("layer", ">shape (H x W x C)", ">parameters up to here", "")
    for point in cut.cut_points(found, size):
        shown.add_row(
            point.name,
            " x ".join(str(n) for n in point.shape),
            f"{point.parameters:,}",
            "good cut" if point.recommended else "",
            style="bold" if point.recommended else None,
        )
    OUT.print(shown)
    next_step(
        *("tlkit", "finetune", "DATASET"),
        *("--backbone", found.name, "--cut", found.cuts[-1]),
    )


def named(name: str) -> list[Backbone]:
    """Return the backbones with this in their name or an alias; an error if none."""
    from tlkit.backbones.table import BACKBONES, LISTED_BY

    found = [
        backbone
        for backbone in BACKBONES.values()
        if name.lower() in " ".join((backbone.name, *backbone.aliases)).lower()
    ]
    if not found:
        raise unknown_name("backbone", name, BACKBONES, listed_by=LISTED_BY)
    return found
