"""The annotation folder of selected images of a data set, a run or label issues."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

from tlkit.dataset.annotate.annotate import AnnotationFolder, write_folder
from tlkit.dataset.annotate.select import SELECTIONS, not_selected
from tlkit.dataset.annotate.select import select as select_images
from tlkit.dataset.manifest import Manifest
from tlkit.errors import UsageError, unknown_name

# The other selections do not wait for TensorFlow, which these modules import.
if TYPE_CHECKING:
    from tlkit.experiments.label_issues import LabelIssues
    from tlkit.runs.run import Run


def annotate(
    data: Path | str,
    out: Path | str,
    *,
    select: str = "rejected",
    run: Run | Path | str | None = None,
    label_issues: LabelIssues | Path | str | None = None,
    overwrite: bool = False,
) -> AnnotationFolder:
    """Make a folder to correct some images of a data set in with labelme.

    `prepare(..., corrections=out)` applies the changes made there.

    Args:
        data: A data set directory.
        out: The folder to make, outside of the photos.
        select: "rejected", "conflicts", "unlabeled", "errors" or "label-issues".
        run: For errors, an evaluated run or its directory.
        label_issues: For label-issues, the result of `tlkit.label_issues`, or its
            folder.
        overwrite: Replace an earlier annotation folder with all changes in it.

    Returns:
        The folder.

    Raises:
        DatasetError: The data set cannot be read.
        RunError: The run was not evaluated, or the run or the label issues are of
            another data set.
        UsageError: An invalid option, or a place that must not be written to.

    Example:
        annotate("data", "to_correct", select="conflicts")
    """
    if select not in SELECTIONS:
        error = unknown_name("selection (select)", select, SELECTIONS)
        raise error
    given = {"errors": run, "label-issues": label_issues}
    for selection, value in given.items():
        if (value is not None) != (select == selection):
            option = "run" if selection == "errors" else "label-issues"
            raise UsageError(
                f"--{option} goes with --select {selection}, got --select {select} "
                f"with{'out' if value is None else ''} --{option}.",
                hint=f"Give --select {selection} --{option} FOLDER, or neither.",
            )
    if run is not None:
        from tlkit.evaluation.report import read_errors
        from tlkit.runs.run import Run

        run = run if isinstance(run, Run) else Run.read(run)
        manifest, paths = run.manifest(data), read_errors(run.directory)
    elif label_issues is not None:
        from tlkit.experiments.label_issues import LabelIssues

        if not isinstance(label_issues, LabelIssues):
            label_issues = LabelIssues.read(label_issues)
        manifest, paths = label_issues.manifest(data), label_issues.paths
    else:
        manifest = Manifest.read(data)
        paths = select_images(manifest, select)
    made = write_folder(manifest, Path(out), paths, overwrite=overwrite)
    left = not_selected(manifest, paths) if select == "rejected" else ()
    return dataclasses.replace(made, left_out=tuple(left))
