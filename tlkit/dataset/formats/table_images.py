"""Rows of tables in, pages out: which image each is about, and what it says of it."""

from __future__ import annotations

import functools
import posixpath
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from tlkit.dataset.annotations.shapes import rectangle
from tlkit.dataset.formats.table_rows import Row, Table
from tlkit.dataset.records import Annotation, ImageRecord, Rejected
from tlkit.dataset.sources.open import Source
from tlkit.imaging import decode
from tlkit.imaging import safe_read as contents
from tlkit.imaging.safe_read import Unusable
from tlkit.progress import track
from tlkit.workers import in_order

# Fewer headers are read sooner than processes are started.
FEW = 256

Entry = tuple[Table, Row]
Size = tuple[int, int]


def by_image(
    source: Source, tables: Iterable[Table]
) -> tuple[dict[str, list[Entry]], list[Rejected]]:
    """Sort rows by the image they are about.

    A name that leads to no file may be stale, so that an image elsewhere is meant; but
    not if that has rows in its own name, or others lead there as well.

    Args:
        source: What was walked.
        tables: What was read.

    Returns:
        The rows about each image, and those that lead to none.
    """
    index = source.images()
    meant: dict[str, dict[tuple[bool, str], list[Entry]]] = {}
    rejected = []
    for table in tables:
        for row in table.rows:
            named = _below(source.root, row.named)
            path = index.find(named, table.file, shared=True)
            if isinstance(path, Rejected):
                rejected.append(_lost(table, row, path.reason, path.detail))
                continue
            folder = posixpath.dirname(table.file)
            exact = path in {posixpath.normpath(f"{folder}/{named}".lstrip("/")), named}
            names = meant.setdefault(path, {})
            names.setdefault((exact, "" if exact else named), []).append((table, row))
    found: dict[str, list[Entry]] = {}
    for path, names in meant.items():
        best = max(names) if len(names) == 1 or max(names)[0] else None
        for name, each in names.items():
            if name == best:
                found[path] = each
                continue
            detail = f"Its image is not there, and {path} is another row's."
            rejected += [_lost(*entry, "image-missing", detail) for entry in each]
    return found, rejected


def _below(root: Path, named: str) -> str:
    path = named.replace("\\", "/")
    return path.removeprefix(f"{root.as_posix()}/")


def _lost(table: Table, row: Row, reason: str, detail: str) -> Rejected:
    return Rejected(table.shown, reason, f"Row {row.number}: {detail}")


def measured(
    source: Source, paths: Sequence[str]
) -> tuple[dict[str, Size], list[Rejected]]:
    """Measure images."""
    workers = 0 if source.workers is None and len(paths) < FEW else source.workers
    measure = functools.partial(_measure, source.root)
    results = in_order(measure, paths, workers=workers)
    sizes: dict[str, Size] = {}
    unreadable = []
    counted = track(results, source.progress, "Measuring images", len(paths))
    for path, size in zip(paths, counted, strict=True):
        if isinstance(size, Rejected):
            unreadable.append(size)
        else:
            sizes[path] = size
    return sizes, unreadable


def _measure(root: Path, path: str) -> Size | Rejected:
    try:
        return decode.measure(contents.read_bytes(root / path))
    except Unusable as error:
        return Rejected(path, error.reason, error.detail)


def make_pages(
    path: str, entries: Sequence[Entry], size: Size | None
) -> tuple[list[ImageRecord], list[Rejected]]:
    """Make of the rows of an image one page for each side that they are on."""
    sides: dict[str | None, list[Entry]] = defaultdict(list)
    for table, row in entries:
        sides[row.split].append((table, row))
    records = []
    rejected = []
    groups = sorted({row.group for _, row in entries if row.group})
    if len(groups) > 1:
        detail = f"In several groups: {', '.join(groups[:5])}."
        return [], [Rejected(path, "several-groups", detail)]
    for split, each in sides.items():
        objects, unfit = _boxes(path, each, size)
        labels = _labels(each)
        rejected += [*unfit, *(_without_label(path, each) if labels else ())]
        record = ImageRecord(
            path=path,
            file=each[0][0].file,
            labels=labels,
            objects=tuple(objects),
            split=split,
            group=groups[0] if groups else "",
            size=size or next((row.size for _, row in each if row.size), None),
            attributes=_common([row.rest for _, row in each]),
            shared=True,
        )
        records.append(record)
    return records, rejected


def _labels(entries: Sequence[Entry]) -> tuple[str, ...]:
    plain = [row for table, row in entries if not table.columns.boxed]
    return tuple(dict.fromkeys(label for row in plain for label in row.labels))


def _without_label(path: str, entries: Sequence[Entry]) -> Iterator[Rejected]:
    # Where no row of an image has a label, the image itself is listed.
    for table, row in entries:
        if not row.labels and not table.columns.boxed:
            detail = f"It gives {path} no label, another row does."
            yield _lost(table, row, "no-label", detail)


def _boxes(
    path: str, entries: Sequence[Entry], size: Size | None
) -> tuple[list[Annotation], list[Rejected]]:
    objects: list[Annotation] = []
    rejected = []
    for table, row in entries:
        if row.box is not None:
            objects += _things(row, size if size and table.shares else (1, 1))
        elif table.columns.boxed and row.labels:
            detail = f"{table.shown}, row {row.number}: a label without a box."
            rejected.append(Rejected(path, "no-box", detail))
    return objects, rejected


def _things(row: Row, size: Size) -> Iterator[Annotation]:
    x0, y0, x1, y1 = row.box or (0, 0, 0, 0)
    (width, height), rest = size, dict[str, object](row.rest)
    if "1" in {row.rest.get("IsGroupOf"), row.rest.get("iscrowd")}:
        rest["iscrowd"] = 1
    shape = rectangle((x0 * width, y0 * height, x1 * width, y1 * height))
    for label in row.labels or ("",):
        yield Annotation(label, (shape,), attributes=rest)


def _common(rests: Sequence[Mapping[str, str]]) -> dict[str, str]:
    first, *others = rests
    return {
        name: value
        for name, value in first.items()
        if all(rest.get(name) == value for rest in others)
    }
