"""A data set in, a work folder of some of its pictures out, and how labelme opens it.

rejected     what a label or a better shape may bring back in: see MENDABLE
conflicts    the same picture under two labels
unlabelled   pictures without label
mistakes     the wrong answers of a run, told by its caller
"""

from __future__ import annotations

import csv
import importlib.metadata
import importlib.util
import shutil
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tlkit.dataset.candidate import BETWEEN
from tlkit.dataset.labelling import is_ignored
from tlkit.dataset.manifest import DUPLICATES, REJECTED, Manifest
from tlkit.dataset.objects import read_objects
from tlkit.dataset.sources.page import Page, Rejection, Thing
from tlkit.dataset.sources.pictures import SUFFIXES
from tlkit.dataset.work import (
    FLAGS,
    IGNORE,
    LABELS,
    WORK,
    write_index,
    write_pictures,
)
from tlkit.errors import DatasetError, UsageError
from tlkit.files import replaced_directory

WHAT = ("rejected", "conflicts", "unlabelled", "mistakes")
STRANGE = {"no-class-folder", "unlabelled"}
UNLABELLED = STRANGE | {"no-label", "no-shape"}
# Not those that no annotation helps: copies, leaks, pictures that cannot be read.
MENDABLE = UNLABELLED | {
    *("conflict", "several-labels", "ignored", "bad-label", "bad-shape", "bad-points"),
    *("unknown-shape", "bad-mask", "no-area", "unknown-id", "crowd"),
}


@dataclass(frozen=True)
class Work:
    """A work folder.

    Attributes:
        directory: Where it is; not made where there is nothing to do.
        pictures: How many are in it.
        unseen: Those that should be, but cannot be shown, with the reason.
    """

    directory: Path
    pictures: int
    unseen: tuple[Rejection, ...] = ()


def paths_of(manifest: Manifest, what: str) -> list[str]:
    """The pictures that something is to be done about.

    Args:
        manifest: The data set.
        what: One of WHAT but "mistakes".

    Returns:
        Paths relative to the source root, each once.
    """
    if what == "conflicts":
        rows = _rows(manifest.directory / DUPLICATES)
        return list(dict.fromkeys(r["file"] for r in rows if r["kind"] == "conflict"))
    about: dict[str, set[str]] = defaultdict(set)
    for page in read_objects(manifest.directory):
        about[page.file].add(page.path)
    for example in manifest.examples:
        about[example.annotation].add(example.path)
    reasons = MENDABLE if what == "rejected" else UNLABELLED
    paths: dict[str, None] = {}
    for row in _rows(manifest.directory / REJECTED):
        file, reason = row["file"], row["reason"]
        # Files that nothing speaks of may be anything.
        strange = reason in STRANGE and not file.lower().endswith(SUFFIXES)
        # An annotation of one picture stands for it; one of several for none.
        meant = about.get(file, {file})
        if reason in reasons and len(meant) == 1 and not strange:
            paths |= dict.fromkeys(meant)
    return list(paths)


def write_work(
    manifest: Manifest, place: Path, paths: Sequence[str], *, overwrite: bool = False
) -> Work:
    """Write a work folder.

    Args:
        manifest: The data set.
        place: The folder to make, outside of the photos and of the data set.
        paths: Its pictures, relative to the source root.
        overwrite: Replace an earlier work folder and all that was changed in it.

    Returns:
        What was written; nothing was where there are no pictures.

    Raises:
        UsageError: The place must not be written to.
    """
    place = place.resolve()
    for other in (manifest.source.resolve(), manifest.directory.resolve()):
        if place == other or other in place.parents:
            raise UsageError(
                f"{place} lies within {other}, where it would be taken for a part of "
                "it.",
                hint="Choose an --out elsewhere.",
            )
    pages = list(_pages(manifest, paths))
    if not pages:
        return Work(place, 0)
    flags = (*(() if _by_shapes(manifest) else manifest.labels), IGNORE)
    with replaced_directory(
        place, marker=WORK, overwrite=overwrite, what="work folder"
    ) as draft:
        entries, unseen = write_pictures(draft, manifest.source, pages, flags=flags)
        write_index(
            draft,
            entries,
            labels=manifest.labels,
            flags=flags,
            source=str(manifest.source),
            digest=manifest.digest,
        )
    return Work(place, len(entries), tuple(unseen))


def _by_shapes(manifest: Manifest) -> bool:
    return bool(manifest.info["options"]["labelling"]["label_by"] == "shapes")


def _pages(manifest: Manifest, paths: Iterable[str]) -> Iterator[Page]:
    """What is known of pictures, in the order they come in."""
    # Flags are of whole pictures, so only one of both is there to be corrected.
    if _by_shapes(manifest):
        things: dict[str, list[Thing]] = {path: [] for path in paths}
        for page in read_objects(manifest.directory):
            if page.path in things:
                things[page.path] += page.things
        for path, drawn in things.items():
            yield Page(path, things=tuple(drawn))
    else:
        labels = _labels(manifest)
        for path in dict.fromkeys(paths):
            yield Page(path, labels=tuple(labels.get(path, ())))


def _labels(manifest: Manifest) -> dict[str, dict[str, None]]:
    """The labels of pictures, used or not, as far as they were written down."""
    labels: dict[str, dict[str, None]] = defaultdict(dict)
    of_things: dict[str, dict[str, None]] = defaultdict(dict)
    for page in read_objects(manifest.directory):
        labels[page.path] |= dict.fromkeys(page.labels)
        told = (t.label for t in page.things if t.label and not is_ignored(t))
        of_things[page.path] |= dict.fromkeys(told)
    if not any(labels.values()):
        labels |= of_things
    for example in manifest.examples:
        labels[example.path] |= dict.fromkeys(manifest.labels_of(example))
    for row in _rows(manifest.directory / DUPLICATES):
        told_of = (
            row["label"].split(BETWEEN) if manifest.multi_label else [row["label"]]
        )
        labels[row["file"]] |= dict.fromkeys(name for name in told_of if name)
    return labels


def _rows(path: Path) -> Iterator[dict[str, str]]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            yield from csv.DictReader(file)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(
            f"{path} cannot be read: {error}.", hint="Run tlkit prepare again."
        ) from error


def labelme_command(work: Path) -> list[str] | None:
    """How labelme is started on a work folder.

    Args:
        work: What `write_work` wrote.

    Returns:
        Program and arguments; None where labelme is not installed.
    """
    options = [str(work), "--flags", str(work / FLAGS), "--labels", str(work / LABELS)]
    if importlib.util.find_spec("labelme") is None:
        program = shutil.which("labelme")
        return [program, *options] if program else None
    version = importlib.metadata.version("labelme")
    if int(version.split(".")[0]) < 6:
        # What later ones do by themselves; the seventh refuses the words.
        options += ["--nodata", "--autosave"]
    return [sys.executable, "-m", "labelme", *options]
