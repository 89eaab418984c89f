"""CSV and TSV tables, or a DataFrame, in, pages out: a row an image, or a row a box.

Which column says what is known by its name (see `columns`). Rows about the same image
become one page. Boxes are in pixels or, where most of them can be nothing else, shares
of the upright image's width and height, as in OpenImages.
"""

from __future__ import annotations

import itertools
import posixpath
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

from tlkit.dataset.formats.table_columns import OTHERS, UnknownColumns, understood
from tlkit.dataset.formats.table_images import by_image, make_pages, measured
from tlkit.dataset.formats.table_rows import (
    Row,
    Table,
    count_rows,
    header_of,
    read_table,
    rows_of,
)
from tlkit.dataset.records import (
    SPLIT_NAMES,
    ImageRecord,
    ParsedSource,
    Rejected,
    natural_key,
)
from tlkit.dataset.sources.image_paths import SUFFIXES as IMAGES
from tlkit.dataset.sources.open import Source
from tlkit.errors import DatasetError
from tlkit.imaging.safe_read import Unusable

SUFFIXES = (".csv", ".tsv")
# Those of a table that was named by itself; Excel's "Unicode Text" is a .txt.
NAMED_SUFFIXES = (*SUFFIXES, ".txt", ".tab")
# So many rows are looked at to tell whether a table is about the images beside it.
SAMPLE = 100
MARKS = ("|", ";")


def count_rows_about_images(source: Source) -> int:
    """Count the rows of tables that are about images."""
    if source.frame is not None:
        return max(len(source.frame), 1)
    files = _files(source)
    if not files:
        return 0
    names = {posixpath.basename(file) for file in source.files}
    names |= {posixpath.splitext(name)[0] for name in names}
    return sum(_claimed(source, file, names) for file in files)


def _files(source: Source) -> list[str]:
    return source.ending(*(NAMED_SUFFIXES if source.only else SUFFIXES))


def _claimed(source: Source, file: str, names: set[str]) -> int:
    path = source.root / file
    header = header_of(path)
    if source.only and file.lower().endswith(SUFFIXES):
        return 0 if OTHERS.intersection(header) else max(count_rows(path), 1)
    try:
        columns = understood(header, source.reading.columns, file)
        if source.only:
            return max(count_rows(path), 1)
        rows = list(itertools.islice(rows_of(path), SAMPLE))
    except UnknownColumns:
        return 0
    except Unusable:
        # Nothing else can be meant where no folders are; reading it tells its fault.
        return int(not any("/" in name for name in source.files))
    at = columns.places["path"]
    called = [re.split(r"[/\\]", row[at])[-1].strip() for row in rows if row[at:]]
    known = sum(name in names for name in called)
    return count_rows(path) if 0 < known >= len(called) / 2 else 0


def read(source: Source) -> ParsedSource:
    """List what tables say of images."""
    tables, rejected = _tables(source)
    if not rejected and not any(table.rows or table.rejected for table in tables):
        raise DatasetError(f"{tables[0].shown} has no rows below the names.")
    _sides_by_name(tables)
    found, lost = by_image(source, tables)
    rejected += [*source.rejected, *lost, *(r for t in tables for r in t.rejected)]
    shared = [path for path, each in found.items() if any(t.shares for t, _ in each)]
    sizes, unreadable = measured(source, shared)
    rejected += unreadable
    records: list[ImageRecord] = []
    for path in found.keys() - {rejection.file for rejection in unreadable}:
        made, unfit = make_pages(path, found[path], sizes.get(path))
        records += made
        rejected += unfit
    rows = [row for table in tables for row in table.rows]
    return ParsedSource(
        files=_of_source(source, {record.path for record in records}),
        records=tuple(_sides_by_folder(sorted(records, key=_place))),
        rejected=tuple(rejected),
        note=_note(tables),
        warnings=tuple(_marked(source, rows)),
        consumed=frozenset(table.file for table in tables if table.file),
    )


def _tables(source: Source) -> tuple[list[Table], list[Rejected]]:
    if source.frame is not None:
        return [read_table(source, "")], []
    tables = []
    faults: list[DatasetError] = []
    rejected = []
    for file in _files(source):
        try:
            tables.append(read_table(source, file))
        except UnknownColumns as error:
            faults.append(error)
            rejected.append(Rejected(file, "unknown-columns", error.message))
        except Unusable as error:
            faults.append(error)
            rejected.append(Rejected(file, error.reason, error.detail))
    if not tables:
        raise _none_of(source, faults)
    return tables, rejected


def _none_of(source: Source, faults: Sequence[DatasetError]) -> DatasetError:
    if not faults:
        suffixes = ", ".join(NAMED_SUFFIXES if source.only else SUFFIXES)
        message = f"{source.place}: expected a table ({suffixes}), found none."
        return DatasetError(message, hint="Save it as CSV UTF-8.")
    if len(faults) == 1:
        return faults[0]
    lines = [f"{source.place}: none of {len(faults)} tables can be used."]
    lines += [f"  {fault.message}" for fault in faults[:10]]
    return DatasetError("\n".join(lines), hint=faults[0].hint)


def _of_source(source: Source, used: Collection[str]) -> tuple[str, ...]:
    """Beside a table that was named, only the images are of its source."""
    if not source.only and source.frame is None:
        return source.files
    return tuple(
        file
        for file in source.files
        if file == source.only or file in used or file.lower().endswith(IMAGES)
    )


def _sides_by_name(tables: Sequence[Table]) -> None:
    """Tables train.csv and val_labels.csv are the sides of a split."""
    if len(tables) < 2 or any("split" in table.columns.places for table in tables):
        return
    for table in tables:
        words = re.split(r"[^a-z]+", posixpath.basename(table.file).lower())
        sides = {SPLIT_NAMES[word] for word in words if word in SPLIT_NAMES}
        if len(sides) == 1:
            table.rows[:] = [replace(row, split=min(sides)) for row in table.rows]


def _sides_by_folder(records: Sequence[ImageRecord]) -> Iterator[ImageRecord]:
    """Images in folders train and val, all of them, are the sides of a split."""
    sides = [SPLIT_NAMES.get(record.path.split("/")[0].lower()) for record in records]
    told = (
        any(record.split for record in records) or None in sides or len(set(sides)) < 2
    )
    for record, side in zip(records, sides, strict=True):
        yield record if told else replace(record, split=side)


def _place(record: ImageRecord) -> tuple[object, ...]:
    return natural_key(record.path), record.split or ""


def _note(tables: Sequence[Table]) -> str:
    first = tables[0]
    more = f" and {len(tables) - 1} more" if len(tables) > 1 else ""
    boxes = ""
    if first.columns.boxed:
        boxes = " Boxes are shares of width and height." if first.shares else ""
        boxes = boxes or " Boxes are in pixels."
    return f"Read as a table, {first.shown}{more}: {first.columns}.{boxes}"


def _marked(source: Source, rows: Sequence[Row]) -> Iterator[str]:
    if source.reading.separator:
        return
    for mark in MARKS:
        marked = [row.labels[0] for row in rows if row.labels and mark in row.labels[0]]
        if 2 * len(marked) > len(rows):
            frame = source.frame is not None
            option = f"separator='{mark}'" if frame else f"--separator '{mark}'"
            yield (
                f"Most labels hold {mark!r}, as in {marked[0]!r}: {option} makes "
                "several labels of each."
            )
