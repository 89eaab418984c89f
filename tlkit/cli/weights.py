"""tlkit weights: pretrained weights, published and on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from tlkit.cli.startup import load_tensorflow
from tlkit.cli.terminal import OUT, next_step, print_line, table
from tlkit.errors import UsageError, WeightsError

if TYPE_CHECKING:
    from tlkit.backbones.spec import Backbone
    from tlkit.backbones.weights.sources import Origin

weights = typer.Typer(
    help="List, download or add pretrained weights.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@weights.command("list")
def list_(
    name: str = typer.Argument("", help="Only networks with this in their name."),
    here: bool = typer.Option(False, "--here", help="Only weights on this machine."),
    urls: bool = typer.Option(False, "--urls", help="Show URLs, not file names."),
) -> None:
    """List the source of each network's weights.

    Shows which of them are on this machine.
    """
    from tlkit.backbones.weights.sources import cache_folder, origin
    from tlkit.cli.backbones import named

    made = table("backbone", ">file, MB", "here", "source")
    found = [origin(backbone) for backbone in named(name)]
    for one in found:
        if one.here or one.damaged or not here:
            made.add_row(
                one.backbone.name,
                f"{'' if one.here else '~'}{one.bytes / 1e6:.1f}" if one.bytes else "",
                "yes" if one.here else "damaged" if one.damaged else "",
                _source(one, urls),
                style="bold" if one.here else None,
            )
    OUT.print(made)
    some = [one for one in found if one.file]
    here_now = sum(one.here for one in some)
    print_line(
        f"On this machine: {here_now} of {len(some)} pretrained; downloads go to "
        f"{cache_folder()} (KERAS_HOME changes the place)"
    )
    if lacking := [one for one in some if not one.here]:
        missing = lacking[0].backbone.name if name else "BACKBONE"
        next_step("tlkit", "weights", "download", missing)


@weights.command()
def download(
    backbones: list[str] = typer.Argument(..., help="Networks; see tlkit backbones."),
) -> None:
    """Download published weights.

    Later nothing needs the network. Weights on this machine are checked, and downloaded
    again if damaged.
    """
    rows = list(dict.fromkeys(_row(name) for name in backbones))
    load_tensorflow()
    from tlkit.backbones.weights import download as weights_cache

    failed: dict[str, WeightsError] = {}
    for row in rows:
        try:
            path, fetched = weights_cache.download(row)
        except WeightsError as error:
            failed[row.name] = error
            print_line(f"{row.name}: {error.message}")
        else:
            print_line(f"{row.name}: {path}{'' if fetched else ' (already here)'}")
    if failed:
        raise WeightsError(
            f"{len(failed)} of {len(rows)} could not be downloaded: "
            f"{', '.join(failed)}.",
            hint=next(iter(failed.values())).hint,
        )
    next_step("tlkit", "finetune", "DATASET", "--backbone", rows[-1].name)


@weights.command()
def add(
    backbone: str = typer.Argument(..., help="A network; see tlkit backbones."),
    file: Path = typer.Argument(..., help="Its published weights file."),
    overwrite: bool = typer.Option(
        False, "--overwrite", help="Replace another usable file."
    ),
) -> None:
    """Add a published weights file.

    It is checked against its checksum, if one is known.
    """
    row = _row(backbone)
    load_tensorflow()
    from tlkit.backbones.weights import download as weights_cache
    from tlkit.backbones.weights.sources import origin

    path, new = weights_cache.add(row, file, overwrite=overwrite)
    published = origin(row).published
    checked = (
        "checksum as published"
        if published and published.checksum
        else "no checksum is published: layout, shapes and values were checked"
    )
    print_line(f"{row.name}: {path} ({checked}{'' if new else '; already here'})")
    next_step("tlkit", "finetune", "DATASET", "--backbone", row.name)


def _row(name: str) -> Backbone:
    from tlkit.backbones.registry import find
    from tlkit.backbones.spec import is_custom

    if is_custom(name):
        raise UsageError(
            f"{name} is a network of your own: its weights are in it.",
            hint="Leave it out: there is nothing to download or to add.",
        )
    return find(name)


def _source(origin: Origin, urls: bool) -> str:
    if origin.published:
        return origin.published.url if urls else origin.published.file
    return "comes with tlkit" if origin.file else "none: trained from scratch"
