"""tlkit compare: which network, size and cut suit a data set, and what they cost."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.table import Table

from tlkit.cli.terminal import ERR, OUT, Terminal, load_tensorflow, next_step
from tlkit.config import default_of
from tlkit.errors import UsageError

if TYPE_CHECKING:
    from tlkit.experiments.comparison import Comparison, Entry

# Rows that are shown; all are in compare.csv.
SHOWN = 40
BACKBONE = default_of("backbone")
COLUMNS = ("accuracy", "95 %", "F1", "to the best", "95 %", "ms", "GFLOP", "MB")


def compare(
    dataset: Path = typer.Argument(..., help="What tlkit prepare wrote."),
    out: Path = typer.Option(
        None, help="Directory to make.  [default: compare/DATASET-N]"
    ),
    overwrite: bool = typer.Option(
        False, "--overwrite", help="Replace an earlier comparison in --out."
    ),
    backbone: list[str] = typer.Option(
        None,
        help=f"Network; see tlkit backbones. Repeatable.  [default: {BACKBONE}]",
    ),
    size: list[int] = typer.Option(
        None, help="Side of the images in pixels; repeatable.  [default: the native]"
    ),
    cut: list[str] = typer.Option(
        ["good"],
        help="Layer, good (those that tlkit layers marks) or all with a finished map; "
        "repeatable.",
    ),
    pooling: list[str] = typer.Option(
        ["gap", "gmp", "gap_gmp"], help="How a head pools the map; repeatable."
    ),
    preprocessing: str = typer.Option(
        None, help="For networks of your own, as in finetune."
    ),
    weights: list[str] = typer.Option(
        None,
        help="imagenet | own | none | FILE, or BACKBONE=FILE for one of several; "
        "repeatable.  [default: own if it brings some, as nano, else imagenet]",
    ),
    cost: str = typer.Option(
        "ms", help="ms | gflop | mb: by which the cheapest is meant."
    ),
    folds: int | None = typer.Option(
        None,
        help="Of the cross-validation.  [default: 5, or as many as the smallest class "
        "allows]",
    ),
    resize: str = typer.Option(
        default_of("resize"), help="squash | crop | pad: how images get square."
    ),
    seed: int = typer.Option(default_of("seed"), help="Of the folds."),
    workers: int = typer.Option(
        None, help="Processes, 0 for none.  [default: one a processor]"
    ),
    device: str = typer.Option(default_of("device"), help="auto | cpu | gpu."),
    engine: str = typer.Option(
        default_of("engine"), help="auto | openvino | keras: computes the features."
    ),
    cache: bool = typer.Option(True, help="Keep the features; see tlkit cache."),
) -> None:
    """Compare networks, sizes, cuts and poolings by accuracy and cost.

    Linear probes on frozen features, cross-validated on the training and validation
    splits together; the test split is not used.
    """
    import tlkit

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
            preprocessing=preprocessing,
            cost=cost,
            folds=folds,
            overwrite=overwrite,
            progress=progress,
            resize=resize,
            seed=seed,
            workers=workers,
            device=device,
            engine=engine,
            cache=cache,
        )
    _print_table(found)
    _print_advice(found)
    for name, what in (
        ("compare.csv", "every row"),
        ("compare.json", "the same for programs"),
        ("compare.png", "accuracy against cost"),
    ):
        ERR.print(f"{found.directory / name}: {what}", markup=False, highlight=False)
    next_step(*found.command)


def _weights(given: list[str]) -> str | dict[str, str] | None:
    """One for all backbones, or one each; None if nothing was said."""
    named = dict(one.split("=", 1) for one in given if "=" in one)
    plain = [one for one in given if "=" not in one]
    if named and not [one for one in plain if one != "imagenet"]:
        return named
    if named or len(plain) > 1:
        raise UsageError(
            f"--weights: got {', '.join(given)}; of several, each needs its backbone.",
            hint="--weights mobilenetv2=FILE --weights inception=FILE",
        )
    return plain[0] if plain else None


def _print_table(found: Comparison) -> None:
    measured = [(i, entry) for i, entry in enumerate(found.entries) if not entry.failed]
    shown = measured
    if len(measured) > SHOWN:
        best = sorted(measured, key=lambda row: -row[1].accuracy.value)[:SHOWN]
        keep = {found.best, found.cheapest, *(i for i, _ in best)}
        shown = [row for row in measured if row[0] in keep]
    table = Table(box=None, header_style="bold")
    for column in ("backbone", "px", "cut", "pooling"):
        table.add_column(column, no_wrap=True)
    for column in COLUMNS:
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("")
    for number, entry in shown:
        marks = [
            mark
            for mark, at in (("best", found.best), ("cheapest", found.cheapest))
            if at == number
        ]
        table.add_row(*_cells(entry), ", ".join(marks))
    OUT.print(table)
    if len(shown) < len(measured):
        ERR.print(f"{len(measured) - len(shown)} rows more are in compare.csv")
    if failed := sum(bool(entry.failed) for entry in found.entries):
        ERR.print(f"{failed} left out, for the reasons told above and in compare.csv")


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
    ERR.print(
        "=: the interval of the difference to the best has 0 in it, chance can explain "
        "it. ms: one image, float32 Keras, this machine.",
        highlight=False,
    )
    for what, number, optimism in (
        ("Best", found.best, found.optimism[0]),
        (
            f"Cheapest ({found.cost}) within one standard error of it",
            found.cheapest,
            found.optimism[1],
        ),
    ):
        entry = found.entries[number]
        if what != "Best" and number == found.best:
            ERR.print(f"{what}: the same", markup=False, highlight=False)
            continue
        ERR.print(
            f"{what}: {entry.backbone} at {entry.size} px up to {entry.cut}, "
            f"{entry.pooling}. Accuracy {entry.accuracy.value:.3f}, by which it was "
            f"chosen: on new images expect {entry.accuracy.value - optimism:.3f}",
            markup=False,
            highlight=False,
        )
