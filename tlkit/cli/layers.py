"""tlkit layers: where a network can be cut."""

from __future__ import annotations

import typer
from rich.table import Table

from tlkit.cli.terminal import OUT, load_tensorflow, next_step


def layers(
    backbone: str = typer.Argument(
        ..., help="A network; see tlkit backbones. Or PATH.keras, or hub:PRESET."
    ),
    size: int = typer.Option(
        None, help="Side of the images in pixels.  [default: the native one]"
    ),
) -> None:
    """List the layers a network can be cut at."""
    from tlkit.backbones import registry

    # A wrong name is told before anything slow begins.
    found = None if registry.is_own(backbone) else registry.find(backbone)
    load_tensorflow()
    from tlkit.backbones import custom
    from tlkit.backbones import cut_points as cut

    found = found or custom.look_at(backbone, size)

    table = Table(box=None, header_style="bold")
    table.add_column("layer")
    table.add_column("shape (H x W x C)", justify="right")
    table.add_column("parameters up to here", justify="right")
    table.add_column("")
    for point in cut.cut_points(found, size):
        table.add_row(
            point.name,
            " x ".join(str(n) for n in point.shape),
            f"{point.parameters:,}",
            "good cut" if point.good else "",
            style="bold" if point.good else None,
        )
    OUT.print(table)
    next_step(
        *("tlkit", "finetune", "DATASET"),
        *("--backbone", found.name, "--cut", found.cuts[-1]),
    )
