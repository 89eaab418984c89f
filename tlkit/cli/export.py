"""tlkit export: an artefact that takes raw images and answers with class names."""

from __future__ import annotations

from pathlib import Path

import typer

from tlkit.cli.terminal import OUT, Terminal, load_tensorflow, next_step


def export(
    run: Path = typer.Argument(..., help="The --out folder of a tlkit finetune."),
    format: str = typer.Option("savedmodel", help="savedmodel."),
    out: Path = typer.Option(
        None, help="Folder to make.  [default: RUN/exports/FORMAT]"
    ),
    data: Path = typer.Option(None, help="Where the data set lies now, if moved."),
    overwrite: bool = typer.Option(False, "--overwrite", help="Replace an export."),
) -> None:
    """Write a SavedModel and prove that it answers as predict does."""
    import tlkit

    load_tensorflow()
    with Terminal() as progress:
        exported = tlkit.export(
            run, format=format, out=out, data=data, overwrite=overwrite,
            progress=progress,
        )  # fmt: skip
    OUT.print(
        f"{exported.directory}: reloaded in a fresh process and compared with predict "
        f"on {exported.samples} images, EXIF-turned and CMYK ones among them.\n"
        f"Largest difference of a probability: {exported.pixel_difference:.1e} from "
        f"pixels, {exported.bytes_difference:.1e} from encoded bytes.",
        highlight=False,
    )
    next_step("saved_model_cli", "show", "--dir", exported.directory, "--all")
