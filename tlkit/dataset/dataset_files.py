"""The files of a data set directory.

manifest.csv    one row per example, with the columns COLUMNS
annotations.jsonl   what was drawn on its images, whole; only where anything was
labels.txt      the class order, one label per line
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
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from tlkit.dataset.example import AGAIN, RESTORE, SPLITS, Example
from tlkit.dataset.records import BETWEEN
from tlkit.errors import DatasetError

FORMAT = 2
MANIFEST, LABELS, INFO = "manifest.csv", "labels.txt", "dataset.json"
REJECTED, NOTES, DUPLICATES = "rejected.csv", "notes.csv", "duplicates.csv"
CORRECTIONS, REPORT = "corrections.jsonl", "report.html"
COLUMNS = (
    *("id", "path", "sha256", "width", "height", "label", "split", "group"),
    *("box", "shape", "annotation"),
)
# Many times as fast as dataclasses.astuple, which copies.
_values = operator.attrgetter(*COLUMNS)


class Info(dict[str, Any]):
    """The content of dataset.json, or an object in it, which users may edit."""

    def __missing__(self, key: str) -> Any:
        """Refuse a key that was removed or misspelled."""
        raise DatasetError(f"{INFO} has no {key!r}.", hint=RESTORE)


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
        rows: One sequence per line, as long as the header.
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


def read_info(directory: Path) -> Info:
    """Read dataset.json."""
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
                hint=RESTORE,
            )
    return info


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"{path} cannot be read: {error}.", hint=AGAIN) from error


def read_labels(path: Path) -> tuple[str, ...]:
    """Read labels.txt."""
    # Not splitlines: a label may hold one of the rarer line separators of Unicode.
    labels = tuple(_text(path).removesuffix("\n").split("\n"))
    if len(set(labels)) != len(labels) or "" in labels:
        raise DatasetError(f"{path} has an empty line or a label twice.", hint=AGAIN)
    return labels


def read_examples(path: Path, *, multi_label: bool) -> tuple[Example, ...]:
    """Read manifest.csv."""
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


def check_examples(
    directory: Path,
    labels: tuple[str, ...],
    examples: tuple[Example, ...],
    *,
    allow_split_groups: bool,
) -> None:
    """Refuse examples that do not fit the labels or one another."""
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
                hint=f"Restore {MANIFEST} and {LABELS}, or run tlkit prepare again "
                "with --overwrite.",
            )
        ids.add(example.id)


def locate_source(directory: Path, info: Info, *, must_exist: bool) -> Path:
    """Find the folder of the images."""
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
