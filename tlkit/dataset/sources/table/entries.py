"""A table in, what each of its rows says out, or why it says nothing."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tlkit.dataset.contents import UnreadableImage
from tlkit.dataset.geometry import BadShape, Bounds, rectangle
from tlkit.dataset.sources.page import SPLIT_NAMES, Rejection, is_label
from tlkit.dataset.sources.source import Source
from tlkit.dataset.sources.table.columns import CORNERS, FRAME, Columns, understood
from tlkit.dataset.sources.table.frame import Cell, frame_header, frame_rows, plain
from tlkit.dataset.sources.table.rows import count_rows, header_of, rows_of
from tlkit.progress import track

# Shares may be rounded up a little; no box in pixels ends so near to the corner.
LARGEST_SHARE = 1.01


@dataclass(frozen=True)
class Row:
    """What one row says.

    Attributes:
        number: The names of the columns stand in row 1.
        named: What it calls its picture.
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
    rejected: list[Rejection] = field(default_factory=list)

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
    """Read a table.

    Args:
        source: What was walked.
        file: The table, POSIX, relative to the root; "" for the source's DataFrame.

    Returns:
        What it says.

    Raises:
        UnknownColumns: Its path or its label cannot be told.
        UnreadableImage: It is empty, or cannot be read to its end.
    """
    header, total, rows = _opened(source, file)
    columns = understood(header, source.reading.columns, file or FRAME)
    table = Table(file, columns)
    counted = track(rows, source.progress, "Reading the table", total)
    for found in _entries(counted, columns, source.reading.separator):
        if isinstance(found, Row):
            table.rows.append(found)
        else:
            number, reason, detail = found
            line = Rejection(table.shown, reason, f"Row {number}: {detail}.")
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
        raise UnreadableImage("empty", "The file is empty.", file=str(path))
    return rows if first is None else itertools.chain([first], rows)


def _entries(
    rows: Iterable[Sequence[Cell]], columns: Columns, between: str | None
) -> Iterator[Row | tuple[int, str, str]]:
    for number, cells in enumerate(rows, 2):
        if any(cells):
            try:
                yield _entry(number, cells, columns, between)
            except BadShape as error:
                reason, detail = error.args
                yield number, reason, detail


def _entry(
    number: int, told: Sequence[Cell], columns: Columns, between: str | None
) -> Row:
    width = len(columns.header)
    if any(told[width:]):
        detail = f"{len(told)} cells for {width} columns, is a text not in quotes?"
        raise BadShape("bad-row", detail.rstrip("?"))
    told = (*told, *[""] * width)[:width]
    cells = [plain(cell) for cell in told]
    said = {role: cells[i] for role, i in columns.places.items()}
    if not said["path"]:
        raise BadShape("no-path", "it names no picture")
    rest = {name: cells[i] for name, i in columns.others.items() if cells[i]}
    if _ruled_out(columns, rest):
        raise BadShape("ruled-out", "Confidence 0 says that its label is not there")
    split = said.get("split", "").lower()
    if split and split not in SPLIT_NAMES:
        raise BadShape("bad-split", f"{split!r} is no side of a split")
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
        raise BadShape("bad-label", f"{bad[0]!r} cannot be a label")
    return labels


def _parted(text: str, between: str | None) -> list[str]:
    return text.split(between) if between else [text]


def _box(texts: Sequence[str]) -> Bounds | None:
    if not any(texts):
        return None
    try:
        x0, y0, x1, y1 = map(_number, texts)
    except ValueError as error:
        raise BadShape("bad-box", f"its box is {', '.join(texts)}") from error
    return rectangle((x0, y0, x1, y1)).bounds


def _number(text: str) -> float:
    return float(text.replace(",", ".") if "." not in text else text)


def _size(width: str, height: str) -> tuple[int, int] | None:
    try:
        size = int(_number(width)), int(_number(height))
    except (ValueError, OverflowError):
        return None
    return size if min(size) > 0 else None
