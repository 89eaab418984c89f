"""Rows of a table, one per image or per box, checked cell by cell."""

from __future__ import annotations

import functools
import itertools
import posixpath
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tlkit.dataset.annotations.shapes import Bounds, rectangle
from tlkit.dataset.formats.table_cells import (
    Cell,
    count_rows,
    frame_header,
    frame_rows,
    header_of,
    plain,
    rows_of,
)
from tlkit.dataset.formats.table_columns import CORNERS, FRAME, Columns, find_columns
from tlkit.dataset.records import SPLIT_NAMES, Rejected, is_label
from tlkit.dataset.sources.open import Source
from tlkit.imaging.safe_read import Unusable
from tlkit.progress import track

# Relative coordinates may be rounded up a little; no box in pixels ends so near to 0.
LARGEST_SHARE = 1.01


@dataclass(frozen=True)
class Row:
    """The cells of one row, by role."""

    number: int  # the header is row 1
    image: str  # as written
    labels: tuple[str, ...] = ()
    bbox: Bounds | None = None
    size: tuple[int, int] | None = None  # width and height
    split: str | None = None
    group: str = ""
    rest: dict[str, str] = field(default_factory=dict)  # cells of the other columns


@dataclass
class Table:
    """A table that was read."""

    file: str  # POSIX, relative to the source root; "" for a DataFrame
    columns: Columns
    rows: list[Row] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)

    @property
    def shown(self) -> str:
        """Its name in messages."""
        return self.file or "DataFrame"

    @functools.cached_property
    def relative(self) -> bool:
        """True if most of its boxes can only be shares of width and height."""
        boxes = [row.bbox for row in self.rows if row.bbox]
        small = sum(all(abs(v) <= LARGEST_SHARE for v in box) for box in boxes)
        return 2 * small > len(boxes)


Entry = tuple[Table, Row]


def read_table(source: Source, file: str) -> Table:
    """Read the table in a file, or the DataFrame of a source."""
    if source.frame is not None:
        header, total = frame_header(source.frame), len(source.frame)
        rows = frame_rows(source.frame)
    else:
        path = source.root / file
        header, total = header_of(path), count_rows(path)
        rows = _begun(path)
    table = Table(file, find_columns(header, source.options.columns, file or FRAME))
    tracked = track(rows, source.progress, "Reading the table", total)
    for number, cells in enumerate(tracked, 2):
        if any(cells):
            try:
                table.rows.append(
                    _row(number, cells, table.columns, source.options.separator)
                )
            except Unusable as error:
                detail = f"Row {number}: {error.detail}."
                table.rejected.append(Rejected(table.shown, error.reason, detail))
    return table


def _begun(path: Path) -> Iterator[Sequence[Cell]]:
    # A table that cannot be read must fail here, before its columns are looked for.
    rows = rows_of(path)
    first = next(rows, None)
    if first is None and not any(header_of(path)):
        raise Unusable("empty", "The file is empty.", file=str(path))
    return rows if first is None else itertools.chain([first], rows)


def _row(
    number: int, cells: Sequence[Cell], columns: Columns, separator: str | None
) -> Row:
    width = len(columns.header)
    if any(cells[width:]):
        detail = f"{len(cells)} cells for {width} columns, is a text not in quotes"
        raise Unusable("bad-row", detail)
    cells = (*cells, *[""] * width)[:width]
    texts = [plain(cell) for cell in cells]
    by_role = {role: texts[i] for role, i in columns.places.items()}
    if not by_role["path"]:
        raise Unusable("no-path", "it names no image")
    rest = {name: texts[i] for name, i in columns.others.items() if texts[i]}
    if _ruled_out(columns, rest):
        raise Unusable("ruled-out", "Confidence 0 means that its label is not there")
    split = by_role.get("split", "").lower()
    if split and split not in SPLIT_NAMES:
        raise Unusable("bad-split", f"{split!r} is not a split")
    return Row(
        number=number,
        image=by_role["path"],
        labels=_labels(cells[columns.places["label"]], separator),
        bbox=_bbox([by_role[role] for role in CORNERS]) if columns.boxed else None,
        size=_size(by_role.get("width", ""), by_role.get("height", "")),
        split=SPLIT_NAMES.get(split),
        group=by_role.get("group", ""),
        rest=rest,
    )


def _ruled_out(columns: Columns, rest: dict[str, str]) -> bool:
    # OpenImages also lists labels that annotators were asked for and denied.
    names = {columns.header[columns.places[role]] for role in ("path", "label")}
    if names != {"ImageID", "LabelName"} or "Confidence" not in rest:
        return False
    try:
        return _number(rest["Confidence"]) == 0
    except ValueError:
        return False


def _labels(cell: Cell, separator: str | None) -> tuple[str, ...]:
    texts = (cell,) if isinstance(cell, str) else cell
    if separator:
        texts = tuple(part for text in texts for part in text.split(separator))
    labels = tuple(dict.fromkeys(text.strip() for text in texts if text.strip()))
    if bad := [label for label in labels if not is_label(label)]:
        raise Unusable("bad-label", f"{bad[0]!r} cannot be a label")
    return labels


def _bbox(texts: Sequence[str]) -> Bounds | None:
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


def by_image(
    source: Source, tables: Iterable[Table]
) -> tuple[dict[str, list[Entry]], list[Rejected]]:
    """Return the rows about each image, and rows that lead to none.

    A name that leads to no file may be stale, so that an image elsewhere is meant; but
    not if that has rows in its own name, or other names lead there as well.
    """
    index = source.images()
    named: dict[str, dict[tuple[bool, str], list[Entry]]] = {}
    rejected = []
    for table in tables:
        for row in table.rows:
            name = _below(source.root, row.image)
            path = index.find(name, table.file, shared=True)
            if isinstance(path, Rejected):
                rejected.append(rejected_row(table, row, path.reason, path.detail))
                continue
            folder = posixpath.dirname(table.file)
            exact = path in {posixpath.normpath(f"{folder}/{name}".lstrip("/")), name}
            names = named.setdefault(path, {})
            names.setdefault((exact, "" if exact else name), []).append((table, row))
    found: dict[str, list[Entry]] = {}
    for path, names in named.items():
        best = max(names) if len(names) == 1 or max(names)[0] else None
        for key, entries in names.items():
            if key == best:
                found[path] = entries
                continue
            detail = f"Its image is not there, and {path} is another row's."
            rejected += [
                rejected_row(*each, "image-missing", detail) for each in entries
            ]
    return found, rejected


def _below(root: Path, name: str) -> str:
    return name.replace("\\", "/").removeprefix(f"{root.as_posix()}/")


def rejected_row(table: Table, row: Row, reason: str, detail: str) -> Rejected:
    """Reject a row of a table; the detail is a sentence."""
    return Rejected(table.shown, reason, f"Row {row.number}: {detail}")
