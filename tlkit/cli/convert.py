"""tlkit convert: annotations rewritten in the format of another program."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import typer

import tlkit
from tlkit.cli.options import (
    ALLOW_OUTSIDE,
    ATTRIBUTE,
    COLUMN,
    FORMAT,
    LIMIT,
    OVERWRITE,
    SEPARATOR,
    WORKERS,
    Format,
    columns_by_role,
)
from tlkit.cli.terminal import OUT, Terminal, next_step, print_line, table

if TYPE_CHECKING:
    from tlkit import Converted


def convert(
    source: Path = typer.Argument(
        ..., help="Annotated photos, as prepare takes them, or a data set it made."
    ),
    to: Literal["labelme", "coco", "yolo", "voc"] = typer.Option(
        ..., help="Format to write."
    ),
    out: Path = typer.Option(..., help="Folder to make."),
    source_format: Format = FORMAT,
    images: Literal["copy", "none"] = typer.Option(
        "copy", help="Copy the photos into the folder, or write annotations alone."
    ),
    attribute: str = ATTRIBUTE,
    column: list[str] = COLUMN,
    separator: str = SEPARATOR,
    limit: int = LIMIT,
    allow_outside: bool = ALLOW_OUTSIDE,
    workers: int = WORKERS,
    overwrite: bool = OVERWRITE,
) -> None:
    """Write annotations in another program's format.

    Lists what that format cannot hold.
    """
    with Terminal() as progress:
        converted = tlkit.convert(
            source,
            out,
            to=to,
            format=source_format,
            images=images,
            attribute=attribute,
            columns=columns_by_role(column),
            separator=separator,
            limit=limit,
            allow_outside=allow_outside,
            workers=workers,
            overwrite=overwrite,
            progress=progress,
        )
    _print_summary(converted)
    if images == "none":
        print_line(
            "The photos were not copied: renamed_files.csv lists where each belongs."
        )
    else:
        _print_next(converted, out)


def _print_next(converted: Converted, out: Path) -> None:
    """Print the next step, if there is one that can work."""
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
    made = table("class", ">objects")
    for label, number in converted.objects.items():
        made.add_row(label, str(number))
    made.add_section()
    made.add_row("all", str(sum(converted.objects.values())), style="bold")
    OUT.print(made)
    refused = Counter(rejection.reason for rejection in converted.rejected)
    reasons = ", ".join(f"{n} {reason}" for reason, n in refused.most_common())
    OUT.print(f"images: {converted.images} written, not used: {reasons or 'none'}")
    dropped = Counter(each.field for each in converted.dropped)
    fields = ", ".join(f"{n} {field}" for field, n in dropped.most_common())
    OUT.print(f"what {converted.format} cannot hold: {fields or 'nothing'}")
    for field in dropped:
        first = next(each for each in converted.dropped if each.field == field)
        where = f"{first.file}, object {first.obj}" if first.obj else first.file
        OUT.print(f"  {field}, for example {where}: {first.detail}")
    print_line(
        f"{converted.directory}: renamed_files.csv, dropped_fields.csv, rejected.csv, "
        f"convert.json and the files of {converted.format}"
    )
