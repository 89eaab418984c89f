"""The annotation folder of a data set, and the command that opens it in labelme."""

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
    INDEX,
    LABELS,
    write_images,
    write_index,
)
from tlkit.dataset.annotate.select import by_shapes, rows_of
from tlkit.dataset.annotations.annotations_file import read_annotations
from tlkit.dataset.dataset_files import DUPLICATES
from tlkit.dataset.manifest import Manifest
from tlkit.dataset.records import BETWEEN, Annotation, ImageRecord, Rejected
from tlkit.errors import UsageError
from tlkit.files import replaced_directory


@dataclass(frozen=True)
class AnnotationFolder:
    """An annotation folder.

    Attributes:
        directory: Its place; nothing is written where there are no images.
        images: Number of images in it.
        unreadable: Selected images that cannot be shown, with the reason.
        left_out: Rejected files that are not selected, of "rejected" alone.
    """

    directory: Path
    images: int
    unreadable: tuple[Rejected, ...] = ()
    left_out: tuple[Rejected, ...] = ()


def write_folder(
    manifest: Manifest, place: Path, paths: Sequence[str], *, overwrite: bool = False
) -> AnnotationFolder:
    """Write an annotation folder.

    Args:
        manifest: The data set.
        place: The folder to make, outside of the photos and of the data set directory.
        paths: Images, relative to the source root.
        overwrite: Replace an earlier annotation folder with all changes in it.

    Returns:
        The folder.

    Raises:
        UsageError: The place lies within the photos or the data set directory, or is
            taken.
    """
    place = place.resolve()
    for other in (manifest.source.resolve(), manifest.directory.resolve()):
        if place == other or other in place.parents:
            raise UsageError(
                f"{place} lies within {other}, where it would be taken for a part of "
                "it.",
                hint="Choose an --out elsewhere.",
            )
    records = list(_records(manifest, paths))
    if not records:
        return AnnotationFolder(place, 0)
    flags = (*(() if by_shapes(manifest) else manifest.labels), IGNORE)
    with replaced_directory(
        place, marker=INDEX, overwrite=overwrite, what="folder of tlkit annotate"
    ) as draft:
        entries, unreadable = write_images(draft, manifest.source, records, flags=flags)
        write_index(
            draft,
            entries,
            labels=manifest.labels,
            flags=flags,
            source=str(manifest.source),
            checksum=manifest.checksum,
            label_by="shapes" if by_shapes(manifest) else "image",
        )
    return AnnotationFolder(place, len(entries), tuple(unreadable))


def _records(manifest: Manifest, paths: Iterable[str]) -> Iterator[ImageRecord]:
    """Yield the annotations of images, in the given order."""
    # Flags are for whole images, so a folder has either flags or shapes to correct.
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
    """Collect the recorded labels of images, used or not."""
    labels: dict[str, dict[str, None]] = defaultdict(dict)
    of_objects: dict[str, dict[str, None]] = defaultdict(dict)
    for record in read_annotations(manifest.directory):
        labels[record.path] |= dict.fromkeys(record.labels)
        names = (t.label for t in record.objects if t.label and not t.ignored)
        of_objects[record.path] |= dict.fromkeys(names)
    if not any(labels.values()):
        labels |= of_objects
    for example in manifest.examples:
        labels[example.path] |= dict.fromkeys(example.labels)
    for row in rows_of(manifest.directory / DUPLICATES):
        own = row["label"].split(BETWEEN) if manifest.multi_label else [row["label"]]
        labels[row["file"]] |= dict.fromkeys(name for name in own if name)
    return labels


def labelme_command(folder: Path) -> list[str] | None:
    """Return the command that opens an annotation folder in labelme.

    Args:
        folder: Made by `write_folder`.

    Returns:
        Program and arguments; None if labelme is not installed.
    """
    options = [
        str(folder),
        "--flags",
        str(folder / FLAGS),
        "--labels",
        str(folder / LABELS),
    ]
    if importlib.util.find_spec("labelme") is None:
        program = shutil.which("labelme")
        return [program, *options] if program else None
    version = importlib.metadata.version("labelme")
    if int(version.split(".")[0]) < 6:
        # Later versions do so by themselves; version 7 refuses the options.
        options += ["--nodata", "--autosave"]
    return [sys.executable, "-m", "labelme", *options]
