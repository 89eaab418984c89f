"""tlkit compare: networks, sizes and cuts by accuracy and cost."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import typer

import tlkit
from tlkit.cli.options import DATASET, OVERWRITE, given, with_options
from tlkit.cli.startup import load_tensorflow
from tlkit.cli.terminal import OUT, Terminal, next_step, print_files, print_line, table
from tlkit.config import Scope, default_of
from tlkit.errors import UsageError

if TYPE_CHECKING:
    from tlkit.experiments.comparison import Comparison, Entry

# Rows that are shown; all are in compare.csv.
SHOWN = 40
BACKBONE = default_of("backbone")
COLUMNS = ("accuracy", "95 %", "F1", "to the best", "95 %", "ms", "GFLOP", "MB")


@with_options(scope=Scope.FEATURES, without=("backbone", "size", "cut", "weights"))
def compare(
    dataset: Path = DATASET,
    out: Path = typer.Option(
        None, help="Directory to make.  [default: compare/DATASET-N]"
    ),
    overwrite: bool = OVERWRITE,
    backbone: list[str] = typer.Option(
        None,
        help=f"Network; see tlkit backbones. Repeatable.  [default: {BACKBONE}]",
    ),
    size: list[int] = typer.Option(
        None, help="Image size in pixels; repeatable.  [default: the native size]"
    ),
    cut: list[str] = typer.Option(
        ["good"],
        help="Layer, good (those that tlkit backbones show marks) or all; repeatable.",
    ),
    pooling: list[str] = typer.Option(
        ["gap", "gmp", "gap_gmp"], help="Pooling of the feature map; repeatable."
    ),
    weights: list[str] = typer.Option(
        None,
        help="imagenet | own | none | FILE, or BACKBONE=FILE for one of several; "
        "repeatable.  [default: own if it brings some, such as nano, else imagenet]",
    ),
    cost: Literal["ms", "gflop", "mb"] = typer.Option(
        "ms", help="Measure of the cheapest."
    ),
    folds: int | None = typer.Option(
        None,
        help="Folds of the cross-validation.  [default: 5, or as many as the smallest "
        "class allows]",
    ),
    **options: Any,
) -> None:
    """Compare networks, sizes, cuts and poolings.

    Accuracy and cost of linear probes on frozen features, cross-validated on the
    training and validation splits together; the test split is not used.
    """
    chosen = _weights(weights or [])
    load_tensorflow()
    with Terminal() as progress:
        found = tlkit.compare(
            dataset,
            out,
            backbones=backbone or (),
            cuts=cut,
            sizes=size or (),
            poolings=pooling,
            weights=chosen,
            cost=cost,
            folds=folds,
            overwrite=overwrite,
            progress=progress,
            **given(options),
        )
    _print_table(found)
    _print_advice(found)
    files = {
        "compare.csv": "every row",
        "compare.json": "the same for programs",
        "compare.png": "accuracy against cost",
    }
    print_files(found.directory, files)
    next_step(*found.command)


def _weights(texts: list[str]) -> str | dict[str, str] | None:
    """Return weights for all backbones or for each; None if none were given."""
    named = dict(one.split("=", 1) for one in texts if "=" in one)
    plain = [one for one in texts if "=" not in one]
    if named and not [one for one in plain if one != "imagenet"]:
        return named
    if named or len(plain) > 1:
        raise UsageError(
            f"Each of several --weights needs its backbone, got {', '.join(texts)}.",
            hint="For example --weights mobilenetv2=FILE --weights inception=FILE.",
        )
    return plain[0] if plain else None


def _print_table(found: Comparison) -> None:
    measured = [(i, entry) for i, entry in enumerate(found.entries) if not entry.failed]
    shown = measured
    if len(measured) > SHOWN:
        best = sorted(measured, key=lambda row: -row[1].accuracy.value)[:SHOWN]
        keep = {found.best, found.cheapest, *(i for i, _ in best)}
        shown = [row for row in measured if row[0] in keep]
    made = table(
        *("backbone", "px", "cut", "pooling"),
        *(f">{column}" for column in COLUMNS),
        "",
        no_wrap=True,
    )
    for number, entry in shown:
        marks = [m for m in ("best", "cheapest") if getattr(found, m) == number]
        made.add_row(*_cells(entry), ", ".join(marks))
    OUT.print(made)
    if len(shown) < len(measured):
        print_line(f"{len(measured) - len(shown)} more rows are in compare.csv")
    if failed := sum(bool(entry.failed) for entry in found.entries):
        print_line(f"{failed} left out, for the reasons above and in compare.csv")


def _cells(entry: Entry) -> list[str]:
    mark = " =" if entry.within_noise else "  "
    return [
        entry.backbone,
        str(entry.size),
        entry.cut,
        entry.pooling,
        f"{entry.accuracy.value:.3f}",
        f"{entry.accuracy.low:.3f}-{entry.accuracy.high:.3f}",
        f"{entry.macro_f1:.3f}",
        f"{entry.difference.value:+.3f}{mark}",
        f"{entry.difference.low:+.3f} {entry.difference.high:+.3f}",
        f"{entry.ms:.1f}",
        f"{entry.gflop:.2f}",
        f"{entry.mb:.1f}",
    ]


def _print_advice(found: Comparison) -> None:
    print_line(
        "=: the interval of the difference to the best contains 0: not significant. "
        "ms: one image, float32 Keras, this machine."
    )
    best, cheapest = found.optimism
    _print_choice("Best", found.entries[found.best], best)
    title = f"Cheapest ({found.cost}) within one standard error of it"
    if found.cheapest == found.best:
        print_line(f"{title}: the same")
    else:
        _print_choice(title, found.entries[found.cheapest], cheapest)


def _print_choice(title: str, entry: Entry, optimism: float) -> None:
    accuracy = entry.accuracy.value
    print_line(
        f"{title}: {entry.backbone} at {entry.size} px up to {entry.cut}, "
        f"{entry.pooling}. It was selected by its accuracy {accuracy:.3f}: on new "
        f"images expect {accuracy - optimism:.3f}"
    )
