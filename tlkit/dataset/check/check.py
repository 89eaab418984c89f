"""The check of a finished split for leaks; it compares images, not file names."""

from __future__ import annotations

import operator
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tlkit.dataset.check.leaks import (
    DUPLICATES,
    Leaks,
    rank,
    straddling_groups,
)
from tlkit.dataset.check.read_split import (
    UNSPLIT,
    FinishedSplit,
    SplitImage,
    read_folder,
    read_split,
)
from tlkit.dataset.dataset_files import write_table
from tlkit.dataset.duplicates.find import find_duplicates
from tlkit.dataset.example import SPLITS
from tlkit.dataset.inspection.cache import open_image_cache
from tlkit.dataset.inspection.run import inspect_images
from tlkit.dataset.records import DuplicateRow, ImageInfo, Rejected, in_natural_order
from tlkit.dataset.sources.open import ReaderOptions
from tlkit.errors import DatasetError, UsageError
from tlkit.progress import SILENT, Progress

COLUMNS = (
    *("kind", "file", "split", "label", "match", "match_split", "match_label"),
    *("distance", "transform", "group", "detail"),
)
EDITED = "Its checksum is not the one in dataset.json."


@dataclass(frozen=True)
class Checked:
    """The result of a check.

    Attributes:
        compared: Number of images compared.
        findings: Leaks and faults; duplicates across splits first.
        remarks: Further notes.
    """

    compared: int
    findings: tuple[DuplicateRow, ...]
    remarks: tuple[str, ...]

    @property
    def clean(self) -> bool:
        """True if there are no findings."""
        return not self.findings

    @property
    def verdict(self) -> tuple[str, ...]:
        """The findings in words, a sentence each."""
        across = Counter(
            (f.split, f.match_split) for f in self.findings if f.kind in DUPLICATES
        )
        lines = [
            f"{_images(n)} of {split} {_are(n)} of {_those_of(other)}."
            for (split, other), n in sorted(
                across.items(), key=lambda item: [-rank(split) for split in item[0]]
            )
        ]
        if not lines:
            compared = f"{_images(self.compared)} compared"
            lines = [f"No duplicates across splits: {compared}."]
        number = Counter(f.kind for f in self.findings)
        groups = len({f.group for f in self.findings if f.kind == "group"})
        conflicting = len({f.file for f in self.findings if f.kind == "conflict"})
        for count, words in (
            (groups, "group(s) in several splits."),
            (conflicting, "image(s) under two labels."),
            (number["missing"], "file(s) missing."),
            (number["unreadable"], "file(s) that cannot be read any more."),
            (number["changed"], "file(s) changed since prepare."),
        ):
            if count:
                lines.append(f"{count} {words}")
        return tuple(lines)

    def write(self, path: Path) -> None:
        """Write the findings as a CSV file.

        Args:
            path: The file; an existing one is replaced only if check wrote it.

        Raises:
            UsageError: The file cannot be written, or another file is there.
        """
        try:
            if path.exists():
                with path.open("rb") as file:
                    ours = file.readline(200) == f"{','.join(COLUMNS)}\n".encode()
                if not ours:
                    raise UsageError(
                        f"{path} is not from tlkit check. It is left alone.",
                        hint="Choose another --out.",
                    )
            write_table(
                path, COLUMNS, map(operator.attrgetter(*COLUMNS), self.findings)
            )
        except OSError as error:
            raise UsageError(
                f"{path} cannot be written: {error.strerror}.",
                hint="Name a file in a folder that exists.",
            ) from error


