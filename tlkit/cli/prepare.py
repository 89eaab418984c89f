"""tlkit prepare: a data set directory made of a folder of photos."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import typer

import tlkit
from tlkit.cli.options import (
    ALLOW_OUTSIDE,
    ATTRIBUTE,
    COLUMN,
    FORMAT,
    LIMIT,
    SEPARATOR,
    WORKERS,
    Format,
    columns_by_role,
)
from tlkit.cli.startup import load_tensorflow
from tlkit.cli.terminal import OUT, Terminal, next_step, print_line, table

if TYPE_CHECKING:
    from tlkit import Manifest


def prepare(
    source: Path = typer.Argument(
        ..., help="Folder of photos, archive of one, table, or annotation file."
    ),
    out: Path = typer.Option(..., help="Data set directory to make."),
    source_format: Format = FORMAT,
    label_by: Literal["image", "shapes"] = typer.Option(
        None,
        help="One example per image, or a crop for each shape.  [default: image, if "
        "images have labels]",
    ),
    multi_label: bool = typer.Option(
        False, "--multi-label", help="Keep several labels of an image."
    ),
    pad: float = typer.Option(
        0.0, help="Margin around a shape, as a share of its longer side."
    ),
    min_size: int = typer.Option(8, help="Leave out shapes of fewer pixels across."),
    attribute: str = ATTRIBUTE,
    column: list[str] = COLUMN,
    separator: str = SEPARATOR,
    limit: int = LIMIT,
    allow_outside: bool = ALLOW_OUTSIDE,
    val: float = typer.Option(
        None,
        help="Validation split, as a share of the images; it selects the epoch.  "
        "[default: 0.15]",
    ),
    test: float = typer.Option(
        None, help="Test split, as a share of the images.  [default: 0.15]"
    ),
    seed: int = typer.Option(0, help="Seed of the split."),
    group_by: str = typer.Option(
        None,
        help="folder | burst | COLUMN | PATTERN: keep groups in one split, such as the "
        "frames of a clip. burst uses the EXIF time, PATTERN is searched in the path.",
    ),
    near: bool = typer.Option(True, help="Also look for near-duplicates."),
    rotated: bool = typer.Option(
        False, "--rotated", help="Also look for rotated or flipped duplicates."
    ),
    similar: str = typer.Option(
        None,
        metavar="BACKBONE",
        help="Keep similar images in one split, by the features of this network.",
    ),
    similar_weights: str = typer.Option(
        None,
        help="imagenet | own | none | FILE: weights of that network.  [default: own if "
        "it brings some, such as nano, else imagenet]",
    ),
    similar_above: float = typer.Option(
        0.9, help="Least cosine similarity of the features of similar images."
    ),
    keep_conflicts: bool = typer.Option(
        False,
        "--keep-conflicts",
        help="Keep images with two labels.",
    ),
    corrections: Path = typer.Option(
        None, help="Annotation folder of tlkit annotate, with corrected labels."
    ),
    workers: int = WORKERS,
    overwrite: bool = typer.Option(
        False,
        "--overwrite",
        help="Draw the split of an existing data set in --out again; else it is kept.",
    ),
) -> None:
    """Check, deduplicate and split photos.

    The photos stay where they are; the data set directory refers to them.
    """
    if similar is not None:
        load_tensorflow()
    with Terminal() as progress:
        features = similar and tlkit.embedder(
            similar, weights=similar_weights, workers=workers, progress=progress
        )
        manifest = tlkit.prepare(
            source,
            out,
            format=source_format,
            label_by=label_by,
            multi_label=multi_label,
            pad=pad,
            min_size=min_size,
            attribute=attribute,
            columns=columns_by_role(column),
            separator=separator,
            limit=limit,
            allow_outside=allow_outside,
            val=val,
            test=test,
            seed=seed,
            group_by=group_by,
            near=near,
            rotated=rotated,
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


def _print_summary(manifest: Manifest) -> None:
    splits = [split for split in ("train", "val", "test") if manifest.of(split)]
    made = table("class", *(f">{split}" for split in (*splits, "all")))
    counts = manifest.counts()
    for label in manifest.labels:
        row = [counts[label].get(split, 0) for split in splits]
        made.add_row(label, *(str(n) for n in (*row, sum(row))))
    totals = [len(manifest.of(split)) for split in splits]
    made.add_section()
    made.add_row("all", *(str(n) for n in (*totals, sum(totals))), style="bold")
    OUT.print(made)
    counts = manifest.info["counts"]
    reasons = ", ".join(f"{n} {reason}" for reason, n in counts["rejected"].items())
    more = "".join(
        f"{counts[f'{kind}_groups']} of {kind} ones, "
        for kind in ("rotated", "similar")
        if manifest.info["options"][kind]
    )
    OUT.print(
        f"files: {counts['found']} found, {counts['used']} used (images and "
        f"annotations), rejected: {reasons or 'none'}\n"
        f"duplicates: {counts['exact_duplicates']} exact left out, "
        f"{counts['near_groups']} groups of near ones kept together, {more}"
        f"{counts['conflicts']} images with two labels, {counts['leaks']} removed as "
        "leaks"
    )
    print_line(
        f"{manifest.directory}: manifest.csv, labels.txt, dataset.json, rejected.csv, "
        "notes.csv, duplicates.csv, report.html"
    )
    print_line(f"Look: {manifest.directory / 'report.html'}", "bold")
