"""A data set directory in, a Manifest out, and back: who is in it, and as what.

manifest.csv    one row per example, columns as the fields of Example
annotations.jsonl   what was drawn on its images, whole; only where anything was
labels.txt      the class order, one label a line
corrections.jsonl   what was corrected, where anything was; it holds ever after
rejected.csv    every file that is not used, with its reason
notes.csv       what decoding did to images that are used, a line for each remark
duplicates.csv  copies, near copies and what was done about them
dataset.json    source, options, seed, counts, versions, digest
report.html     all of it to look at
"""

from __future__ import annotations

import csv
import dataclasses
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

from tlkit.dataset.splitting.examples import BETWEEN
from tlkit.errors import DatasetError
from tlkit.imaging.decode import decode
from tlkit.imaging.resize import crop, decode_resized
from tlkit.imaging.safe_read import Unusable, read_bytes

SPLITS = ("train", "val", "test")
FORMAT = 2
MANIFEST, LABELS, INFO = "manifest.csv", "labels.txt", "dataset.json"
REJECTED, NOTES, DUPLICATES = "rejected.csv", "notes.csv", "duplicates.csv"
REPORT = "report.html"

AGAIN = "Run tlkit prepare again with --overwrite."


@dataclass(frozen=True)
class Example:
    """One thing to classify: an image, or a box of one.

    Attributes:
        id: Unique in its manifest; the same for the same path, box and label.
        path: POSIX, relative to the source root. A JSON holds its image inside.
        sha256: Of the encoded image.
        width: Of the whole image, upright, in pixels.
        height: Likewise.
        label: One of the labels; of a multi-label data set several, "|" between.
        split: One of SPLITS.
        group: Examples of one group are never parted by a split.
        box: x0, y0, x1, y1 in pixels of the upright image, x1 and y1 outside of it;
            None for the whole image.
        shape: What was drawn, as JSON; "" where nothing was.
        annotation: Path of the annotation, relative to the source root; "" for none.
    """

    id: str
    path: str
    sha256: str
    width: int
    height: int
    label: str
    split: str
    group: str
    box: tuple[int, int, int, int] | None = None
    shape: str = ""
    annotation: str = ""


COLUMNS = tuple(column.name for column in dataclasses.fields(Example))
# Many times as fast as dataclasses.astuple, which copies.
_values = operator.attrgetter(*COLUMNS)


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
    try:
        data = read_bytes(source / example.path)
    except Unusable as error:
        hint = f"Put the image back. Or: {AGAIN}"
        raise Unusable(
            error.reason, error.detail, file=error.file, hint=hint
        ) from error
    if hashlib.sha256(data).hexdigest() != example.sha256:
        raise Unusable(
            "changed",
            "It is not the image it was when the data set was prepared.",
            file=str(source / example.path),
            hint=AGAIN,
        )
    try:
        if size is not None:
            return decode_resized(data, size, resize, example.box)
        pixels = decode(data).pixels
    except Unusable as error:
        file = str(source / example.path)
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
        digest: sha256 over labels and examples; where they are does not enter.
        info: The content of dataset.json.
    """

    directory: Path
    source: Path
    labels: tuple[str, ...]
    examples: tuple[Example, ...]
    checksum: str
    info: dict[str, Any] = field(compare=False, repr=False)

    def of(self, split: str) -> tuple[Example, ...]:
        """The examples of a side of the split.

        Args:
            split: One of SPLITS.

        Returns:
            Its examples, in the order of the manifest.
        """
        return tuple(example for example in self.examples if example.split == split)

    @property
    def multi_label(self) -> bool:
        """Whether an example may have several labels."""
        return bool(self.info.get("multi_label"))

    def labels_of(self, example: Example) -> tuple[str, ...]:
        """The labels of an example: one, or several in a multi-label data set."""
        return _labels(example, self.multi_label)

    def targets(self, examples: str | Sequence[Example]) -> np.ndarray:
        """The class indices of examples that have one label each.

        Args:
            examples: A side of the split, or examples.

        Returns:
            int64 [N], indices into `labels`.
        """
        chosen = self.of(examples) if isinstance(examples, str) else examples
        index = {label: i for i, label in enumerate(self.labels)}
        return np.array([index[example.label] for example in chosen], np.int64)

    def shares(self, examples: str | Sequence[Example]) -> np.ndarray:
        """Which example is of which class, for one label each or several.

        Args:
            examples: A side of the split, or examples.

        Returns:
            float32 [N, n]: 1 in the columns of the example's labels, else 0.
        """
        chosen = self.of(examples) if isinstance(examples, str) else examples
        index = {label: i for i, label in enumerate(self.labels)}
        shares = np.zeros((len(chosen), len(self.labels)), np.float32)
        for row, example in zip(shares, chosen, strict=True):
            row[[index[label] for label in self.labels_of(example)]] = 1
        return shares

    def counts(self) -> dict[str, dict[str, int]]:
        """Count the examples.

        Returns:
            For each label, in order, the number on each side, zeros included.
        """
        number = Counter(
            (label, example.split)
            for example in self.examples
            for label in self.labels_of(example)
        )
        return {
            label: {split: number[label, split] for split in SPLITS}
            for label in self.labels
        }

    @classmethod
    def read(
        cls, directory: Path | str, *, as_it_is: bool = False, find_source: bool = True
    ) -> Manifest:
        """Read a data set directory and check that it holds together.

        Args:
            directory: What prepare wrote.
            as_it_is: Take it even if it was changed since, or parts a group.
            find_source: Look whether its images are still there.

        Returns:
            The manifest.

        Raises:
            DatasetError: No such directory, or it was changed since prepare, or its
                images are no longer where they were.
        """
        directory = Path(directory)
        info = _read_info(directory)
        labels = _read_labels(directory / LABELS)
        examples = _read_examples(directory / MANIFEST)
        multi_label = bool(info.get("multi_label"))
        _check(directory, labels, examples, multi_label=multi_label, parted=as_it_is)
        checksum = digest_of(labels, examples)
        if checksum != info["checksum"] and not as_it_is:
            changed = MANIFEST if list(labels) == info.get("labels") else LABELS
            raise DatasetError(
                f"{directory / changed} was changed since it was prepared: the digest "
                f"is {checksum[:12]}, {INFO} says {str(info['checksum'])[:12]}.",
                hint=f"Put the file back as it was. Or: {AGAIN}",
            )
        source = _find_source(directory, info) if find_source else _source(info)
        return cls(directory, source, labels, examples, checksum, info)


def digest_of(labels: Sequence[str], examples: Iterable[Example]) -> str:
    """The digest of a data set's content, whatever its place and file format."""
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
            odd = any("\r" in str(value) for value in row)
            (quoted if odd else plain).writerow(row)


