"""tlkit search: better settings for a data set."""

from __future__ import annotations

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
from tlkit.cli.startup import check_options, load_tensorflow
from tlkit.cli.terminal import (
    OUT,
    Terminal,
    next_step,
    print_files,
    print_line,
    print_warning,
)


# The --minutes of a search limit the whole search, not one training.
@with_options(without=("minutes",))
def search(
    dataset: Path = OPTIONAL_DATASET,
    out: Path = typer.Option(
        None, help="Folder to make.  [default: runs/DATASET-BACKBONE-search-N]"
    ),
    trials: int = typer.Option(None, help="Most trials.  [default: 50]"),
    minutes: float = typer.Option(None, help="Most minutes.  [default: 10]"),
    folds: int = typer.Option(
        None,
        help="Folds of the training split that score each trial.  [default: 5, or as "
        "many as the smallest class allows]",
    ),
    recipe: str = typer.Option(
        None,
        help="Start from a recipe, as for finetune; its options below are searched "
        "nevertheless.",
    ),
    resume: Path = typer.Option(
        None, help="Continue this search; --trials and --minutes may change."
    ),
    overwrite: bool = OVERWRITE,
    overrides: list[str] = OVERRIDES,
    **options: Any,
) -> None:
    """Search for better settings.

    Options given below are not searched. The result is a recipe for finetune and a
    run of it.
    """
    chosen = given(options)
    check_options(chosen, recipe, overrides)
    load_tensorflow()
    with Terminal() as progress:
        found = tlkit.search(
            dataset,
            out,
            trials=trials,
            minutes=minutes,
            folds=folds,
            resume=resume,
            recipe=recipe,
            overrides=overrides or (),
            overwrite=overwrite,
            progress=progress,
            **chosen,
        )
    metrics = found.metrics()
    print_trials(metrics)
    OUT.print("The run with the best settings:")
    print_score(metrics["run"])
    print_line("No trial used the validation images: they did not select the settings.")
    files = {
        "best.yaml": "a recipe for finetune",
        "trials.csv": "every trial",
        "search.png": "the course of the search, and which options mattered",
    }
    print_files(found.directory, files)
    next_step("tlkit", "evaluate", found.run.directory)


def print_trials(metrics: dict[str, Any]) -> None:
    """Print the best trial, and that its score is optimistic."""
    best, first = metrics["best"], metrics["first"]
    counts = ", ".join(f"{n} {state}" for state, n in metrics["trials"].items())
    line = f"best of {sum(metrics['trials'].values())} trials ({counts}): "
    line += _scores(best)
    if "loss" in first and first != best:
        line += f"; the first, all by default: {_scores(first)}"
    OUT.print(line)
    print_warning("This score selected the best trial, so it is optimistic.")


def _scores(trial: dict[str, Any]) -> str:
    loss, accuracy = trial["scaled_loss"], trial["accuracy"]
    return f"temperature-scaled loss {loss:.4f}, accuracy {accuracy:.3f}"
