"""Rows of cells, as texts, of a CSV or TSV file or of a DataFrame."""

from __future__ import annotations

import csv
import math
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tlkit.dataset.formats.table_columns import FRAME, find_columns
from tlkit.dataset.sources.open import ReaderOptions
from tlkit.errors import DatasetError, UsageError
from tlkit.imaging.safe_read import Unusable, count_lines, glance

if TYPE_CHECKING:
    import pandas

DELIMITERS = (",", ";", "\t")
MAX_TABLE_BYTES = 1 << 30
UTF_16 = (b"\xff\xfe", b"\xfe\xff")
# The line that Excel takes, and some write, above the names of the columns.
SEPARATOR_LINE = r'"?sep=([^\w"\x00-\x08\n-\x1f])"?'
SAVE = "In Excel: File, Save As, CSV UTF-8."
# Texts, where a cell of a DataFrame has several: several labels.
Cell = str | tuple[str, ...]
# Between them, where one text is needed.
BETWEEN = "|"


class Dialect(NamedTuple):
    """The way a table is written."""

    encoding: str
    delimiter: str
    above: int  # lines above the header: 1 where the first is Excel's "sep=;"


def header_of(path: Path) -> tuple[str, ...]:
    """Read the names of the columns of a table; () where there are none."""
    start = glance(path)
    dialect = _dialect(start)
    lines = _lines(start)[dialect.above :][:1]
    try:
        names = next(csv.reader(lines, delimiter=dialect.delimiter), [])
    except csv.Error:
        return ()
    return tuple(name.strip() for name in names)


def count_rows(path: Path) -> int:
    """Count the lines below the header, newlines within cells included."""
    return max(count_lines(path) - 1 - _dialect(glance(path)).above, 0)


def rows_of(path: Path) -> Iterator[list[str]]:
    """Read the rows of a table below the header."""
    file = str(path)
    if not path.is_file():
        raise Unusable("not-a-file", "Not an ordinary file.", file=file)
    encoding, delimiter, above = _dialect(glance(path))
    number = 1
    try:
        if path.stat().st_size > MAX_TABLE_BYTES:
            detail = f"More than the {MAX_TABLE_BYTES:,} bytes that are allowed."
            raise Unusable("too-big", detail, file=file)
        with path.open(encoding=encoding, newline="") as content:
            for _ in range(above):
                content.readline()
            reader = csv.reader(content, delimiter=delimiter)
            next(reader, None)
            for row in reader:
                number += 1
                yield row
    except UnicodeDecodeError as error:
        detail = _not_decoded(error)
        raise Unusable("not-utf8", detail, file=file, hint=SAVE) from error
    except csv.Error as error:
        detail = f"Broken after row {number}, is a quote left open? ({error})"
        raise Unusable("broken-csv", detail, file=file) from error
    except OSError as error:
        detail = f"It cannot be read: {error.strerror}."
        raise Unusable("unreadable", detail, file=file) from error


def _dialect(start: bytes) -> Dialect:
    line = "".join(_lines(start)[:1])
    if stated := re.fullmatch(SEPARATOR_LINE, line, re.IGNORECASE):
        return Dialect(_encoding(start), stated[1], 1)
    # Within quotes, a delimiter is text.
    bare = "".join(line.split('"')[::2])
    return Dialect(_encoding(start), max(DELIMITERS, key=bare.count), 0)


def _encoding(start: bytes) -> str:
    return "utf-16" if start.startswith(UTF_16) else "utf-8-sig"


def _lines(start: bytes) -> list[str]:
    return start.decode(_encoding(start), "replace").splitlines()


def _not_decoded(error: UnicodeDecodeError) -> str:
    if error.encoding.startswith("utf-16"):
        return "It begins as UTF-16, but is not: save it as CSV UTF-8."
    byte = error.object[error.start]
    return (
        f"It is not in UTF-8 (byte 0x{byte:02X}), but perhaps in Windows-1252, as "
        "plain CSV from Excel is: save it as CSV UTF-8."
    )


def place_frame(
    frame: pandas.DataFrame, root: Path | str | None, reading: ReaderOptions
) -> tuple[pandas.DataFrame, Path]:
    """Return a DataFrame with paths relative to the folder of its images, and it."""
    _check(frame)
    columns = find_columns(frame_header(frame), reading.columns, FRAME)
    at = columns.places["path"]
    base = Path.cwd() if root is None else Path(root).absolute()
    named = [plain(row[at]) for row in frame_rows(frame)]
    if not any(named):
        raise DatasetError(f"{FRAME} names no images: its paths are all missing.")
    full = [os.path.normpath(base / path) if path else "" for path in named]
    folder = str(base) if root is not None else _common_folder(full)
    start = folder.rstrip(os.sep) + os.sep
    same = frame.copy(deep=False)
    inside = [path.removeprefix(start) for path in full]
    pairs = zip(full, inside, named, strict=True)
    same.isetitem(at, [new if new != old else name for old, new, name in pairs])
    return same, Path(folder)


def _common_folder(paths: list[str]) -> str:
    try:
        folder = os.path.commonpath({Path(path).parent for path in paths if path})
    except ValueError:  # they are on several drives
        folder = ""
    if not folder or Path(folder) == Path(folder).parent:
        raise DatasetError(
            "The images of the DataFrame have no folder in common.",
            hint="Name the folder that its paths start from, such as "
            'prepare(frame, out, root="photos").',
        )
    return folder


def _check(frame: object) -> None:
    import pandas  # slow, and seldom needed

    if not isinstance(frame, pandas.DataFrame):
        raise UsageError(
            "Expected a path of a folder or a file, or a pandas DataFrame of paths and "
            f"labels, got {type(frame).__name__}.",
            hint='Make one: pandas.DataFrame({"path": [...], "label": [...]})',
        )
    if not len(frame):
        raise DatasetError(f"{FRAME} has no rows.")


def frame_header(frame: pandas.DataFrame) -> tuple[str, ...]:
    """Return the names of the columns of a DataFrame."""
    return tuple(str(name).strip() for name in frame.columns)


def frame_rows(frame: pandas.DataFrame) -> Iterator[Sequence[Cell]]:
    """Read the rows of a DataFrame."""
    for row in frame.itertuples(index=False, name=None):
        yield [_cell(value) for value in row]


def plain(cell: Cell) -> str:
    """Return one text for a cell, without space around it."""
    return (cell if isinstance(cell, str) else BETWEEN.join(cell)).strip()


def _cell(value: object) -> Cell:
    if isinstance(value, (set, frozenset)):
        return tuple(sorted(map(_text, value)))
    if isinstance(value, (list, tuple)):
        return tuple(map(_text, value))
    if isinstance(value, np.ndarray) and value.ndim:
        return tuple(map(_text, value.ravel().tolist()))
    return _text(value)


def _text(value: object) -> str:
    # NaN, NaT and NA are all not equal to themselves, or refuse to compare.
    try:
        missing = value is None or bool(value != value)
    except (TypeError, ValueError):
        missing = type(value).__name__ == "NAType"
    if missing:
        return ""
    if isinstance(value, float) and math.isfinite(value) and value == int(value):
        return str(int(value))  # as it was before a missing value made it a float
    return str(value)
