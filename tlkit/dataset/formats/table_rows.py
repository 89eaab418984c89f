"""A CSV or TSV file in, its rows of texts out."""

from __future__ import annotations

import csv
import functools
import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from tlkit.dataset.annotations.shapes import Bounds, rectangle
from tlkit.dataset.formats.table_columns import CORNERS, FRAME, Columns, understood
from tlkit.dataset.formats.table_frame import Cell, frame_header, frame_rows, plain
from tlkit.dataset.records import SPLIT_NAMES, Rejected, is_label
from tlkit.dataset.sources.open import Source
from tlkit.imaging.safe_read import Unusable, count_lines, glance
from tlkit.progress import track

DELIMITERS = (",", ";", "\t")
MAX_TABLE_BYTES = 1 << 30
UTF_16 = (b"\xff\xfe", b"\xfe\xff")
# What Excel takes, and some write, above the names of the columns.
TOLD = r'"?sep=([^\w"\x00-\x08\n-\x1f])"?'
SAVE = "In Excel: File, Save As, CSV UTF-8."


class Dialect(NamedTuple):
    """How a table is written.

    Attributes:
        encoding: As Python calls it.
        delimiter: What parts its cells.
        told: Whether its first line only says so, as Excel's "sep=;" does.
    """

    encoding: str
    delimiter: str
    told: bool


def header_of(path: Path) -> tuple[str, ...]:
    """Read the names that stand above the rows of a table."""
    start = glance(path)
    dialect = _dialect(start)
    lines = _lines(start)[dialect.told :]
    try:
        return _clean(next(csv.reader(lines[:1], delimiter=dialect.delimiter), []))
    except csv.Error:
        return ()


def count_rows(path: Path) -> int:
    """Count the lines after the names, newlines within cells included."""
    above = 1 + _dialect(glance(path)).told
    return max(count_lines(path) - above, 0)


def rows_of(path: Path) -> Iterator[list[str]]:
    """Read the rows of a table after the names of its columns."""
    shown = str(path)
    if not path.is_file():
        raise Unusable("not-a-file", "Not an ordinary file.", file=shown)
    dialect = _dialect(glance(path))
    number = 1
    try:
        if path.stat().st_size > MAX_TABLE_BYTES:
            detail = f"More than the {MAX_TABLE_BYTES:,} bytes that are allowed."
            raise Unusable("too-big", detail, file=shown)
        with path.open(encoding=dialect.encoding, newline="") as file:
            if dialect.told:
                file.readline()
            reader = csv.reader(file, delimiter=dialect.delimiter)
            next(reader, None)
            for row in reader:
                number += 1
                yield row
    except UnicodeDecodeError as error:
        detail = _not_decoded(error)
        raise Unusable("not-utf8", detail, file=shown, hint=SAVE) from error
    except csv.Error as error:
        detail = f"Broken after row {number}, is a quote left open? ({error})"
        raise Unusable("broken-csv", detail, file=shown) from error
    except OSError as error:
        detail = f"It cannot be read: {error.strerror}."
        raise Unusable("unreadable", detail, file=shown) from error


def _dialect(start: bytes) -> Dialect:
    line = "".join(_lines(start)[:1])
    told = re.fullmatch(TOLD, line, re.IGNORECASE)
    return Dialect(_encoding(start), told[1] if told else _delimiter(line), bool(told))


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


def _delimiter(line: str) -> str:
    # What stands within quotes does not part cells.
    bare = "".join(line.split('"')[::2])
    return max(DELIMITERS, key=bare.count)


def _clean(names: list[str]) -> tuple[str, ...]:
    return tuple(name.strip() for name in names)


# Shares may be rounded up a little; no box in pixels ends so near to the corner.
LARGEST_SHARE = 1.01


@dataclass(frozen=True)
class Row:
    """What one row says.

    Attributes:
        number: The names of the columns stand in row 1.
        named: What it calls its image.
        labels: Several where they are separated, none where it has none.
        box: x0, y0, x1, y1; None where it has none.
        size: Width and height, where told.
        split: One of "train", "val", "test", or None.
        group: "" for none.
        rest: What the other columns say, as far as they say anything.
    """

    number: int
    named: str
    labels: tuple[str, ...] = ()
    box: Bounds | None = None
    size: tuple[int, int] | None = None
    split: str | None = None
    group: str = ""
    rest: dict[str, str] = field(default_factory=dict)


