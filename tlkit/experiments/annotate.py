"""A data set, and what is said of its labels, in; a work folder for labelme out."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from tlkit.dataset.annotate.annotate import Work, write_work
from tlkit.dataset.annotate.select import WHAT, left_out, paths_of
from tlkit.dataset.manifest import Manifest
from tlkit.errors import UsageError, unknown_name
from tlkit.evaluation.report import read_errors
from tlkit.experiments.label_issues import LabelIssues
from tlkit.runs.result_dir import Run


def annotate(
    data: Path | str,
    work: Path | str,
    *,
    what: str = "rejected",
    run: Run | Path | str | None = None,
    label_issues: LabelIssues | Path | str | None = None,
    overwrite: bool = False,
) -> Work:
    """Make a folder to correct some images in with labelme.

    `prepare(..., corrections=work)` takes in what was changed there.

    Args:
        data: A data set directory.
        work: The folder to make, outside of the photos.
        what: "rejected", "conflicts", "unlabeled" or "mistakes".
        run: For mistakes, a run that was evaluated, or its directory.
        label_issues: For mistakes instead, what `tlkit.label_issues` found, or its
            folder.
        overwrite: Replace an earlier work folder and all that was changed in it.

    Returns:
        What was written.

    Raises:
        DatasetError: The data set cannot be read.
        RunError: The run was not evaluated, or it or the label issues are of another
            data set.
        UsageError: A wrong option, or a place that must not be written to.

    Example:
        annotate("data", "work", what="conflicts")
    """
    if what not in WHAT:
        error = unknown_name("thing to annotate (what)", what, WHAT)
        raise error
    if (run is not None) + (label_issues is not None) != (what == "mistakes"):
        given = {"run": run, "label_issues": label_issues}
        told = [f"{name}={str(v)!r}" for name, v in given.items() if v is not None]
        raise UsageError(
            "Mistakes are those of a run or the label issues of a data set, one of "
            f"both; nothing else takes either. Received: what={what!r}, "
            f"{', '.join(told) or 'neither'}.",
            hint="Say --what mistakes --run RUN, or --what mistakes --label-issues "
            "FOLDER.",
        )
    if run is not None:
        run = run if isinstance(run, Run) else Run.read(run)
        manifest, paths = run.manifest(data), read_errors(run.directory)
    elif label_issues is not None:
        if not isinstance(label_issues, LabelIssues):
            label_issues = LabelIssues.read(label_issues)
        manifest, paths = label_issues.manifest(data), label_issues.paths
    else:
        manifest = Manifest.read(data)
        paths = paths_of(manifest, what)
    made = write_work(manifest, Path(work), paths, overwrite=overwrite)
    left = left_out(manifest, paths) if what == "rejected" else ()
    return dataclasses.replace(made, left=tuple(left))
