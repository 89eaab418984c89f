"""tlkit lr-find: a learning rate to begin with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer

from tlkit.cli.options import given, with_options, written
from tlkit.cli.terminal import ERR, OUT, Terminal, load_tensorflow, next_step
from tlkit.config import COURSE, build_config, resolve


@with_options(without=COURSE)
def lr_find(
    dataset: Path = typer.Argument(..., help="What tlkit prepare wrote."),
    out: Path = typer.Option(
        None, help="Folder to make.  [default: runs/DATASET-BACKBONE-lr]"
    ),
    recipe: str = typer.Option(None, help="Start from a recipe, as for finetune."),
    overwrite: bool = typer.Option(
        False, "--overwrite", help="Replace an earlier test in --out."
    ),
    set: list[str] = typer.Option(
        None, help="section.option=value, for any option; repeatable."
    ),
    **options: Any,
) -> None:
    """Find a learning rate: the loss at rates that rise step by step."""
    chosen = given(options)
    # A typing error is told before anything slow begins.
    resolve(build_config(recipe=recipe, options=chosen, assignments=set or ()))
    import tlkit

    load_tensorflow()
    with Terminal() as progress:
        found = tlkit.lr_find(
            dataset,
            out,
            recipe=recipe,
            assignments=set or (),
            overwrite=overwrite,
            progress=progress,
            **chosen,
        )
    OUT.print(
        f"learning rate {found.steepest:g}, where the loss falls fastest; a tenth of "
        f"that where it is least is {found.tenth:g}",
        highlight=False,
    )
    ERR.print(f"{found.directory / 'lr.png'}: loss over rate", highlight=False)
    ERR.print(f"{found.directory / 'lr.csv'}: the same as numbers", highlight=False)
    words = written(chosen) + [word for one in set or () for word in ("--set", one)]
    if recipe:
        words = ["--recipe", recipe, *words]
    next_step("tlkit", "finetune", dataset, *words, "--lr", f"{found.steepest:g}")
