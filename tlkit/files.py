"""Files and directories that are written whole or not at all."""

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
    """Write a text in one step; a kill leaves the old file or the new one.

    Args:
        path: File to write, in a folder that exists.
        text: Written as UTF-8, with its newlines unchanged.

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
    """Write a value as indented JSON, in one step.

    Args:
        path: File to write, in a folder that exists.
        value: Any value that JSON can hold, without NaN or infinity.
    """
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
    write_text(path, text + "\n")


@contextlib.contextmanager
def replaced_directory(
    path: Path, *, marker: str, overwrite: bool, what: str
) -> Iterator[Path]:
    """Make a directory elsewhere, and move it in place once the work has succeeded.

    Args:
        path: Directory to make.
        marker: File that every directory of this kind has; a directory without it is
            never replaced.
        overwrite: Whether an existing directory of this kind may be replaced.
        what: Kind of the directory, for messages.

    Yields:
        An empty draft directory in the same folder, removed if the work fails.

    Raises:
        UsageError: It exists and must not be replaced, or cannot be made.
        OSError: The last step failed; the previous directory is restored.
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
    """Make an empty directory, and remove it afterwards.

    Args:
        path: Directory to make; remains of an earlier one are removed first.

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
    """Return whether a path exists and is not just an empty directory."""
    if path.is_dir():
        return any(path.iterdir())
    return path.exists() or path.is_symlink()


def aside(path: Path) -> Path:
    """Return a new hidden name in the folder of a path."""
    return path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")


def not_a_file(path: Path) -> str:
    """Return what a path is if it is not a file, "" if it is one."""
    if path.is_file():
        return ""
    return (
        "a folder" if path.is_dir() else "not a file" if path.exists() else "not there"
    )


def make_directory(path: Path, advice: str = "Choose another --out.") -> None:
    """Make a directory and its parents.

    Args:
        path: Directory to make; it may exist.
        advice: Hint where it cannot be made, besides fixing the permissions.

    Raises:
        UsageError: It cannot be made, or cannot be written to.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        fault = "" if os.access(path, os.W_OK) else "no permission"
    except OSError as error:
        fault = error.strerror or str(error)
    if fault:
        raise UsageError(
            f"{path} cannot be written to: {fault}.",
            hint=f"{advice} Or fix the permissions.",
        )


def refuse_existing(path: Path, *, marker: str, overwrite: bool, what: str) -> None:
    """Refuse to replace a path that must not be replaced.

    Args:
        path: Path that exists.
        marker: File or folder that every directory of this kind has.
        overwrite: Whether a directory of this kind may be replaced.
        what: Kind of the directory, for messages.

    Raises:
        UsageError: It is of another kind, or must not be replaced.
    """
    if not (path / marker).exists():
        raise UsageError(
            f"{path} exists and is not a {what}, so it is left alone.",
            hint="Choose another --out.",
        )
    if not overwrite:
        raise UsageError(
            f"{path} exists already.",
            hint="Choose another --out, or add --overwrite to replace it.",
        )
