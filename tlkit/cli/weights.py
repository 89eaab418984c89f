"""tlkit weights: where each network's pretrained weights come from, and lie."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.table import Table

from tlkit.cli.terminal import ERR, OUT, load_tensorflow, next_step
from tlkit.errors import UsageError, WeightsError

if TYPE_CHECKING:
    from tlkit.backbones.registry import Backbone
    from tlkit.backbones.weights.sources import Origin

weights = typer.Typer(
    help="List, fetch or add pretrained weights, as for a machine without network.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@weights.command("list")
def list_(
    name: str = typer.Argument("", help="Only those with this in their name."),
    here: bool = typer.Option(False, "--here", help="Only those on this machine."),
    urls: bool = typer.Option(False, "--urls", help="Whole addresses, not file names."),
) -> None:
    """List where the weights of each network come from, and which are here."""
    from tlkit.backbones.weights.sources import cache_folder, origin
    from tlkit.cli.backbones import named

    table = Table(box=None, header_style="bold")
    table.add_column("backbone", no_wrap=True)
    table.add_column("file, MB", justify="right")
    table.add_column("here")
    table.add_column("from", overflow="fold")
    found = [origin(backbone) for backbone in named(name)]
    for one in found:
        if one.here or one.damaged or not here:
            table.add_row(
                one.backbone.name,
                f"{'' if one.here else '~'}{one.bytes / 1e6:.1f}" if one.bytes else "",
                "yes" if one.here else "damaged" if one.damaged else "",
                _source(one, urls),
                style="bold" if one.here else None,
            )
    OUT.print(table)
    some = [one for one in found if one.file]
    here_now = sum(one.here for one in some)
    _say(
        f"On this machine: {here_now} of {len(some)} pretrained; what is published "
        f"belongs into {cache_folder()} (KERAS_HOME changes the place)"
    )
    if lacking := [one for one in some if not one.here]:
        wanted = lacking[0].backbone.name if name else "BACKBONE"
        next_step("tlkit", "weights", "fetch", wanted)


@weights.command()
def fetch(
    backbones: list[str] = typer.Argument(..., help="Networks; see tlkit backbones."),
) -> None:
    """Fetch published weights, so that later nothing needs the network.

    What is here is checked, and fetched again where it is damaged.
    """
    rows = list(dict.fromkeys(_row(name) for name in backbones))
    load_tensorflow()
    from tlkit.backbones.weights import download as weights_cache

    failed: dict[str, WeightsError] = {}
    for row in rows:
        try:
            path, fetched = weights_cache.fetch(row)
        except WeightsError as error:
            failed[row.name] = error
            _say(f"{row.name}: {error.message}")
        else:
            _say(f"{row.name}: {path}{'' if fetched else ' (was here)'}")
    if failed:
        raise WeightsError(
            f"{len(failed)} of {len(rows)} could not be fetched: {', '.join(failed)}.",
            hint=next(iter(failed.values())).hint,
        )
    next_step("tlkit", "finetune", "DATASET", "--backbone", rows[-1].name)


@weights.command()
def add(
    backbone: str = typer.Argument(..., help="A network; see tlkit backbones."),
    file: Path = typer.Argument(..., help="Its published weights, brought by hand."),
    overwrite: bool = typer.Option(
        False, "--overwrite", help="Replace another file that could be used."
    ),
) -> None:
    """Add a published weights file by hand, its digest checked where one is known."""
    row = _row(backbone)
    load_tensorflow()
    from tlkit.backbones.weights import download as weights_cache
    from tlkit.backbones.weights.sources import origin

    path, new = weights_cache.add(row, file, overwrite=overwrite)
    published = origin(row).published
    checked = (
        "digest as published"
        if published and published.checksum
        else "no digest is published: layout, shapes and values were checked"
    )
    _say(f"{row.name}: {path} ({checked}{'' if new else '; was here'})")
    next_step("tlkit", "finetune", "DATASET", "--backbone", row.name)


def _row(name: str) -> Backbone:
    from tlkit.backbones.registry import find, is_own

    if is_own(name):
        raise UsageError(
            f"{name} is a network of your own: its weights are in it.",
            hint="There is nothing to fetch or to add.",
        )
    return find(name)


def _source(origin: Origin, urls: bool) -> str:
    if origin.published:
        return origin.published.url if urls else origin.published.file
    return "comes with tlkit" if origin.file else "nowhere: trained from scratch"


def _say(text: str) -> None:
    ERR.print(text, markup=False, highlight=False)
