"""A data set, and a run for its mistakes, in; a work folder for labelme out."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from tlkit.dataset.annotate import Work, write_work
from tlkit.dataset.manifest import Manifest
from tlkit.dataset.offers import WHAT, left_out, paths_of
from tlkit.errors import UsageError, unknown_name
from tlkit.run.mistakes import mistakes
from tlkit.run.record import Run


def annotate(
    data: Path | str,
    work: Path | str,
    *,
    what: str = "rejected",
    run: Run | Path | str | None = None,
    overwrite: bool = False,
) -> Work:
    """Make a folder to correct some pictures in with labelme.

    `prepare(..., corrections=work)` takes in what was changed there.

    Args:
        data: A data set directory.
        work: The folder to make, outside of the photos.
        what: "rejected", "conflicts", "unlabelled" or "mistakes".
        run: For mistakes, a run that was evaluated, or its directory.
        overwrite: Replace an earlier work folder and all that was changed in it.

    Returns:
        What was written.

    Raises:
        DatasetError: The data set cannot be read.
        RunError: The run was not evaluated, or is of another data set.
        UsageError: A wrong option, or a place that must not be written to.

    Example:
        annotate("data", "work", what="conflicts")
    """
    if what not in WHAT:
        error = unknown_name("thing to annotate (what)", what, WHAT)
        raise error
    if (what == "mistakes") != (run is not None):
        raise UsageError(
            "A run is given for mistakes, and for nothing else. Received: "
            f"what={what!r}, {'no run' if run is None else f'run={str(run)!r}'}.",
            hint="Say --what mistakes --run RUN, or leave --run away.",
        )
    if run is None:
        manifest = Manifest.read(data)
        paths = paths_of(manifest, what)
    else:
        run = run if isinstance(run, Run) else Run.read(run)
        manifest = run.manifest(data)
        paths = mistakes(run.directory)
    made = write_work(manifest, Path(work), paths, overwrite=overwrite)
    left = left_out(manifest, paths) if what == "rejected" else ()
    return dataclasses.replace(made, left=tuple(left))
