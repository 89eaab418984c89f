"""tlkit finetune: a classifier trained on a data set directory."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import typer

import tlkit
from tlkit.cli.evaluate import print_score
from tlkit.cli.options import (
    OPTIONAL_DATASET,
    OVERRIDES,
    OVERWRITE,
    given,
    with_options,
)
from tlkit.cli.startup import check_options, load_tensorflow, start_workers
from tlkit.cli.terminal import Terminal, next_step, print_line
from tlkit.errors import UsageError
from tlkit.recipe import recipe_names


@with_options()
def finetune(
    dataset: Path = OPTIONAL_DATASET,
    out: Path = typer.Option(
        None, help="Run directory.  [default: runs/DATASET-BACKBONE-N]"
    ),
    recipe: str = typer.Option(
        None,
        help="Start from a recipe: a YAML file, such as RUN/config.yaml, or one of "
        f"{', '.join(recipe_names())}.",
    ),
    resume: Path = typer.Option(
        None,
        help="Continue this interrupted run unchanged; DATASET only if it was moved.",
    ),
    overwrite: bool = OVERWRITE,
    overrides: list[str] = OVERRIDES,
    **options: Any,
) -> None:
    """Train a classifier on a data set directory.

    It is a pretrained backbone up to a cut with a head on top; more layers are
    fine-tuned where that pays.
    """
    chosen = given(options)
    start_workers(check_options(chosen, recipe, overrides))
    load_tensorflow()
    with Terminal() as progress:
        if resume:
            if chosen or overrides or recipe or out or overwrite:
                raise UsageError(
                    "--resume continues a run unchanged and takes no other option.",
                    hint=f"Run: tlkit finetune --resume {shlex.quote(str(resume))}",
                )
            run = tlkit.resume(resume, data=dataset, progress=progress)
        else:
            run = tlkit.finetune(
                dataset,
                out,
                recipe=recipe,
                overrides=overrides or (),
                overwrite=overwrite,
                progress=progress,
                **chosen,
            )
    early = " (stopped early)" if run.info["stopped_early"] else ""
    seconds = run.info["seconds"]["total"]
    print_line(
        f"Selected {run.info['selected_weights']}{early}, {seconds:.0f} s in all"
    )
    print_score(run.metrics())
    next_step("tlkit", "evaluate", run.directory)
