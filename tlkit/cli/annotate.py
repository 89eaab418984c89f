"""tlkit annotate: images to correct in labelme."""

from __future__ import annotations

import shlex
import subprocess
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

import tlkit
from tlkit.cli.terminal import ERR, OUT, next_step

if TYPE_CHECKING:
    from tlkit.dataset.records import Rejected

# So many images that cannot be shown are named, and not offered for one reason.
NAMED = 10


def annotate(
    data: Path = typer.Argument(..., help="Data set directory."),
    out: Path = typer.Option(..., help="Work folder to make, outside of the photos."),
    what: str = typer.Option(
        "rejected", help="rejected | conflicts | unlabeled | mistakes: which images."
    ),
    run: Path = typer.Option(None, help="For mistakes: a run that was evaluated."),
    label_issues: Path = typer.Option(
        None, help="For mistakes instead: the --out folder of tlkit label-issues."
    ),
    start: bool = typer.Option(True, help="Start labelme, if it is installed."),
    overwrite: bool = typer.Option(
        False, "--overwrite", help="Replace an earlier work folder with its changes."
    ),
) -> None:
    """Correct labels in labelme.

    tlkit prepare --corrections takes the corrections in.
    """
    from tlkit.dataset.annotate.annotate import labelme_command
    from tlkit.dataset.rerun import source_words

    work = tlkit.annotate(
        data, out, what=what, run=run, label_issues=label_issues, overwrite=overwrite
    )
    for image in work.unseen[:NAMED]:
        _warn(f"warning: {image.file} cannot be shown: {image.detail}")
    if (more := len(work.unseen) - NAMED) > 0:
        _warn(f"... and {more} more.")
    number = "1 image" if work.images == 1 else f"{work.images} images"
    OUT.print(f"{what}: {number} to look at", highlight=False)
    _tell_left(work.left)
    if not work.images:
        return
    command = labelme_command(work.directory)
    if command is None:
        ERR.print(
            "labelme is not installed. In the folder of tlkit: "
            '.venv/bin/pip install ".[annotate]"',
            markup=False,
            highlight=False,
        )
    elif start:
        _start(command)
    else:
        next_step(*command)
    words = source_words(tlkit.Manifest.read(data))
    if words is None:
        line = f"Next: prepare in Python, as before and with corrections={str(out)!r}"
        ERR.print(line, style="bold", markup=False, highlight=False)
        return
    source, *options = words
    taken = ("--out", data, "--corrections", out)
    next_step("tlkit", "prepare", source, *taken, *options)


def _tell_left(left: Sequence[Rejected]) -> None:
    if not left:
        return
    ERR.print("Not offered, for labelme mends nothing about them:", highlight=False)
    files: dict[str, list[str]] = defaultdict(list)
    for rejection in left:
        files[rejection.reason].append(rejection.file)
    for reason, names in files.items():
        more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
        line = f"  {len(names)} {reason}: {', '.join(names[:NAMED])}{more}"
        ERR.print(line, markup=False, highlight=False)


def _warn(line: str) -> None:
    ERR.print(line, style="yellow", markup=False, highlight=False)


def _start(command: list[str]) -> None:
    ERR.print(f"Running {shlex.join(command)}", markup=False, highlight=False)
    code = subprocess.run(command, check=False).returncode
    if code:
        ERR.print(f"labelme ended with code {code}.", style="yellow", highlight=False)
