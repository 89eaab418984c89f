"""The tables of a data set in, the images that are offered to a person out.

rejected     what a label or a better shape may bring back in: see MENDABLE
conflicts    the same image under two labels
unlabeled   images without label
mistakes     the wrong answers of a run, or doubtful labels, told by the caller
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Collection, Iterator
from pathlib import Path

from tlkit.dataset.annotations.annotations_file import read_annotations
from tlkit.dataset.manifest import DUPLICATES, REJECTED, Manifest
from tlkit.dataset.records import Rejected
from tlkit.dataset.sources.image_paths import SUFFIXES
from tlkit.errors import DatasetError

WHAT = ("rejected", "conflicts", "unlabeled", "mistakes")
STRANGE = {"no-class-folder", "unlabeled"}
UNLABELED = STRANGE | {"no-label", "no-shape"}
# Not those that no annotation helps: copies, leaks, images that cannot be read.
MENDABLE = UNLABELED | {
    *("conflict", "several-labels", "ignored", "bad-label", "bad-shape", "bad-points"),
    *("unknown-shape", "bad-mask", "no-area", "unknown-id", "crowd"),
}
# Drawing again helps these, a flag does not.
REDRAWN = {"size-mismatch"}


def paths_of(manifest: Manifest, what: str) -> list[str]:
    """The images that something is to be done about.

    Args:
        manifest: The data set.
        what: One of WHAT but "mistakes".

    Returns:
        Paths relative to the source root, each once.
    """
    if what == "conflicts":
        rows = rows_of(manifest.directory / DUPLICATES)
        return list(dict.fromkeys(r["file"] for r in rows if r["kind"] == "conflict"))
    reasons = UNLABELED
    if what == "rejected":
        reasons = MENDABLE | REDRAWN if by_shapes(manifest) else MENDABLE
    paths: dict[str, None] = {}
    for row, meant in _rejected(manifest):
        # Files that nothing speaks of may be anything.
        strange = row.reason in STRANGE and not row.file.lower().endswith(SUFFIXES)
        # An annotation of one image stands for it; one of several for none.
        if row.reason in reasons and len(meant) == 1 and not strange:
            paths |= dict.fromkeys(meant)
    return list(paths)


def left_out(manifest: Manifest, paths: Collection[str]) -> list[Rejected]:
    """What is rejected and not offered.

    Args:
        manifest: The data set.
        paths: What is offered.

    Returns:
        A rejection for each other file and reason.
    """
    offered = set(paths)
    left: dict[tuple[str, str], Rejected] = {}
    for row, meant in _rejected(manifest):
        if not offered & meant:
            left.setdefault((row.file, row.reason), row)
    return list(left.values())


def by_shapes(manifest: Manifest) -> bool:
    """Whether shapes became the examples."""
    return bool(manifest.info["options"]["labeling"]["label_by"] == "shapes")


def _rejected(manifest: Manifest) -> Iterator[tuple[Rejected, set[str]]]:
    """The rows of rejected.csv, and the images that each is about."""
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
    # Images may be known by their annotation's fault alone.
    for row in rows:
        if row.annotation:
            about[row.annotation].add(row.file)
    for row in rows:
        yield row, about.get(row.file, {row.file})


def rows_of(path: Path) -> Iterator[dict[str, str]]:
    """Read a table of a data set."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            yield from csv.DictReader(file)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(
            f"{path} cannot be read: {error}.", hint="Run tlkit prepare again."
        ) from error
