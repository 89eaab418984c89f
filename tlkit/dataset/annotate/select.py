"""The selections of `tlkit annotate` that a data set directory alone decides.

rejected      rejected images that a label or another shape can bring back: FIXABLE
conflicts     the same image under two labels
unlabeled     images without a label
errors        misclassified images of a run, given by the caller
label-issues  probably incorrect labels, given by the caller
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Collection, Iterator
from pathlib import Path

from tlkit.dataset.annotations.annotations_file import read_annotations
from tlkit.dataset.dataset_files import DUPLICATES, REJECTED
from tlkit.dataset.manifest import Manifest
from tlkit.dataset.records import Rejected
from tlkit.dataset.sources.image_paths import SUFFIXES
from tlkit.errors import DatasetError

SELECTIONS = ("rejected", "conflicts", "unlabeled", "errors", "label-issues")
# Files without an annotation may be anything.
UNANNOTATED = {"no-class-folder", "unlabeled"}
UNLABELED = UNANNOTATED | {"no-label", "no-shape"}
# Not duplicates, leaks and unreadable images, which no annotation helps.
FIXABLE = UNLABELED | {
    *("conflict", "several-labels", "ignored", "bad-label", "bad-shape", "bad-points"),
    *("unknown-shape", "bad-mask", "no-area", "unknown-id", "crowd"),
}
# A new shape helps these, a flag does not.
REDRAWN = {"size-mismatch"}


def select(manifest: Manifest, selection: str) -> list[str]:
    """Select images to correct.

    Args:
        manifest: The data set.
        selection: "rejected", "conflicts" or "unlabeled".

    Returns:
        Paths relative to the source root, each once.
    """
    if selection == "conflicts":
        rows = rows_of(manifest.directory / DUPLICATES)
        return list(dict.fromkeys(r["file"] for r in rows if r["kind"] == "conflict"))
    reasons = UNLABELED
    if selection == "rejected":
        reasons = FIXABLE | REDRAWN if by_shapes(manifest) else FIXABLE
    paths: dict[str, None] = {}
    for row, images in _rejected(manifest):
        other = row.reason in UNANNOTATED and not row.file.lower().endswith(SUFFIXES)
        # An annotation of one image stands for it; one of several for none.
        if row.reason in reasons and len(images) == 1 and not other:
            paths |= dict.fromkeys(images)
    return list(paths)


def not_selected(manifest: Manifest, paths: Collection[str]) -> list[Rejected]:
    """List the rejected files that are not selected.

    Args:
        manifest: The data set.
        paths: The selected images.

    Returns:
        One row for each file and reason.
    """
    selected = set(paths)
    left: dict[tuple[str, str], Rejected] = {}
    for row, images in _rejected(manifest):
        if not selected & images:
            left.setdefault((row.file, row.reason), row)
    return list(left.values())


def by_shapes(manifest: Manifest) -> bool:
    """Return True if the examples are shapes."""
    return bool(manifest.info["options"]["labeling"]["label_by"] == "shapes")


def _rejected(manifest: Manifest) -> Iterator[tuple[Rejected, set[str]]]:
    """Yield the rows of rejected.csv, each with the images it is about."""
    about: dict[str, set[str]] = defaultdict(set)
    for record in read_annotations(manifest.directory):
        about[record.file].add(record.path)
    for example in manifest.examples:
        about[example.annotation].add(example.path)
    rows = [
        Rejected(
            row["file"], row["reason"], row["detail"], annotation=row["annotation"]
        )
        for row in rows_of(manifest.directory / REJECTED)
    ]
    for row in rows:
        if row.annotation:
            about[row.annotation].add(row.file)
    for row in rows:
        yield row, about.get(row.file, {row.file})


def rows_of(path: Path) -> Iterator[dict[str, str]]:
    """Read a table of a data set directory."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            yield from csv.DictReader(file)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(
            f"{path} cannot be read: {error}.", hint="Run tlkit prepare again."
        ) from error
