"""A DataFrame in, the folder its pictures are in and the rows of texts it has out."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from tlkit.dataset.sources.columns import understood
from tlkit.dataset.sources.source import Reading
from tlkit.errors import DatasetError

if TYPE_CHECKING:
    import pandas

# Between the values of a cell, where nothing else was asked for.
BETWEEN = "|"


def placed(
    frame: pandas.DataFrame, root: Path | str | None, reading: Reading
) -> tuple[pandas.DataFrame, Path]:
    """Tell which folder the pictures of a DataFrame are in.

    Args:
        frame: With a column of paths, absolute or from the root.
        root: Where relative ones start; None for the working directory.
        reading: Which column that is, if it was said.

    Returns:
        The same with paths from the root, and the root: that which was given, else
        the smallest folder that holds all pictures.

    Raises:
        DatasetError: It has no such column, or its pictures no folder in common.
    """
    columns = understood(frame_header(frame), reading.columns, "The DataFrame")
    at = columns.places["path"]
    base = Path.cwd() if root is None else Path(root).absolute()
    named = [row[at] for row in frame_rows(frame)]
    full = [os.path.normpath(base / path) if path else "" for path in named]
    folder = str(base)
    if root is None:
        try:
            folder = os.path.commonpath({Path(path).parent for path in full if path})
        except ValueError:  # there are none, or they are on several drives
            folder = ""
        if not folder or Path(folder) == Path(folder).parent:
            hint = (
                'Say where its paths start, as in prepare(frame, out, root="photos").'
            )
            what = "The pictures of the DataFrame have no folder in common."
            raise DatasetError(what, hint=hint)
    start = folder.rstrip(os.sep) + os.sep
    same = frame.copy(deep=False)
    inside = [path.removeprefix(start) for path in full]
    pairs = zip(full, inside, named, strict=True)
    same.isetitem(at, [new if new != old else name for old, new, name in pairs])
    return same, Path(folder)


def frame_header(frame: pandas.DataFrame) -> tuple[str, ...]:
    """The names of the columns of a DataFrame."""
    return tuple(str(name).strip() for name in frame.columns)


def frame_rows(
    frame: pandas.DataFrame, between: str | None = None
) -> Iterator[list[str]]:
    """Read the rows of a DataFrame.

    Args:
        frame: Any.
        between: What is to stand between the values of a cell that has several.

    Yields:
        The cells of each as texts, "" for a missing value.
    """
    for row in frame.itertuples(index=False, name=None):
        yield [_text(value, between or BETWEEN) for value in row]


def _text(value: object, between: str) -> str:
    if isinstance(value, (list, tuple, set, frozenset)):
        return between.join(_text(one, between) for one in value)
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
