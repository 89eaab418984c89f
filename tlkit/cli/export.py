"""tlkit export: a model that takes raw images and returns class names."""

from __future__ import annotations

from pathlib import Path

import typer

import tlkit
from tlkit.cli.options import DATA, RUN
from tlkit.cli.startup import load_tensorflow
from tlkit.cli.terminal import OUT, Terminal, next_step


def export(
    run: Path = RUN,
    format: str = typer.Option("savedmodel", help="savedmodel."),
    out: Path = typer.Option(
        None, help="Folder to make.  [default: RUN/exports/FORMAT]"
    ),
    data: Path = DATA,
    overwrite: bool = typer.Option(False, "--overwrite", help="Replace an export."),
) -> None:
    """Write a SavedModel that takes raw images.

    Proves in a fresh process that it predicts as tlkit predict does.
    """
    load_tensorflow()
    with Terminal() as progress:
        exported = tlkit.export(
            run, format=format, out=out, data=data, overwrite=overwrite,
            progress=progress,
        )  # fmt: skip
    OUT.print(
        f"{exported.directory}: reloaded in a fresh process and compared with predict "
        f"on {exported.samples} images, EXIF-rotated and CMYK ones among them.\n"
        f"Largest difference of a probability: {exported.pixel_difference:.1e} from "
        f"pixels, {exported.bytes_difference:.1e} from encoded bytes."
    )
    next_step("saved_model_cli", "show", "--dir", exported.directory, "--all")
