"""tlkit search: search for settings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer

from tlkit.cli.cross_validate import print_spread
from tlkit.cli.evaluate import print_score
from tlkit.cli.options import given, with_options
from tlkit.cli.terminal import ERR, OUT, Terminal, load_tensorflow, next_step
from tlkit.config import build_config, resolve


# Of a search, --minutes is something else.
@with_options(without=("minutes",))
def search(
    dataset: Path = typer.Argument(None, help="What tlkit prepare wrote."),
    out: Path = typer.Option(
        None, help="Folder to make.  [default: runs/DATASET-BACKBONE-search-N]"
    ),
    trials: int = typer.Option(None, help="End after so many.  [default: 50]"),
    minutes: float = typer.Option(None, help="End after so long.  [default: 10]"),
    folds: int = typer.Option(
        None,
        help="Score each trial on so many folds of the training side.  [default: 5, "
        "or as many as the smallest class allows]",
    ),
    nested: int = typer.Option(
        None,
        help="Repeat the whole search for so many folds, for a score that has chosen "
        "nothing; it takes as many times as long.",
    ),
    recipe: str = typer.Option(
        None,
        help="Start from a recipe, as for finetune; options below that it has are "
        "searched nevertheless.",
    ),
    resume: Path = typer.Option(
        None,
        help="Go on with this search; --trials and --minutes can be given again.",
    ),
    overwrite: bool = typer.Option(
        False, "--overwrite", help="Replace an earlier search in --out."
    ),
    set: list[str] = typer.Option(
        None, help="section.option=value, for any option; repeatable."
    ),
    **options: Any,
) -> None:
    """Search for head, cut, optimizer, rate, batch and regularisation.

    What is given below is not searched. The result is a recipe for finetune and a run
    of it.
    """
    chosen = given(options)
    # A typing error is told before anything slow begins.
    resolve(build_config(recipe=recipe, options=chosen, assignments=set or ()))
    import tlkit

    load_tensorflow()
    with Terminal() as progress:
        found = tlkit.search(
            dataset,
            out,
            trials=trials,
            minutes=minutes,
            folds=folds,
            nested=nested,
            resume=resume,
            recipe=recipe,
            assignments=set or (),
            overwrite=overwrite,
            progress=progress,
            **chosen,
        )
    print_trials(found.metrics)
    if "nested" in found.metrics:
        OUT.print("The whole search, on folds that it has not seen:", highlight=False)
        print_spread(found.metrics["nested"])
    OUT.print("The run with the best settings:", highlight=False)
    print_score(found.metrics["run"])
    ERR.print(
        "No trial has seen the validation images: they have not chosen the settings.",
        highlight=False,
    )
    for name, what in (
        ("best.yaml", "a recipe for finetune"),
        ("trials.csv", "every trial"),
        ("search.png", "how the search went, and what mattered"),
    ):
        ERR.print(f"{found.directory / name}: {what}", markup=False, highlight=False)
    next_step("tlkit", "evaluate", found.run.directory)


def print_trials(metrics: dict[str, Any]) -> None:
    """Print the best trial, and what its score is worth.

    Args:
        metrics: As of `tlkit.search`.
    """
    best, first = metrics["best"], metrics["first"]
    counts = ", ".join(f"{n} {state}" for state, n in metrics["trials"].items())
    line = f"best of {sum(metrics['trials'].values())} trials ({counts}): "
    line += f"loss {best['loss']:.4f}, accuracy {best['accuracy']:.3f}"
    if "loss" in first and first != best:
        line += f"; the first, all by default: loss {first['loss']:.4f}, accuracy "
        line += f"{first['accuracy']:.3f}"
    OUT.print(line, markup=False, highlight=False)
    ERR.print(
        "That score has chosen the best trial, so it is on the bright side; --nested "
        "measures what such a search is worth.",
        style="yellow",
        highlight=False,
    )
