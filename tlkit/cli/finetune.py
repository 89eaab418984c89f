"""tlkit finetune: train a classifier on a data set directory."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import typer

from tlkit.backbones.registry import is_own
from tlkit.cli.cross_validate import print_folds
from tlkit.cli.evaluate import print_score
from tlkit.cli.options import given, with_options
from tlkit.cli.terminal import ERR, Terminal, load_tensorflow, next_step
from tlkit.config import Config, build_config, resolve
from tlkit.errors import UsageError
from tlkit.recipe import recipe_names


@with_options()
def finetune(
    dataset: Path = typer.Argument(None, help="What tlkit prepare wrote."),
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
        help="Go on with this interrupted run as it was; DATASET only if it was moved.",
    ),
    overwrite: bool = typer.Option(
        False, "--overwrite", help="Replace an earlier run in --out."
    ),
    folds: int = typer.Option(
        None,
        help="Measure by so many folds of training and validation side, in place of "
        "one run: mean, interval, and answers for every image.",
    ),
    repeats: int = typer.Option(
        None, help="Draw the folds so many times.  [default: 1]"
    ),
    against: Path = typer.Option(
        None, help="Hold the folds against these: the --out of other settings."
    ),
    set: list[str] = typer.Option(
        None, help="section.option=value, for any option; repeatable."
    ),
    **options: Any,
) -> None:
    """Train a classifier: frozen backbone up to a cut, a head on top."""
    chosen = given(options)
    # A typing error is told before anything slow begins.
    config = build_config(recipe=recipe, options=chosen, assignments=set or ())
    if is_own(config.model.backbone):
        load_tensorflow()
    config = resolve(config)
    _start_workers(config)
    import tlkit

    load_tensorflow()
    common = {
        "recipe": recipe,
        "assignments": set or (),
        "overwrite": overwrite,
        **chosen,
    }
    if folds or (resume and _holds_folds(resume)):
        with Terminal() as progress:
            found = tlkit.cross_validate(
                dataset,
                out,
                folds=folds,
                repeats=repeats,
                against=against,
                resume=resume,
                progress=progress,
                **common,
            )
        return print_folds(found)
    if repeats or against:
        raise UsageError("--repeats and --against go with --folds.")
    with Terminal() as progress:
        if resume:
            if chosen or set or recipe or out or overwrite:
                raise UsageError(
                    "--resume goes on with a run as it was and takes no other option.",
                    hint=f"tlkit finetune --resume {shlex.quote(str(resume))}",
                )
            run = tlkit.resume(resume, data=dataset, progress=progress)
        else:
            run = tlkit.finetune(dataset, out, progress=progress, **common)
    best, epochs = run.info["best_epoch"], run.info["epochs"]
    kept = f"Kept epoch {best} of {epochs}" if best else "Kept the linear probe"
    early = " (stopped early)" if run.info["stopped_early"] else ""
    seconds = run.info["seconds"]["total"]
    ERR.print(f"{kept}{early}, {seconds:.0f} s in all", highlight=False)
    print_score(run.metrics())
    return next_step("tlkit", "evaluate", run.directory)


def _holds_folds(directory: Path) -> bool:
    from tlkit.experiments.cv_result import MARKER

    return (directory / MARKER).is_file()


def _start_workers(config: Config) -> None:
    """Let the workers import while TensorFlow loads, if they are likely to be needed.

    Where features of this network are kept, the images may not even be read.
    """
    from tlkit.cache_root import cache_root
    from tlkit.features.cache import holds
    from tlkit.inputs.views import get_ready
    from tlkit.workers import warm_up

    model, inputs = config.model, config.inputs
    kept = config.train.cache and isinstance(inputs.views, int)
    if not (kept and holds(cache_root(), model.row.identity, model.size)):
        warm_up(get_ready, inputs.workers)