def _row(example: Example) -> list[object]:
    row = list(_values(example))
    box = COLUMNS.index("box")
    row[box] = "" if example.box is None else " ".join(map(str, example.box))
    return row


def _read_info(directory: Path) -> dict[str, Any]:
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
        info = json.loads(_text(path))
    except ValueError as error:
        raise DatasetError(f"{path} is not JSON: {error}.", hint=AGAIN) from error
    if not isinstance(info, dict) or "checksum" not in info:
        raise DatasetError(f"{path} is not from tlkit prepare.", hint=AGAIN)
    if info.get("format", FORMAT) != FORMAT:
        raise DatasetError(
            f"{path} has format {info['format']}, this tlkit reads {FORMAT}.",
            hint=AGAIN,
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


def _read_examples(path: Path) -> tuple[Example, ...]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = csv.reader(file)
            if tuple(next(rows, ())) != COLUMNS:
                columns = ",".join(COLUMNS)
                raise DatasetError(f"{path}: the first line is not {columns}.")
            return tuple(_example(path, rows.line_num, row) for row in rows)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"{path} cannot be read: {error}.", hint=AGAIN) from error


def _example(path: Path, line: int, row: list[str]) -> Example:
    try:
        values: dict[str, Any] = dict(zip(COLUMNS, row, strict=True))
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


def _labels(example: Example, multi_label: bool) -> tuple[str, ...]:
    return tuple(example.label.split(BETWEEN)) if multi_label else (example.label,)


def _check(
    directory: Path,
    labels: tuple[str, ...],
    examples: tuple[Example, ...],
    *,
    multi_label: bool,
    parted: bool,
) -> None:
    known = set(labels)
    ids: set[str] = set()
    sides: dict[str, str] = {}
    for example in examples:
        fault = ""
        if not known.issuperset(_labels(example, multi_label)):
            fault = f"label {example.label!r} is not in {LABELS}"
        elif example.split not in SPLITS:
            fault = f"split {example.split!r} is none of {', '.join(SPLITS)}"
        elif example.id in ids:
            fault = f"id {example.id} is there twice"
        elif (
            sides.setdefault(example.group, example.split) != example.split
            and not parted
        ):
            fault = f"group {example.group} is on both sides of a split"
        if fault:
            raise DatasetError(
                f"{directory / MANIFEST}, {example.path}: {fault}.",
                hint=f"Put {MANIFEST} and {LABELS} back as they were. Or: {AGAIN}",
            )
        ids.add(example.id)


def _source(info: dict[str, Any]) -> Path:
    named = info.get("source")
    return Path(str(named.get("path", "")) if isinstance(named, dict) else "")


def _find_source(directory: Path, info: dict[str, Any]) -> Path:
    named = info.get("source")
    named = named if isinstance(named, dict) else {}
    absolute, relative = str(named.get("path", "")), str(named.get("relative", ""))
    # The second finds a data set that was moved together with its photos.
    candidates = [Path(absolute)] if absolute else []
    candidates += [(directory / relative).resolve()] if relative else []
    if candidates and directory.resolve() in candidates[-1].parents:
        candidates.reverse()  # it has its images inside
    for candidate in candidates:
        if candidate.is_dir():
            return candidate
    places = (
        " nor in ".join(map(str, dict.fromkeys(candidates)))
        or "any place that is named"
    )
    raise DatasetError(
        f"The photos of {directory} are not in {places}.",
        hint=f'Put them back, or write their new place as "path" under "source" in '
        f"{directory / INFO}.",
    )