@dataclass
class Table:
    """A table that was read.

    Attributes:
        file: POSIX, relative to the source root; "" for a DataFrame.
        columns: What its columns say.
        rows: What can be used of it.
        rejected: What cannot.
    """

    file: str
    columns: Columns
    rows: list[Row] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)

    @property
    def shown(self) -> str:
        """Its name, for messages."""
        return self.file or "DataFrame"

    @functools.cached_property
    def shares(self) -> bool:
        """Whether most of its boxes can only be shares of width and height."""
        boxes = [row.box for row in self.rows if row.box]
        small = sum(all(abs(v) <= LARGEST_SHARE for v in box) for box in boxes)
        return 2 * small > len(boxes)


def read_table(source: Source, file: str) -> Table:
    """Read a table."""
    header, total, rows = _opened(source, file)
    columns = understood(header, source.reading.columns, file or FRAME)
    table = Table(file, columns)
    counted = track(rows, source.progress, "Reading the table", total)
    for found in _entries(counted, columns, source.reading.separator):
        if isinstance(found, Row):
            table.rows.append(found)
        else:
            number, reason, detail = found
            line = Rejected(table.shown, reason, f"Row {number}: {detail}.")
            table.rejected.append(line)
    return table


def _opened(
    source: Source, file: str
) -> tuple[tuple[str, ...], int, Iterable[Sequence[Cell]]]:
    if source.frame is not None:
        frame = source.frame
        return frame_header(frame), len(frame), frame_rows(frame)
    path = source.root / file
    return header_of(path), count_rows(path), _begun(path)


def _begun(path: Path) -> Iterator[list[str]]:
    # A table that cannot be read has no columns to be told of.
    rows = rows_of(path)
    first = next(rows, None)
    if first is None and not any(header_of(path)):
        raise Unusable("empty", "The file is empty.", file=str(path))
    return rows if first is None else itertools.chain([first], rows)


def _entries(
    rows: Iterable[Sequence[Cell]], columns: Columns, between: str | None
) -> Iterator[Row | tuple[int, str, str]]:
    for number, cells in enumerate(rows, 2):
        if any(cells):
            try:
                yield _entry(number, cells, columns, between)
            except Unusable as error:
                reason, detail = error.reason, error.detail
                yield number, reason, detail


def _entry(
    number: int, told: Sequence[Cell], columns: Columns, between: str | None
) -> Row:
    width = len(columns.header)
    if any(told[width:]):
        detail = f"{len(told)} cells for {width} columns, is a text not in quotes?"
        raise Unusable("bad-row", detail.rstrip("?"))
    told = (*told, *[""] * width)[:width]
    cells = [plain(cell) for cell in told]
    said = {role: cells[i] for role, i in columns.places.items()}
    if not said["path"]:
        raise Unusable("no-path", "it names no image")
    rest = {name: cells[i] for name, i in columns.others.items() if cells[i]}
    if _ruled_out(columns, rest):
        raise Unusable("ruled-out", "Confidence 0 says that its label is not there")
    split = said.get("split", "").lower()
    if split and split not in SPLIT_NAMES:
        raise Unusable("bad-split", f"{split!r} is no side of a split")
    return Row(
        number=number,
        named=said["path"],
        labels=_labels(told[columns.places["label"]], between),
        box=_box([said[role] for role in CORNERS]) if columns.boxed else None,
        size=_size(said.get("width", ""), said.get("height", "")),
        split=SPLIT_NAMES.get(split),
        group=said.get("group", ""),
        rest=rest,
    )


def _ruled_out(columns: Columns, rest: dict[str, str]) -> bool:
    # OpenImages lists what people were asked and denied as well.
    names = {columns.header[columns.places[role]] for role in ("path", "label")}
    if names != {"ImageID", "LabelName"} or "Confidence" not in rest:
        return False
    try:
        return _number(rest["Confidence"]) == 0
    except ValueError:
        return False


def _labels(cell: Cell, between: str | None) -> tuple[str, ...]:
    texts = (cell,) if isinstance(cell, str) else cell
    parts = [part.strip() for text in texts for part in _parted(text, between)]
    labels = tuple(dict.fromkeys(part for part in parts if part))
    if bad := [label for label in labels if not is_label(label)]:
        raise Unusable("bad-label", f"{bad[0]!r} cannot be a label")
    return labels


def _parted(text: str, between: str | None) -> list[str]:
    return text.split(between) if between else [text]


def _box(texts: Sequence[str]) -> Bounds | None:
    if not any(texts):
        return None
    try:
        x0, y0, x1, y1 = map(_number, texts)
    except ValueError as error:
        raise Unusable("bad-box", f"its box is {', '.join(texts)}") from error
    return rectangle((x0, y0, x1, y1)).bounds


def _number(text: str) -> float:
    return float(text.replace(",", ".") if "." not in text else text)


def _size(width: str, height: str) -> tuple[int, int] | None:
    try:
        size = int(_number(width)), int(_number(height))
    except (ValueError, OverflowError):
        return None
    return size if min(size) > 0 else None
