"""What cross-validation has measured, on the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tlkit.cli.evaluate import print_tables
from tlkit.cli.terminal import ERR, OUT, next_step

if TYPE_CHECKING:
    from tlkit.experiments.cv_result import CVResult


def print_folds(found: CVResult) -> None:
    """Print scores with their intervals, figures a class, and a comparison.

    Args:
        found: Finished.
    """
    metrics = found.metrics()
    print_spread(metrics)
    print_tables(metrics["pooled"])
    if "against" in metrics:
        print_against(metrics["against"])
    files = {
        "oof.csv": "the answers for every image by a network that has not seen it",
        "metrics.json": "all figures",
        "confusion.png": "the confusion matrix",
    }
    for name, what in files.items():
        ERR.print(f"{found.directory / name}: {what}", markup=False, highlight=False)
    if "against" not in metrics:
        next_step(
            "tlkit", "finetune", "--recipe", found.directory / "config.yaml",
            "--folds", str(metrics["folds"]), "--repeats", str(metrics["repeats"]),
            "--against", found.directory, "ANOTHER_OPTION",
        )  # fmt: skip


def print_spread(metrics: dict[str, Any]) -> None:
    """Print the mean over folds with its interval and spread.

    Args:
        metrics: As of `CVResult`.
    """
    low, high = metrics["accuracy_ci95"]
    times = f", drawn {metrics['repeats']} times" if metrics["repeats"] > 1 else ""
    OUT.print(
        f"{metrics['folds']} folds{times}: accuracy {metrics['accuracy']:.3f} (95 % "
        f"interval {low:.3f} to {high:.3f}), from fold to fold ± "
        f"{metrics['accuracy_sd']:.3f}, on {metrics['n']} images, macro F1 "
        f"{metrics['macro_f1']:.3f}, loss {metrics['loss']:.3f}",
        highlight=False,
    )
    ERR.print(
        f"The interval is {metrics['interval']}. No image was scored that had "
        "trained or chosen anything in its fold; settings that were found on these "
        "images make it too good.",
        highlight=False,
    )


def print_against(against: dict[str, Any]) -> None:
    """Print how two configurations differ, and whether that means anything.

    Args:
        against: As `tlkit.experiments.paired_test.compare` gives it.
    """
    low, high = against["accuracy_ci95"]
    least, most = against["accuracy_bootstrap_ci95"]
    OUT.print(
        f"against {against['directory']}: accuracy {against['accuracy']:+.3f} "
        f"[{low:+.3f}, {high:+.3f}] over the same folds (p = {against['p']:.2g}), "
        f"[{least:+.3f}, {most:+.3f}] over images; loss {against['loss']:+.3f} "
        f"[{against['loss_ci95'][0]:+.3f}, {against['loss_ci95'][1]:+.3f}]",
        markup=False,
        highlight=False,
    )
    if against["within_noise"]:
        ERR.print("In accuracy the difference is within the noise.", highlight=False)
    else:
        word = "better" if against["accuracy"] > 0 else "worse"
        ERR.print(f"In accuracy this one is {word}, beyond the noise.", highlight=False)
