"""tlkit prepare: a folder of photos to a data set directory."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.table import Table

from tlkit.cli.terminal import ERR, OUT, Terminal, load_tensorflow, next_step
from tlkit.errors import UsageError

if TYPE_CHECKING:
    from tlkit import Manifest


def prepare(
    source: Path = typer.Argument(
        ..., help="Folder of photos, archive of one, table, or annotation file."
    ),
    out: Path = typer.Option(..., help="Data set directory to make."),
    source_format: str = typer.Option(
        "auto",
        "--from",
        help="How the photos are labeled: auto | folders | labelme | coco | yolo | "
        "voc | via | masks | csv | quickdraw.",
    ),
    label_by: str = typer.Option(
        None,
        help="image | shapes: an example an image, or a crop for each shape.  "
        "[default: image, if images have labels]",
    ),
    multi_label: bool = typer.Option(
        False, "--multi-label", help="Keep several labels of an image."
    ),
    pad: float = typer.Option(
        0.0, help="Margin around a shape, as a share of its longer side."
    ),
    min_size: int = typer.Option(8, help="Shapes of fewer pixels across are left out."),
    attribute: str = typer.Option(
        None, help="For VIA, the attribute that is the label; else the only one."
    ),
    column: list[str] = typer.Option(
        [],
        help="For tables, ROLE=NAME: the column that is path, label, split, group or "
        "a side of a box; repeatable.  [default: by their usual names]",
    ),
    separator: str = typer.Option(
        None, help="For tables, what stands between several labels."
    ),
    limit: int = typer.Option(None, help="For drawings, at most so many a class."),
    allow_outside: bool = typer.Option(
        False,
        "--allow-outside",
        help="Read what links and annotations name outside of SOURCE.",
    ),
    val: float = typer.Option(
        None, help="Share that chooses the epoch.  [default: 0.15]"
    ),
    test: float = typer.Option(
        None, help="Share held back for the test.  [default: 0.15]"
    ),
    seed: int = typer.Option(0, help="Seed of the split."),
    group_by: str = typer.Option(
        None,
        help="folder | burst | COLUMN | PATTERN: what stays on one side, as the frames "
        "of a clip. burst goes by EXIF time, PATTERN is searched in the path.",
    ),
    near: bool = typer.Option(True, help="Look for near copies, too."),
    turned: bool = typer.Option(
        False, "--turned", help="Look for turned and mirrored copies, too."
    ),
    similar: str = typer.Option(
        None,
        metavar="BACKBONE",
        help="Keep images together that show nearly the same, by the features of "
        "this network.",
    ),
    similar_weights: str = typer.Option(
        None,
        help="imagenet | own | none | weights file, of that network.  [default: own if "
        "it brings some, as nano, else imagenet]",
    ),
    similar_above: float = typer.Option(
        0.9, help="Cosine of the features of two such images, at least."
    ),
    keep_conflicts: bool = typer.Option(
        False,
        "--keep-conflicts",
        help="Keep images that stand under two labels.",
    ),
    corrections: Path = typer.Option(
        None, help="A work folder of tlkit annotate: take in what was changed there."
    ),
    workers: int = typer.Option(
        None,
        help="Processes that read images, 0 for none.  [default: one a processor]",
    ),
    overwrite: bool = typer.Option(
        False,
        "--overwrite",
        help="Draw the split of an earlier data set in --out again; else it is kept.",
    ),
) -> None:
    """Check, deduplicate and split photos; they stay where they are."""
    import tlkit

    if similar is not None:
        load_tensorflow()
    with Terminal() as progress:
        features = similar and tlkit.embedder(
            similar, weights=similar_weights, workers=workers, progress=progress
        )
        manifest = tlkit.prepare(
            source,
            out,
            source=source_format,
            label_by=label_by,
            multi_label=multi_label,
            pad=pad,
            min_size=min_size,
            attribute=attribute,
            columns=_columns(column),
            separator=separator,
            limit=limit,
            allow_outside=allow_outside,
            val=val,
            test=test,
            seed=seed,
            group_by=group_by,
            near=near,
            turned=turned,
            similar=features or None,
            similar_above=similar_above,
            keep_conflicts=keep_conflicts,
            corrections=corrections,
            workers=workers,
            overwrite=overwrite,
            progress=progress,
        )
    _print_summary(manifest)
    next_step("tlkit", "finetune", out)


def _columns(given: list[str]) -> dict[str, str]:
    roles = {}
    for text in given:
        role, found, name = text.partition("=")
        if not found or role in roles:
            raise UsageError(
                f"--column takes ROLE=NAME, once a role. Received: {text!r}.",
                hint="For example --column label=species --column group=patient.",
            )
        roles[role] = name
    return roles


def _print_summary(manifest: Manifest) -> None:
    splits = [split for split in ("train", "val", "test") if manifest.of(split)]
    table = Table(box=None, header_style="bold")
    table.add_column("class")
    for split in (*splits, "all"):
        table.add_column(split, justify="right")
    counts = manifest.counts()
    for label in manifest.labels:
        row = [counts[label].get(split, 0) for split in splits]
        table.add_row(label, *(str(n) for n in (*row, sum(row))))
    totals = [len(manifest.of(split)) for split in splits]
    table.add_section()
    table.add_row("all", *(str(n) for n in (*totals, sum(totals))), style="bold")
    OUT.print(table)
    counts = manifest.info["counts"]
    reasons = ", ".join(f"{n} {reason}" for reason, n in counts["rejected"].items())
    more = "".join(
        f"{counts[f'{kind}_groups']} of {kind} ones, "
        for kind in ("turned", "similar")
        if manifest.info["options"][kind]
    )
    OUT.print(
        f"files: {counts['found']} found, {counts['used']} used (images and "
        f"annotations), rejected: {reasons or 'none'}\n"
        f"copies: {counts['exact_copies']} exact left out, {counts['near_groups']} "
        f"groups of near ones kept together, {more}{counts['conflicts']} images "
        f"under two labels, {counts['leaks']} removed as leaks",
        highlight=False,
    )
    ERR.print(
        f"{manifest.directory}: manifest.csv, labels.txt, dataset.json, rejected.csv, "
        "notes.csv, duplicates.csv, report.html",
        markup=False,
        highlight=False,
    )
    report = manifest.directory / "report.html"
    ERR.print(f"Look: {report}", style="bold", markup=False, highlight=False)
