"""The data set directory and its manifest.

manifest.csv    one row per example, with the columns COLUMNS
annotations.jsonl   what was drawn on its images, whole; only where anything was
labels.txt      the class order, one label a line
corrections.jsonl   what was corrected, where anything was; it holds from then on
rejected.csv    every file that is not used, with its reason
notes.csv       what decoding did to images that are used, a line for each remark
duplicates.csv  duplicates of every kind, and what was done about them
dataset.json    source, options, seed, counts, versions, checksum
report.html     all of it to look at
"""

from __future__ import annotations

import csv
import hashlib
import json
import operator
import shlex
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tlkit.dataset.records import BETWEEN, Box, natural_key
from tlkit.errors import DatasetError
from tlkit.imaging.decode import decode
from tlkit.imaging.resize import crop, decode_resized
from tlkit.imaging.safe_read import Unusable, read_bytes

SPLITS = ("train", "val", "test")
FORMAT = 2
MANIFEST, LABELS, INFO = "manifest.csv", "labels.txt", "dataset.json"
REJECTED, NOTES, DUPLICATES = "rejected.csv", "notes.csv", "duplicates.csv"
REPORT = "report.html"
COLUMNS = (
    *("id", "path", "sha256", "width", "height", "label", "split", "group"),
    *("box", "shape", "annotation"),
)
AGAIN = "Run tlkit prepare again with --overwrite."

# Many times as fast as dataclasses.astuple, which copies.
_values = operator.attrgetter(*COLUMNS)


@dataclass(frozen=True)
class Example:
    """One image to classify, or a box of one; `prepare` fills it in step by step.

    Attributes:
        id: Unique in its manifest; the same for the same path, box, shape and label.
        path: POSIX, relative to the source root. A JSON holds its image inside.
        sha256: Of the encoded image.
        width: Of the whole image, upright, in pixels.
        height: Likewise.
        labels: One; in a multi-label data set one or several, in natural order.
        split: One of SPLITS. In prepare "" until it is drawn, or what the source gives.
        group: Examples of one group are in the same split.
        box: x0, y0, x1, y1 in pixels of the upright image, x1 and y1 exclusive; None
            for the whole image.
        shape: What was drawn, as JSON; "" where nothing was.
        annotation: The annotation file, relative to the source root; "" for none.
        shown: In prepare, the file that the user would look at.
        existing: In prepare, the split is that of the existing data set.
    """

    id: str
    path: str
    sha256: str
    width: int
    height: int
    labels: tuple[str, ...]
    split: str = ""
    group: str = ""
    box: Box | None = None
    shape: str = ""
    annotation: str = ""
    shown: str = field(default="", compare=False, repr=False)
    existing: bool = field(default=False, compare=False, repr=False)

    @property
    def label(self) -> str:
        """The label; of several, all of them with "|" between."""
        return BETWEEN.join(self.labels)

    @property
    def key(self) -> tuple[object, ...]:
        """The sort key of a manifest: by path in natural order, then by box."""
        return natural_key(self.path), self.box or (), self.labels, self.shape


def read_example(
    source: Path, example: Example, *, size: int | None = None, resize: str = "squash"
) -> np.ndarray:
    """Read the pixels of an example.

    Args:
        source: The source root.
        example: What to read.
        size: Side of the square to fit it to, pixels; None leaves it as it is.
        resize: One of RESIZES.

    Returns:
        uint8 [size, size, 3], or [H, W, 3] of the image or of its box.

    Raises:
        Unusable: It cannot be read, or is not what it was at prepare.
    """
    file = str(source / example.path)
    try:
        data = read_bytes(source / example.path)
    except Unusable as error:
        hint = f"Put the image back. Or: {AGAIN}"
        raise Unusable(
            error.reason, error.detail, file=error.file, hint=hint
        ) from error
    if hashlib.sha256(data).hexdigest() != example.sha256:
        detail = "It is not the image it was when the data set was prepared."
        raise Unusable("changed", detail, file=file, hint=AGAIN)
    try:
        if size is not None:
            return decode_resized(data, size, resize, example.box)
        pixels = decode(data).pixels
    except Unusable as error:
        raise Unusable(error.reason, error.detail, file=file) from error
    return pixels if example.box is None else crop(pixels, example.box)


