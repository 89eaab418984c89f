"""A CSV or TSV file in, its rows of texts out."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tlkit.dataset.contents import UnreadableImage
from tlkit.dataset.sources.glance import glance

DELIMITERS = (",", ";", "\t")
MAX_TABLE_BYTES = 1 << 30
UTF_16 = (b"\xff\xfe", b"\xfe\xff")
CHUNK = 1 << 20
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
    """Read the names that stand above the rows of a table.

    Args:
        path: Any file.

    Returns:
        The names of its columns; nothing where it cannot be read.
    """
    start = glance(path)
    dialect = _dialect(start)
    lines = _lines(start)[dialect.told :]
    try:
        return _clean(next(csv.reader(lines[:1], delimiter=dialect.delimiter), []))
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
    """Count the lines after the names, newlines within cells included."""
    above = 1 + _dialect(glance(path)).told
    return max(count_lines(path) - above, 0)


def rows_of(path: Path) -> Iterator[list[str]]:
    """Read the rows of a table after the names of its columns.

    Args:
        path: The file: UTF-8, or UTF-16 if it says so at its beginning; comma,
            semicolon or tab, whichever its first line has most of, or what that line
            says as Excel has it, "sep=;".

    Yields:
        The cells of each, as they are; none for an empty line.

    Raises:
        UnreadableImage: It cannot be read to its end, so that none of it can be
            trusted.
    """
    shown = str(path)
    if not path.is_file():
        raise UnreadableImage("not-a-file", "Not an ordinary file.", file=shown)
    dialect = _dialect(glance(path))
    number = 1
    try:
        if path.stat().st_size > MAX_TABLE_BYTES:
            detail = f"More than the {MAX_TABLE_BYTES:,} bytes that are allowed."
            raise UnreadableImage("too-big", detail, file=shown)
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
        raise UnreadableImage("not-utf8", detail, file=shown, hint=SAVE) from error
    except csv.Error as error:
        detail = f"Broken after row {number}, is a quote left open? ({error})"
        raise UnreadableImage("broken-csv", detail, file=shown) from error
    except OSError as error:
        detail = f"It cannot be read: {error.strerror}."
        raise UnreadableImage("unreadable", detail, file=shown) from error


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