def check(
    dataset: Path | str,
    *,
    against: Path | str | None = None,
    format: str = "auto",
    attribute: str | None = None,
    columns: Mapping[str, str] | None = None,
    separator: str | None = None,
    rotated: bool = False,
    allow_outside: bool = False,
    workers: int | None = None,
    progress: Progress = SILENT,
) -> Checked:
    """Check a finished split for leaks; nothing is changed.

    Args:
        dataset: A data set directory, or any folder with folders train, val or test, or
            with annotations that name the splits.
        against: Another folder of images, such as a test set of one's own, that must
            have no image in common with the data set.
        format: How a folder is labeled, as for `prepare`.
        attribute: For VIA, the attribute that is the label.
        columns: For tables, column names by their role, as for `prepare`.
        separator: For tables, the text between several labels.
        rotated: Also look for rotated or flipped duplicates.
        allow_outside: Follow links out of these folders.
        workers: Processes that read images, 0 for none; None for one per processor.
        progress: Receiver of reports on long work.

    Returns:
        The findings.

    Raises:
        DatasetError: There is no such data set, its format is ambiguous, or it has no
            splits to compare.
        UsageError: An invalid option.

    Example:
        assert check("data", against="my test photos").clean
    """
    if workers is not None and workers < 0:
        raise UsageError(f"workers must be >= 0, got {workers}.")
    reading = ReaderOptions(
        attribute=attribute,
        separator=separator,
        columns=tuple((columns or {}).items()),
        allow_outside=allow_outside,
    )
    own = read_split(Path(dataset), format, reading)
    if against is None and {image.split for image in own.images} == {UNSPLIT}:
        raise DatasetError(
            f"{dataset} has no splits: expected folders named train, val or test, or "
            "annotations that name them.",
            hint="Compare it with another folder: --against FOLDER.",
        )
    parts = [own]
    if against is not None:
        plain = ReaderOptions(allow_outside=allow_outside)
        parts.append(_foreign(read_folder(Path(against), str(against), plain), own))
    root = _common(parts)
    placed = [
        (image, (part.root.resolve() / image.file).relative_to(root).as_posix())
        for part in parts
        for image in part.images
    ]
    paths = list(dict.fromkeys(path for _, path in placed))
    with open_image_cache(root) as image_cache:
        info, unread = inspect_images(
            root, paths, image_cache, workers=workers, progress=progress
        )
        progress.start("Looking for duplicates")
        pairs = find_duplicates(root, info, image_cache, rotated=rotated)
    number = {each.path: i for i, each in enumerate(info)}
    leaks = Leaks(
        [(image, number[path]) for image, path in placed if path in number], pairs
    )
    results = {r.file: r for r in unread} | {each.path: each for each in info}
    images = [(image, results[path]) for image, path in placed]
    return Checked(
        compared=len(info),
        findings=(
            *leaks.across(),
            *straddling_groups(own.images),
            *leaks.conflicts(),
            *(DuplicateRow("changed", file, detail=EDITED) for file in own.edited),
            *_changed(images),
        ),
        remarks=(
            *(line for part in parts for line in part.remarks),
            *_absent(own),
            *_unread(images),
        ),
    )


def _common(parts: Sequence[FinishedSplit]) -> Path:
    try:
        return Path(os.path.commonpath([part.root.resolve() for part in parts]))
    except ValueError as error:  # Windows
        raise UsageError(
            f"{parts[0].root} and {parts[1].root} are on different drives.",
            hint="Copy one of them to the drive of the other.",
        ) from error


def _foreign(other: FinishedSplit, own: FinishedSplit) -> FinishedSplit:
    # A folder of the data set itself would be a duplicate of itself.
    held = {(own.root / image.file).resolve() for image in own.images}
    left = tuple(i for i in other.images if (other.root / i.file).resolve() not in held)
    remarks = other.remarks
    if number := len(other.images) - len(left):
        line = f"{number} file(s) are the data set's own and not compared with it."
        remarks = (*remarks, line)
    return FinishedSplit(other.root, left, remarks=remarks)


def _changed(
    images: Iterable[tuple[SplitImage, ImageInfo | Rejected]],
) -> Iterator[DuplicateRow]:
    for image, found in images:
        if not image.sha256 or found.sha256 == image.sha256:
            continue
        kind, detail = "changed", ""
        if isinstance(found, Rejected) and not found.sha256:
            kind = "missing" if found.reason == "missing" else "unreadable"
            detail = found.detail
        yield DuplicateRow(kind, image.file, image.split, image.label, detail=detail)


def _absent(part: FinishedSplit) -> Iterator[str]:
    labels = {name for names in part.labels.values() for name in names}
    for label in in_natural_order(labels):
        missing = [s for s in SPLITS if label not in part.labels.get(s, {label})]
        if missing:
            yield f"{label}: no image in {' and '.join(missing)}."


def _unread(images: Iterable[tuple[SplitImage, ImageInfo | Rejected]]) -> Iterator[str]:
    files = [
        image.file
        for image, found in images
        if isinstance(found, Rejected) and not image.sha256
    ]
    if files:
        named = ", ".join(files[:3]) + (", ..." if len(files) > 3 else "")
        yield f"{len(files)} file(s), {named}: no images that can be read."


def _images(number: int) -> str:
    return f"{number:,} image{'' if number == 1 else 's'}"


def _those_of(split: str) -> str:
    return "images of the data set" if split == UNSPLIT else f"{split} images"


def _are(number: int) -> str:
    return "is a duplicate" if number == 1 else "are duplicates"