@dataclass(frozen=True)
class Manifest:
    """A prepared data set.

    Attributes:
        directory: Where its files are.
        source: The root that the paths of the examples start from.
        labels: The class order.
        examples: All of them.
        checksum: sha256 over labels and examples, wherever they are.
        info: The content of dataset.json.
    """

    directory: Path
    source: Path
    labels: tuple[str, ...]
    examples: tuple[Example, ...]
    checksum: str
    info: dict[str, Any] = field(compare=False, repr=False)

    def of(self, split: str) -> tuple[Example, ...]:
        """Return the examples of a split.

        Args:
            split: One of SPLITS.

        Returns:
            Its examples, in the order of the manifest.
        """
        return tuple(example for example in self.examples if example.split == split)

    @property
    def multi_label(self) -> bool:
        """True if an example may have several labels."""
        return bool(self.info.get("multi_label"))

    def targets(self, examples: str | Sequence[Example]) -> np.ndarray:
        """Return the class indices of examples that have one label each.

        Args:
            examples: A split, or examples.

        Returns:
            int64 [N], indices into `labels`.
        """
        chosen = self.of(examples) if isinstance(examples, str) else examples
        index = {label: i for i, label in enumerate(self.labels)}
        return np.array([index[example.label] for example in chosen], np.int64)

    def multi_hot(self, examples: str | Sequence[Example]) -> np.ndarray:
        """Return the classes of examples that have one label each, or several.

        Args:
            examples: A split, or examples.

        Returns:
            float32 [N, n]: 1 in the columns of the example's labels, else 0.
        """
        chosen = self.of(examples) if isinstance(examples, str) else examples
        index = {label: i for i, label in enumerate(self.labels)}
        found = np.zeros((len(chosen), len(self.labels)), np.float32)
        for row, example in zip(found, chosen, strict=True):
            row[[index[label] for label in example.labels]] = 1
        return found

    def counts(self) -> dict[str, dict[str, int]]:
        """Count the examples.

        Returns:
            For each label, in order, the number in each split, zeros included.
        """
        number = Counter((label, e.split) for e in self.examples for label in e.labels)
        return {
            label: {split: number[label, split] for split in SPLITS}
            for label in self.labels
        }

    @classmethod
    def read(
        cls,
        directory: Path | str,
        *,
        allow_changes: bool = False,
        find_source: bool = True,
    ) -> Manifest:
        """Read a data set directory and check that it holds together.

        Args:
            directory: What prepare wrote.
            allow_changes: Take it even if it was changed since, or if a group is in
                several splits.
            find_source: Check that its images are still there.

        Returns:
            The manifest.

        Raises:
            DatasetError: No such directory, or it was changed since prepare, or its
                images are no longer where they were.
        """
        directory = Path(directory)
        info = _read_info(directory)
        labels = _read_labels(directory / LABELS)
        multi_label = bool(info.get("multi_label"))
        examples = _read_examples(directory / MANIFEST, multi_label=multi_label)
        _check(directory, labels, examples, allow_split_groups=allow_changes)
        checksum = checksum_of(labels, examples)
        if checksum != info["checksum"] and not allow_changes:
            changed = MANIFEST if list(labels) == info.get("labels") else LABELS
            raise DatasetError(
                f"{directory / changed} was changed since it was prepared: its "
                f"checksum is {checksum[:12]}, {INFO} has {info['checksum']!s:.12}.",
                hint=f"Put the file back as it was. Or: {AGAIN}",
            )
        source = _find_source(directory, info, must_exist=find_source)
        return cls(directory, source, labels, examples, checksum, info)


class Info(dict[str, Any]):
    """The content of dataset.json, or an object in it, which users may edit."""

    def __missing__(self, key: str) -> Any:
        """Refuse a key that was removed or misspelled."""
        raise DatasetError(f"{INFO} has no {key!r}.", hint=f"Put it back. Or: {AGAIN}")


def checksum_of(labels: Sequence[str], examples: Iterable[Example]) -> str:
    """Compute the checksum of a data set's content, wherever it is."""
    checksum = hashlib.sha256(json.dumps([FORMAT, *labels]).encode())
    for example in examples:
        checksum.update(b"\n" + json.dumps(_values(example)).encode())
    return checksum.hexdigest()


def write_contents(
    directory: Path, labels: Sequence[str], examples: Iterable[Example]
) -> None:
    """Write manifest.csv and labels.txt."""
    text = "".join(f"{label}\n" for label in labels)
    (directory / LABELS).write_text(text, encoding="utf-8", newline="\n")
    write_table(directory / MANIFEST, COLUMNS, map(_row, examples))


def write_table(
    path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]
) -> None:
    """Write a CSV file that any content survives.

    Args:
        path: Where to.
        columns: The header.
        rows: One sequence a line, as long as the header.
    """
    # Annotations may hold halves of characters; these are written as escapes.
    with path.open(
        "w", encoding="utf-8", errors="backslashreplace", newline=""
    ) as file:
        plain = csv.writer(file, lineterminator="\n")
        # Python before 3.13 leaves a lone carriage return unquoted, and cannot read it.
        quoted = csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_ALL)
        plain.writerow(columns)
        for row in rows:
            returns = any("\r" in str(value) for value in row)
            (quoted if returns else plain).writerow(row)


def _row(example: Example) -> list[object]:
    row = list(_values(example))
    box = COLUMNS.index("box")
    row[box] = "" if example.box is None else " ".join(map(str, example.box))
    return row


