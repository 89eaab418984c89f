"""Reader of tables (CSV, TSV, DataFrame): one row per image, or one per box.

The roles of the columns are known by their names (see `table_columns`). Rows about the
same image become one record. Boxes are in pixels or, where most of them can be nothing
else, shares of the oriented image's width and height, as in OpenImages.
"""

from __future__ import annotations

import itertools
import posixpath
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from tlkit.dataset.annotations.shapes import rectangle
from tlkit.dataset.formats.common import top_split
from tlkit.dataset.formats.table_cells import count_rows, header_of, rows_of
from tlkit.dataset.formats.table_columns import OTHERS, UnknownColumns, find_columns
from tlkit.dataset.formats.table_rows import (
    Entry,
    Table,
    by_image,
    read_table,
    rejected_row,
)
from tlkit.dataset.records import (
    SPLIT_NAMES,
    Annotation,
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
# Rows that are compared with the files to see if a table is about images of the source.
SAMPLE = 100
# Characters that often separate several labels.
SEPARATORS = ("|", ";")


def count_rows_about_images(source: Source) -> int:
    """Count the rows of tables that are about images."""
    if source.frame is not None:
        return max(len(source.frame), 1)
    files = _files(source)
    if not files:
        return 0
    names = {posixpath.basename(file) for file in source.files}
    names |= {posixpath.splitext(name)[0] for name in names}
    return sum(_count_rows(source, file, names) for file in files)


def _files(source: Source) -> list[str]:
    return source.ending(*(NAMED_SUFFIXES if source.only else SUFFIXES))


def _count_rows(source: Source, file: str, names: set[str]) -> int:
    path = source.root / file
    header = header_of(path)
    if source.only and file.lower().endswith(SUFFIXES):
        return 0 if OTHERS.intersection(header) else max(count_rows(path), 1)
    try:
        columns = find_columns(header, source.options.columns, file)
        if source.only:
            return max(count_rows(path), 1)
        rows = list(itertools.islice(rows_of(path), SAMPLE))
    except UnknownColumns:
        return 0
    except Unusable:
        # Without folders nothing else can be meant; its reader names the fault.
        return int(not any("/" in name for name in source.files))
    at = columns.places["path"]
    named = [re.split(r"[/\\]", row[at])[-1].strip() for row in rows if row[at:]]
    known = sum(name in names for name in named)
    return count_rows(path) if 0 < known >= len(named) / 2 else 0


def read(source: Source) -> ParsedSource:
    """Read the tables of a source."""
    tables, rejected = _tables(source)
    if not rejected and not any(table.rows or table.rejected for table in tables):
        raise DatasetError(f"{tables[0].shown} has no rows below the names.")
    _split_by_file_names(tables)
    found, missing = by_image(source, tables)
    rejected += [*source.rejected, *missing, *(r for t in tables for r in t.rejected)]
    records: list[ImageRecord] = []
    for path, entries in found.items():
        made, unusable = _records(path, entries)
        records += made
        rejected += unusable
    records.sort(key=lambda record: (natural_key(record.path), record.split or ""))
    return ParsedSource(
        files=_of_source(source, {record.path for record in records}),
        records=tuple(_split_by_folders(records)),
        rejected=tuple(rejected),
        note=_note(tables),
        warnings=tuple(_separators(source, tables)),
        annotation_files=frozenset(table.file for table in tables if table.file),
    )


def _tables(source: Source) -> tuple[list[Table], list[Rejected]]:
    if source.frame is not None:
        return [read_table(source, "")], []
    tables, rejected = [], []
    faults: list[DatasetError] = []
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
        raise _no_table(source, faults)
    return tables, rejected


def _no_table(source: Source, faults: Sequence[DatasetError]) -> DatasetError:
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
    """Return the files of a source; of the folder of a named table, only images."""
    if not source.only and source.frame is None:
        return source.files
    return tuple(
        file
        for file in source.files
        if file == source.only or file in used or file.lower().endswith(IMAGES)
    )


def _split_by_file_names(tables: Sequence[Table]) -> None:
    """Take tables such as train.csv and val_labels.csv for splits."""
    if len(tables) < 2 or any("split" in table.columns.places for table in tables):
        return
    for table in tables:
        words = re.split(r"[^a-z]+", posixpath.basename(table.file).lower())
        splits = {SPLIT_NAMES[word] for word in words if word in SPLIT_NAMES}
        if len(splits) == 1:
            table.rows[:] = [replace(row, split=min(splits)) for row in table.rows]


def _split_by_folders(records: Sequence[ImageRecord]) -> Sequence[ImageRecord]:
    """Take the folders of the images for splits if all images are in such folders."""
    splits = [top_split(record.path) for record in records]
    given = any(record.split for record in records)
    if given or None in splits or len(set(splits)) < 2:
        return records
    return [replace(r, split=split) for r, split in zip(records, splits, strict=True)]


def _records(
    path: str, entries: Sequence[Entry]
) -> tuple[list[ImageRecord], list[Rejected]]:
    """Make one record per split, and per unit of boxes, of the rows about an image."""
    groups = sorted({row.group for _, row in entries if row.group})
    if len(groups) > 1:
        detail = f"In several groups: {', '.join(groups[:5])}."
        return [], [Rejected(path, "several-groups", detail)]
    records, rejected = [], []
    relative = any(table.relative for table, _ in entries)
    parts: dict[tuple[str | None, bool], list[Entry]] = defaultdict(list)
    for table, row in entries:
        same_unit = table.relative or not table.columns.boxed
        parts[row.split, relative and same_unit].append((table, row))
    for (split, in_shares), part in parts.items():
        objects, unusable = _objects(path, part)
        plain = [row for table, row in part if not table.columns.boxed]
        labels = tuple(dict.fromkeys(label for row in plain for label in row.labels))
        rejected += [*unusable, *(_without_label(path, part) if labels else ())]
        sizes = [row.size for _, row in part if row.size and not in_shares]
        record = ImageRecord(
            path=path,
            file=part[0][0].file,
            labels=labels,
            objects=tuple(objects),
            split=split,
            group="".join(groups),
            size=sizes[0] if sizes else None,
            attributes=_common([row.rest for _, row in part]),
            shared=True,
            relative=in_shares,
        )
        records.append(record)
    return records, rejected


def _without_label(path: str, entries: Sequence[Entry]) -> Iterator[Rejected]:
    # Where no row of an image has a label, the image itself is listed.
    for table, row in entries:
        if not row.labels and not table.columns.boxed:
            detail = f"It gives {path} no label, another row does."
            yield rejected_row(table, row, "no-label", detail)


def _objects(
    path: str, entries: Sequence[Entry]
) -> tuple[list[Annotation], list[Rejected]]:
    objects: list[Annotation] = []
    rejected = []
    for table, row in entries:
        if row.bbox is not None:
            rest = dict[str, object](row.rest)
            if "1" in {row.rest.get("IsGroupOf"), row.rest.get("iscrowd")}:
                rest["iscrowd"] = 1
            shapes = (rectangle(row.bbox),)
            objects += [
                Annotation(label, shapes, attributes=rest)
                for label in row.labels or ("",)
            ]
        elif table.columns.boxed and row.labels:
            detail = f"{table.shown}, row {row.number}: a label without a box."
            rejected.append(Rejected(path, "no-box", detail))
    return objects, rejected


def _common(rests: Sequence[Mapping[str, str]]) -> dict[str, str]:
    first, *others = rests
    return {
        name: value
        for name, value in first.items()
        if all(rest.get(name) == value for rest in others)
    }


def _note(tables: Sequence[Table]) -> str:
    first = tables[0]
    more = f" and {len(tables) - 1} more" if len(tables) > 1 else ""
    unit = "shares of width and height" if first.relative else "in pixels"
    boxes = f" Boxes are {unit}." if first.columns.boxed else ""
    return f"Read as a table, {first.shown}{more}: {first.columns}.{boxes}"


def _separators(source: Source, tables: Iterable[Table]) -> Iterator[str]:
    if source.options.separator:
        return
    rows = [row for table in tables for row in table.rows]
    for mark in SEPARATORS:
        marked = [row.labels[0] for row in rows if row.labels and mark in row.labels[0]]
        if 2 * len(marked) > len(rows):
            frame = source.frame is not None
            option = f"separator='{mark}'" if frame else f"--separator '{mark}'"
            yield (
                f"Most labels hold {mark!r}, such as {marked[0]!r}: {option} makes "
                "several labels of each."
            )
