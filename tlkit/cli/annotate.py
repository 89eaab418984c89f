"""tlkit annotate: labels corrected in labelme."""

from __future__ import annotations

import shlex
import subprocess
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import typer

import tlkit
from tlkit.cli.options import DATASET
from tlkit.cli.startup import load_tensorflow
from tlkit.cli.terminal import ERR, OUT, next_step, print_line, print_warning

if TYPE_CHECKING:
    from tlkit.dataset.records import Rejected

# Files that are named for one reason.
NAMED = 10


def annotate(
    data: Path = DATASET,
    out: Path = typer.Option(..., help="Folder to make, outside of the photos."),
    select: Literal[
        "rejected", "conflicts", "unlabeled", "errors", "label-issues"
    ] = typer.Option("rejected", help="Images to correct."),
    run: Path = typer.Option(None, help="For errors: an evaluated run."),
    label_issues: Path = typer.Option(
        None, help="For label-issues: the --out folder of tlkit label-issues."
    ),
    start: bool = typer.Option(True, help="Start labelme, if it is installed."),
    overwrite: bool = typer.Option(
        False, "--overwrite", help="Replace an earlier folder with all changes in it."
    ),
) -> None:
    """Correct labels in labelme.

    tlkit prepare --corrections applies the corrections.
    """
    from tlkit.dataset.annotate.annotate import labelme_command
    from tlkit.dataset.rerun import source_words

    if run is not None or label_issues is not None:
        load_tensorflow()
    made = tlkit.annotate(
        data,
        out,
        select=select,
        run=run,
        label_issues=label_issues,
        overwrite=overwrite,
    )
    for image in made.unreadable[:NAMED]:
        print_warning(f"{image.file} cannot be shown: {image.detail}")
    if (more := len(made.unreadable) - NAMED) > 0:
        print_warning(f"... and {more} more.")
    number = "1 image" if made.images == 1 else f"{made.images} images"
    OUT.print(f"{select}: {number} to correct")
    _print_left_out(made.left_out)
    if not made.images:
        return
    command = labelme_command(made.directory)
    if command is None:
        print_line(
            "labelme is not installed. Install it in the folder of tlkit: "
            '.venv/bin/pip install ".[annotate]"'
        )
    elif start:
        _start(command)
    else:
        next_step(*command)
    words = source_words(tlkit.Manifest.read(data))
    if words is None:
        line = f"Next: prepare in Python, as before and with corrections={str(out)!r}"
        ERR.print(line, style="bold")
        return
    source, *options = words
    next_step("tlkit", "prepare", source, "--out", data, "--corrections", out, *options)


def _print_left_out(rows: Sequence[Rejected]) -> None:
    if not rows:
        return
    print_line("Not selected, because labelme cannot correct them:")
    files: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        files[row.reason].append(row.file)
    for reason, names in files.items():
        more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
        print_line(f"  {len(names)} {reason}: {', '.join(names[:NAMED])}{more}")


def _start(command: list[str]) -> None:
    print_line(f"Running {shlex.join(command)}")
    code = subprocess.run(command, check=False).returncode
    if code:
        print_warning(f"labelme ended with code {code}.")