def _read_info(directory: Path) -> Info:
    if not directory.is_dir():
        what = "is not a directory" if directory.exists() else "does not exist"
        command = ("tlkit", "prepare", "PHOTOS", "--out", str(directory))
        hint = f"Make a data set with: {shlex.join(command)}"
        raise DatasetError(f"{directory} {what}.", hint=hint)
    path = directory / INFO
    if not path.is_file():
        raise DatasetError(
            f"{directory} is not a data set directory: it has no {INFO}.",
            hint="If it holds photos, run tlkit prepare first: "
            + shlex.join(("tlkit", "prepare", str(directory), "--out", "DATASET")),
        )
    try:
        info = json.loads(_text(path), object_hook=Info)
    except ValueError as error:
        raise DatasetError(f"{path} is not JSON: {error}.", hint=AGAIN) from error
    if not isinstance(info, Info) or "checksum" not in info:
        raise DatasetError(f"{path} is not from tlkit prepare.", hint=AGAIN)
    if info.get("format", FORMAT) != FORMAT:
        raise DatasetError(
            f"{path} has format {info['format']}, this tlkit reads {FORMAT}.",
            hint=AGAIN,
        )
    for key in ("source", "options", "counts"):
        if not isinstance(info.get(key) or Info(), Info):
            raise DatasetError(
                f"{path}: {key!r} must be an object, got {info[key]!r}.",
                hint=f"Put it back. Or: {AGAIN}",
            )
    return info


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"{path} cannot be read: {error}.", hint=AGAIN) from error


def _read_labels(path: Path) -> tuple[str, ...]:
    # Not splitlines: a label may hold one of the rarer line separators of Unicode.
    labels = tuple(_text(path).removesuffix("\n").split("\n"))
    if len(set(labels)) != len(labels) or "" in labels:
        raise DatasetError(f"{path} has an empty line or a label twice.", hint=AGAIN)
    return labels


def _read_examples(path: Path, *, multi_label: bool) -> tuple[Example, ...]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = csv.reader(file)
            if tuple(next(rows, ())) != COLUMNS:
                columns = ",".join(COLUMNS)
                raise DatasetError(f"{path}: the first line is not {columns}.")
            return tuple(
                _example(path, rows.line_num, row, multi_label) for row in rows
            )
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"{path} cannot be read: {error}.", hint=AGAIN) from error


def _example(path: Path, line: int, row: list[str], multi_label: bool) -> Example:
    try:
        values: dict[str, Any] = dict(zip(COLUMNS, row, strict=True))
        label = values.pop("label")
        values["labels"] = tuple(label.split(BETWEEN)) if multi_label else (label,)
        values["width"], values["height"] = int(values["width"]), int(values["height"])
        values["box"] = _box(values["box"])
        return Example(**values)
    except ValueError as error:
        raise DatasetError(
            f"{path}, line {line}: not an example: {error}.", hint=AGAIN
        ) from error


def _box(text: str) -> tuple[int, int, int, int] | None:
    if not text:
        return None
    x0, y0, x1, y1 = map(int, text.split())
    return x0, y0, x1, y1


def _check(
    directory: Path,
    labels: tuple[str, ...],
    examples: tuple[Example, ...],
    *,
    allow_split_groups: bool,
) -> None:
    known = set(labels)
    ids: set[str] = set()
    splits: dict[str, str] = {}
    for example in examples:
        split = splits.setdefault(example.group, example.split)
        fault = ""
        if not known.issuperset(example.labels):
            fault = f"label {example.label!r} is not in {LABELS}"
        elif example.split not in SPLITS:
            fault = f"split {example.split!r} is none of {', '.join(SPLITS)}"
        elif example.id in ids:
            fault = f"id {example.id} is there twice"
        elif split != example.split and not allow_split_groups:
            fault = f"group {example.group} is in {split} and in {example.split}"
        if fault:
            raise DatasetError(
                f"{directory / MANIFEST}, {example.path}: {fault}.",
                hint=f"Put {MANIFEST} and {LABELS} back as they were. Or: {AGAIN}",
            )
        ids.add(example.id)


def _find_source(directory: Path, info: Info, *, must_exist: bool) -> Path:
    recorded = info.get("source") or {}
    absolute = str(recorded.get("path", ""))
    relative = str(recorded.get("relative", ""))
    if not must_exist:
        return Path(absolute)
    # The second finds a data set that was moved together with its photos.
    places = [Path(absolute)] if absolute else []
    places += [(directory / relative).resolve()] if relative else []
    if places and directory.resolve() in places[-1].parents:
        places.reverse()  # it has its images inside
    for place in places:
        if place.is_dir():
            return place
    named = (
        " nor in ".join(map(str, dict.fromkeys(places))) or "any place that is named"
    )
    raise DatasetError(
        f"The photos of {directory} are not in {named}.",
        hint=f'Put them back, or write their new place as "path" under "source" in '
        f"{directory / INFO}.",
    )
