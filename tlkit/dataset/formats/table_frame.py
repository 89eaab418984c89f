"""A DataFrame in, the folder its images are in and the rows of texts it has out.

A cell may hold several values, in a list, tuple, set or array: several labels.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tlkit.dataset.formats.table_columns import FRAME, understood
from tlkit.dataset.sources.open import ReaderOptions
from tlkit.errors import DatasetError, UsageError

if TYPE_CHECKING:
    import pandas

# Texts, where it has several values.
Cell = str | tuple[str, ...]
# Between them, where one text is needed.
BETWEEN = "|"


def placed(
    frame: pandas.DataFrame, root: Path | str | None, reading: ReaderOptions
) -> tuple[pandas.DataFrame, Path]:
    """Tell which folder the images of a DataFrame are in."""
    _check(frame)
    columns = understood(frame_header(frame), reading.columns, FRAME)
    at = columns.places["path"]
    base = Path.cwd() if root is None else Path(root).absolute()
    named = [plain(row[at]) for row in frame_rows(frame)]
    if not any(named):
        raise DatasetError(f"{FRAME} names no images: its paths are all missing.")
    full = [os.path.normpath(base / path) if path else "" for path in named]
    folder = str(base)
    if root is None:
        try:
            folder = os.path.commonpath({Path(path).parent for path in full if path})
        except ValueError:  # they are on several drives
            folder = ""
        if not folder or Path(folder) == Path(folder).parent:
            hint = (
                'Say where its paths start, as in prepare(frame, out, root="photos").'
            )
            what = "The images of the DataFrame have no folder in common."
            raise DatasetError(what, hint=hint)
    start = folder.rstrip(os.sep) + os.sep
    same = frame.copy(deep=False)
    inside = [path.removeprefix(start) for path in full]
    pairs = zip(full, inside, named, strict=True)
    same.isetitem(at, [new if new != old else name for old, new, name in pairs])
    return same, Path(folder)


def _check(frame: object) -> None:
    import pandas  # slow, and seldom needed

    if not isinstance(frame, pandas.DataFrame):
        raise UsageError(
            "Expected a path of a folder or a file, or a pandas DataFrame of paths and "
            f"labels. Received: {type(frame).__name__}.",
            hint='Make one: pandas.DataFrame({"path": [...], "label": [...]})',
        )
    if not len(frame):
        raise DatasetError(f"{FRAME} has no rows.")


def frame_header(frame: pandas.DataFrame) -> tuple[str, ...]:
    """The names of the columns of a DataFrame."""
    return tuple(str(name).strip() for name in frame.columns)


def frame_rows(frame: pandas.DataFrame) -> Iterator[list[Cell]]:
    """Read the rows of a DataFrame."""
    for row in frame.itertuples(index=False, name=None):
        yield [_cell(value) for value in row]


def plain(cell: Cell) -> str:
    """One text for a cell, without space around it."""
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
    # NaN, NaT and NA are all not equal to themselves, or will not say.
    try:
        missing = value is None or bool(value != value)
    except (TypeError, ValueError):
        missing = type(value).__name__ == "NAType"
    if missing:
        return ""
    if isinstance(value, float) and math.isfinite(value) and value == int(value):
        return str(int(value))  # as it was before a missing value made it a float
    return str(value)
