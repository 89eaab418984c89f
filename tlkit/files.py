"""Files written whole or not at all."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tlkit.errors import UsageError


def write_text(path: Path, text: str) -> None:
    """Put a text in place in one step; a kill leaves the old file or the new one.

    Args:
        path: Where to; the folder exists.
        text: UTF-8 is written, newlines as they are.

    Raises:
        OSError: It cannot be written; nothing is left of the attempt.
    """
    draft = aside(path)
    try:
        draft.write_text(text, encoding="utf-8", newline="\n")
        draft.replace(path)
    except OSError:
        draft.unlink(missing_ok=True)
        raise


def write_json(path: Path, value: Any) -> None:
    """Put a value in place as indented JSON, in one step.

    Args:
        path: Where to; the folder exists.
        value: What json can hold.
    """
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
    write_text(path, text + "\n")


@contextlib.contextmanager
def replaced_directory(
    path: Path, *, marker: str, overwrite: bool, what: str
) -> Iterator[Path]:
    """A directory made aside and put in place whole, once the work has succeeded.

    Args:
        path: The directory to make.
        marker: A file that every directory of this kind holds; a directory without
            it is never replaced.
        overwrite: Whether an existing one may be replaced.
        what: What it is, for messages.

    Yields:
        An empty draft directory beside the path; gone if the work fails.

    Raises:
        UsageError: It exists and must not be replaced, or cannot be made.
        OSError: The system failed at the last step; what stood there is back.
    """
    if is_taken(path):
        refuse_existing(path, marker=marker, overwrite=overwrite, what=what)
    draft = aside(path)
    make_directory(draft)
    try:
        yield draft
        old = aside(path)
        if path.exists():
            path.replace(old)
        try:
            draft.replace(path)
        except OSError:
            old.replace(path)
            raise
        shutil.rmtree(old, ignore_errors=True)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


@contextlib.contextmanager
def passing_directory(path: Path) -> Iterator[Path]:
    """An empty directory that is gone afterwards.

    Args:
        path: Where; what an earlier one has left there goes first.

    Yields:
        The path.

    Raises:
        UsageError: It cannot be made.
    """
    shutil.rmtree(path, ignore_errors=True)
    make_directory(path)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def is_taken(path: Path) -> bool:
    """Whether something stands in this place; an empty directory does not count."""
    if path.is_dir():
        return any(path.iterdir())
    return path.exists() or path.is_symlink()


def aside(path: Path) -> Path:
    """A hidden name beside a path that nothing bears yet."""
    return path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")


def not_a_file(path: Path) -> str:
    """What is in the place of a file that should be there; empty if it is one."""
    if path.is_file():
        return ""
    return "a folder" if path.is_dir() else "no file" if path.exists() else "not there"


def make_directory(path: Path, advice: str = "Choose another --out.") -> None:
    """Make a directory and its parents.

    Args:
        path: What to make; it may exist.
        advice: What to do if that cannot be, beside mending the permissions.

    Raises:
        UsageError: It cannot be made, or not be written to.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        fault = "" if os.access(path, os.W_OK) else "no permission"
    except OSError as error:
        fault = error.strerror or str(error)
    if fault:
        raise UsageError(
            f"{path} cannot be written to: {fault}.",
            hint=f"{advice} Or mend the permissions.",
        )


def refuse_existing(path: Path, *, marker: str, overwrite: bool, what: str) -> None:
    """Refuse to replace what must not be replaced.

    Args:
        path: Something that exists.
        marker: A file that every directory of this kind holds.
        overwrite: Whether one of this kind may be replaced.
        what: What it should be, for messages.

    Raises:
        UsageError: It is of another kind, or may not be replaced.
    """
    if not (path / marker).is_file():
        raise UsageError(
            f"{path} exists and is not a {what}, so it is left alone.",
            hint="Choose another --out.",
        )
    if not overwrite:
        raise UsageError(
            f"{path} exists already.",
            hint="Choose another --out, or add --overwrite to replace it.",
        )
