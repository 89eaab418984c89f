"""tlkit convert: annotations in one program's format to those of another."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.table import Table

from tlkit.cli.terminal import ERR, OUT, Terminal, next_step

if TYPE_CHECKING:
    from tlkit import Converted


def convert(
    source: Path = typer.Argument(
        ..., help="Annotated photos, as prepare takes them, or a data set it made."
    ),
    to: str = typer.Option(..., help="labelme | coco | yolo | voc."),
    out: Path = typer.Option(..., help="Folder to make."),
    source_format: str = typer.Option(
        "auto", "--from", help="How the photos are annotated, as for prepare."
    ),
    images: str = typer.Option(
        "copy", help="copy | none: whether copies of the photos are put beside."
    ),
    attribute: str = typer.Option(
        None, help="For VIA, the attribute that is the label."
    ),
    allow_outside: bool = typer.Option(
        False,
        "--allow-outside",
        help="Read what links and annotations name outside of SOURCE.",
    ),
    workers: int = typer.Option(
        None,
        help="Processes that read images, 0 for none.  [default: one a processor]",
    ),
    overwrite: bool = typer.Option(
        False, "--overwrite", help="Replace an earlier converted folder in --out."
    ),
) -> None:
    """Write annotations in another program's format, and what it cannot hold."""
    import tlkit

    with Terminal() as progress:
        converted = tlkit.convert(
            source,
            out,
            to=to,
            source=source_format,
            images=images,
            attribute=attribute,
            allow_outside=allow_outside,
            workers=workers,
            overwrite=overwrite,
            progress=progress,
        )
    _print_summary(converted)
    if images == "none":
        ERR.print(
            "The photos are not beside: names.csv says where each one belongs.",
            markup=False,
            highlight=False,
        )
    else:
        _print_next(converted, out)


def _print_next(converted: Converted, out: Path) -> None:
    """Tell of the next step, if there is one that can work."""
    if converted.format == "labelme":
        if converted.images:
            next_step("labelme", out)
    elif converted.format == "yolo":
        if any(converted.objects.values()):
            next_step("yolo", converted.task, "train", f"data={out / 'data.yaml'}")
    elif converted.label_by:
        how = ("--from", converted.format, "--label-by", converted.label_by)
        next_step("tlkit", "prepare", out, *how, "--out", "DATASET")


def _print_summary(converted: Converted) -> None:
    table = Table(box=None, header_style="bold")
    table.add_column("class")
    table.add_column("objects", justify="right")
    for label, number in converted.objects.items():
        table.add_row(label, str(number))
    table.add_section()
    table.add_row("all", str(sum(converted.objects.values())), style="bold")
    OUT.print(table)
    refused = Counter(rejection.reason for rejection in converted.rejected)
    reasons = ", ".join(f"{n} {reason}" for reason, n in refused.most_common())
    OUT.print(
        f"images: {converted.images} written, not used: {reasons or 'none'}",
        highlight=False,
        markup=False,
    )
    lost = Counter(loss.field for loss in converted.losses)
    OUT.print(
        f"what {converted.format} cannot hold: "
        + (", ".join(f"{n} {field}" for field, n in lost.most_common()) or "nothing"),
        highlight=False,
        markup=False,
    )
    for field in lost:
        first = next(loss for loss in converted.losses if loss.field == field)
        where = f"{first.name}, object {first.obj}" if first.obj else first.name
        OUT.print(
            f"  {field}, as {where}: {first.detail}", markup=False, highlight=False
        )
    ERR.print(
        f"{converted.directory}: names.csv, lost.csv, rejected.csv, convert.json and "
        f"the files of {converted.format}",
        markup=False,
        highlight=False,
    )
