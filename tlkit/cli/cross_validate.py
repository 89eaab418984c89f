"""tlkit cross-validate: the score of a configuration over folds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

import tlkit
from tlkit.cli.evaluate import print_tables
from tlkit.cli.options import (
    OPTIONAL_DATASET,
    OVERRIDES,
    OVERWRITE,
    RECIPE,
    given,
    with_options,
)
from tlkit.cli.startup import check_options, load_tensorflow, start_workers
from tlkit.cli.terminal import OUT, Terminal, next_step, print_files, print_line

if TYPE_CHECKING:
    from tlkit.experiments.cv_result import CVResult


@with_options()
def cross_validate(
    dataset: Path = OPTIONAL_DATASET,
    out: Path = typer.Option(
        None, help="Folder to make.  [default: runs/DATASET-BACKBONE-folds-N]"
    ),
    folds: int = typer.Option(None, help="Number of folds.  [default: 5]"),
    repeats: int = typer.Option(None, help="Times the folds are drawn.  [default: 1]"),
    baseline: Path = typer.Option(
        None, help="Compare with the --out of other settings, on the same folds."
    ),
    recipe: str = RECIPE,
    resume: Path = typer.Option(
        None,
        help="Continue these interrupted folds unchanged, or compare finished ones "
        "with --baseline; DATASET only if it was moved.",
    ),
    overwrite: bool = OVERWRITE,
    overrides: list[str] = OVERRIDES,
    **options: Any,
) -> None:
    """Measure settings by cross-validation.

    Reports the mean with its interval, and a prediction for every image. The folds are
    drawn from the training and validation splits together; the test split is not used.
    """
    chosen = given(options)
    start_workers(check_options(chosen, recipe, overrides))
    load_tensorflow()
    with Terminal() as progress:
        found = tlkit.cross_validate(
            dataset,
            out,
            folds=folds,
            repeats=repeats,
            baseline=baseline,
            recipe=recipe,
            resume=resume,
            overrides=overrides or (),
            overwrite=overwrite,
            progress=progress,
            **chosen,
        )
    print_folds(found)


def print_folds(found: CVResult) -> None:
    """Print scores with their intervals, metrics per class, and a comparison."""
    metrics = found.metrics()
    _print_spread(metrics)
    print_tables(metrics["pooled"])
    if "baseline" in metrics:
        _print_comparison(metrics["baseline"])
    files = {
        "oof_predictions.csv": "predictions by networks that have not seen the image",
        "metrics.json": "all metrics",
        "confusion.png": "the confusion matrix",
    }
    print_files(found.directory, files)
    if "baseline" not in metrics:
        next_step(
            "tlkit", "cross-validate", "--recipe", found.directory / "config.yaml",
            "--folds", str(metrics["folds"]), "--repeats", str(metrics["repeats"]),
            "--baseline", found.directory, "ANOTHER_OPTION",
        )  # fmt: skip


def _print_spread(metrics: dict[str, Any]) -> None:
    low, high = metrics["accuracy_ci95"]
    times = f", drawn {metrics['repeats']} times" if metrics["repeats"] > 1 else ""
    OUT.print(
        f"{metrics['folds']} folds{times}: accuracy {metrics['accuracy']:.3f} (95 % "
        f"interval {low:.3f} to {high:.3f}), from fold to fold ± "
        f"{metrics['accuracy_sd']:.3f}, on {metrics['n']} images, macro F1 "
        f"{metrics['macro_f1']:.3f}, loss {metrics['loss']:.3f}"
    )
    print_line(
        f"The interval is {metrics['interval']}. Each image was scored by a network "
        "that it neither trained nor helped to select. If these images were used to "
        "choose the settings, the score is optimistic."
    )


def _print_comparison(paired: dict[str, Any]) -> None:
    low, high = paired["accuracy_ci95"]
    least, most = paired["accuracy_bootstrap_ci95"]
    OUT.print(
        f"against {paired['directory']}: accuracy {paired['accuracy']:+.3f} "
        f"[{low:+.3f}, {high:+.3f}] over the same folds (p = {paired['p']:.2g}), "
        f"[{least:+.3f}, {most:+.3f}] over images; loss {paired['loss']:+.3f} "
        f"[{paired['loss_ci95'][0]:+.3f}, {paired['loss_ci95'][1]:+.3f}]"
    )
    if paired["within_noise"]:
        print_line("The difference in accuracy is within the noise.")
    else:
        word = "better" if paired["accuracy"] > 0 else "worse"
        print_line(f"These settings are {word} in accuracy, beyond the noise.")
