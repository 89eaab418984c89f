"""tlkit lr-find: a learning rate to start with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer

import tlkit
from tlkit.cli.options import (
    DATASET,
    OVERRIDES,
    OVERWRITE,
    RECIPE,
    given,
    with_options,
    written,
)
from tlkit.cli.startup import check_options, load_tensorflow
from tlkit.cli.terminal import OUT, Terminal, next_step, print_files
from tlkit.config import Scope, options_of


@with_options(without=options_of(Scope.COURSE))
def lr_find(
    dataset: Path = DATASET,
    out: Path = typer.Option(
        None, help="Folder to make.  [default: runs/DATASET-BACKBONE-lr]"
    ),
    recipe: str = RECIPE,
    overwrite: bool = OVERWRITE,
    overrides: list[str] = OVERRIDES,
    **options: Any,
) -> None:
    """Find a learning rate to start with.

    Measures the loss while the learning rate rises step by step.
    """
    chosen = given(options)
    check_options(chosen, recipe, overrides)
    load_tensorflow()
    with Terminal() as progress:
        found = tlkit.lr_find(
            dataset,
            out,
            recipe=recipe,
            overrides=overrides or (),
            overwrite=overwrite,
            progress=progress,
            **chosen,
        )
    OUT.print(
        f"learning rate {found.steepest:g}, where the loss falls fastest; a tenth of "
        f"the learning rate with the least loss is {found.tenth:g}"
    )
    files = {"lr.png": "loss over learning rate", "lr.csv": "the same as numbers"}
    print_files(found.directory, files)
    words = written(chosen) + [
        word for one in overrides or () for word in ("--set", one)
    ]
    if recipe:
        words = ["--recipe", recipe, *words]
    # Of automatic phases, the tuning ones have learning rates of their own.
    rate = f"{found.steepest:g}"
    next_step("tlkit", "finetune", dataset, *words, "--phases", "one", "--lr", rate)
