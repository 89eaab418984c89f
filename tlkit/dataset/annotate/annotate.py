"""Images of a data set in, a work folder out, and how labelme opens it."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import shutil
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tlkit.dataset.annotate.folder import (
    FLAGS,
    IGNORE,
    LABELS,
    WORK,
    write_images,
    write_index,
)
from tlkit.dataset.annotate.select import by_shapes, rows_of
from tlkit.dataset.annotations.annotations_file import read_annotations
from tlkit.dataset.manifest import DUPLICATES, Manifest
from tlkit.dataset.records import BETWEEN, Annotation, ImageRecord, Rejected
from tlkit.errors import UsageError
from tlkit.files import replaced_directory


@dataclass(frozen=True)
class Work:
    """A work folder.

    Attributes:
        directory: Where it is; not made where there is nothing to do.
        images: How many are in it.
        unseen: Those that should be, but cannot be shown, with the reason.
        left: What is rejected and not offered, since it is nothing to be mended in
            labelme; of "rejected" alone.
    """

    directory: Path
    images: int
    unseen: tuple[Rejected, ...] = ()
    left: tuple[Rejected, ...] = ()


def write_work(
    manifest: Manifest, place: Path, paths: Sequence[str], *, overwrite: bool = False
) -> Work:
    """Write a work folder.

    Args:
        manifest: The data set.
        place: The folder to make, outside of the photos and of the data set.
        paths: Its images, relative to the source root.
        overwrite: Replace an earlier work folder and all that was changed in it.

    Returns:
        What was written; nothing was where there are no images.

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
    records = list(_pages(manifest, paths))
    if not records:
        return Work(place, 0)
    flags = (*(() if by_shapes(manifest) else manifest.labels), IGNORE)
    with replaced_directory(
        place, marker=WORK, overwrite=overwrite, what="work folder"
    ) as draft:
        entries, unseen = write_images(draft, manifest.source, records, flags=flags)
        write_index(
            draft,
            entries,
            labels=manifest.labels,
            flags=flags,
            source=str(manifest.source),
            checksum=manifest.checksum,
            label_by="shapes" if by_shapes(manifest) else "image",
        )
    return Work(place, len(entries), tuple(unseen))


def _pages(manifest: Manifest, paths: Iterable[str]) -> Iterator[ImageRecord]:
    """What is known of images, in the order they come in."""
    # Flags are of whole images, so only one of both is there to be corrected.
    if by_shapes(manifest):
        objects: dict[str, list[Annotation]] = {path: [] for path in paths}
        for record in read_annotations(manifest.directory):
            if record.path in objects:
                objects[record.path] += record.objects
        for path, drawn in objects.items():
            yield ImageRecord(path, objects=tuple(drawn))
    else:
        labels = _labels(manifest)
        for path in dict.fromkeys(paths):
            yield ImageRecord(path, labels=tuple(labels.get(path, ())))


def _labels(manifest: Manifest) -> dict[str, dict[str, None]]:
    """The labels of images, used or not, as far as they were written down."""
    labels: dict[str, dict[str, None]] = defaultdict(dict)
    of_things: dict[str, dict[str, None]] = defaultdict(dict)
    for record in read_annotations(manifest.directory):
        labels[record.path] |= dict.fromkeys(record.labels)
        told = (t.label for t in record.objects if t.label and not t.ignored)
        of_things[record.path] |= dict.fromkeys(told)
    if not any(labels.values()):
        labels |= of_things
    for example in manifest.examples:
        labels[example.path] |= dict.fromkeys(example.labels)
    for row in rows_of(manifest.directory / DUPLICATES):
        told_of = (
            row["label"].split(BETWEEN) if manifest.multi_label else [row["label"]]
        )
        labels[row["file"]] |= dict.fromkeys(name for name in told_of if name)
    return labels


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
