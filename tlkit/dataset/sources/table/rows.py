"""A CSV or TSV file in, its rows of texts out."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from tlkit.dataset.contents import UnreadableImage
from tlkit.dataset.sources.glance import glance

DELIMITERS = (",", ";", "\t")
MAX_TABLE_BYTES = 1 << 30
UTF_16 = (b"\xff\xfe", b"\xfe\xff")
CHUNK = 1 << 20


def header_of(path: Path) -> tuple[str, ...]:
    """Read the first row of a table.

    Args:
        path: Any file.

    Returns:
        The names of its columns; nothing where it cannot be read.
    """
    start = glance(path)
    text = start.decode(_encoding(start), "replace")
    line = text.splitlines()[0] if text else ""
    try:
        return _clean(next(csv.reader([line], delimiter=_delimiter(line)), []))
    except csv.Error:
        return ()


def count_lines(path: Path) -> int:
    """Count the lines of a file; 0 where it cannot be read."""
    lines, last = 0, b"\n"
    if not path.is_file():
        return 0
    try:
        with path.open("rb") as file:
            while chunk := file.read(CHUNK):
                lines += chunk.count(b"\n")
                last = chunk
    except OSError:
        return 0
    return lines + (not last.endswith(b"\n"))


def count_rows(path: Path) -> int:
    """Count the lines after the first, newlines within cells included."""
    return max(count_lines(path) - 1, 0)


def rows_of(path: Path) -> Iterator[list[str]]:
    """Read the rows of a table after the first one.

    Args:
        path: The file: UTF-8, or UTF-16 if it says so at its beginning; comma,
            semicolon or tab, whichever its first line has most of.

    Yields:
        The cells of each, as they are; none for an empty line.

    Raises:
        UnreadableImage: It cannot be read to its end, so that none of it can be
            trusted.
    """
    start = glance(path)
    encoding = _encoding(start)
    number = 1
    try:
        if path.stat().st_size > MAX_TABLE_BYTES:
            detail = f"More than the {MAX_TABLE_BYTES:,} bytes that are allowed."
            raise UnreadableImage("too-big", detail, file=str(path))
        with path.open(encoding=encoding, newline="") as file:
            line = file.readline(csv.field_size_limit())
            file.seek(0)
            reader = csv.reader(file, delimiter=_delimiter(line))
            next(reader, None)
            for row in reader:
                number += 1
                yield row
    except UnicodeDecodeError as error:
        detail = f"After row {number} it is not {encoding.removesuffix('-sig')}."
        hint = "Save it as CSV in UTF-8."
        raise UnreadableImage("not-utf8", detail, file=str(path), hint=hint) from error
    except csv.Error as error:
        detail = f"Broken after row {number}, is a quote left open? ({error})"
        raise UnreadableImage("broken-csv", detail, file=str(path)) from error
    except OSError as error:
        detail = f"It cannot be read: {error.strerror}."
        raise UnreadableImage("unreadable", detail, file=str(path)) from error


def _encoding(start: bytes) -> str:
    return "utf-16" if start.startswith(UTF_16) else "utf-8-sig"


def _delimiter(line: str) -> str:
    # What stands within quotes does not part cells.
    bare = "".join(line.split('"')[::2])
    return max(DELIMITERS, key=bare.count)


def _clean(names: list[str]) -> tuple[str, ...]:
    return tuple(name.strip() for name in names)
