"""The files below a folder, without junk and unusable names."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import NamedTuple

from tlkit.dataset.records import Rejected, natural_key

# What systems and notebooks leave behind. Dot-files and dot-folders are junk as well.
JUNK_FOLDERS = {"__macosx", "@eadir", "$recycle.bin", "system volume information"}
JUNK_FILES = {"thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r"}


class WalkResult(NamedTuple):
    """The files below a folder."""

    files: tuple[str, ...]  # POSIX paths relative to the folder, in natural order
    rejected: tuple[Rejected, ...]


def walk(
    root: Path, *, allow_outside: bool = False, leave: Collection[Path] = ()
) -> WalkResult:
    """List the files below a folder, links followed, each folder of a loop once."""
    files: list[str] = []
    rejected: list[Rejected] = []
    # A folder is a loop if it is among the folders above itself.
    stack = [("", frozenset[tuple[int, int]]())]
    inside = None if allow_outside else root.resolve()
    while stack:
        folder, above = stack.pop()
        try:
            identity = _identity(root / folder)
            if identity in above:
                rejected.append(_loop(folder))
                continue
            entries = list(os.scandir(root / folder))
        except OSError as error:
            rejected.append(_refused(folder, error))
            continue
        for entry in entries:
            path = f"{folder}/{entry.name}".removeprefix("/")
            is_folder = _is_folder(entry)
            if is_folder and root / path in leave:
                continue
            if refusal := _refusal(path, entry.name, is_folder):
                rejected.append(refusal)
            elif inside is not None and _leads_out(entry, inside):
                rejected.append(_outside(path, is_folder))
            elif is_folder:
                stack.append((path, above | {identity}))
            else:
                files.append(path)
    files.sort(key=natural_key)
    rejected.sort(key=lambda rejection: natural_key(rejection.file))
    return WalkResult(tuple(files), tuple(rejected))


def folders(root: Path) -> Iterator[str]:
    """Return the names of the folders directly in a folder, junk aside."""
    try:
        names = [entry.name for entry in os.scandir(root) if _is_folder(entry)]
    except OSError:  # `walk` reports it
        return
    for name in sorted(names, key=natural_key):
        if _refusal(name, name, True) is None:
            yield name


def upwards(folder: str) -> Iterator[str]:
    """List a folder and those above it, "" for the root last."""
    while folder:
        yield folder
        folder = posixpath.dirname(folder)
    yield ""


def shown(path: str) -> str:
    """Return a path as text that can be written as UTF-8."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # links that lead to themselves
        return False


def _identity(folder: Path) -> tuple[int, int]:
    info = folder.stat()
    return info.st_dev, info.st_ino


def junk(path: str, name: str, is_folder: bool) -> Rejected | None:
    """Reject hidden files and those that operating systems leave behind."""
    names = JUNK_FOLDERS if is_folder else JUNK_FILES
    if name.startswith(".") or name.lower() in names:
        ending = "/" if is_folder else ""
        what = "Hidden" if name.startswith(".") else "Not photos, by its name"
        detail = f"{what}; left out."
        return Rejected(shown(path) + ending, "junk", detail)
    return None


def _refusal(path: str, name: str, is_folder: bool) -> Rejected | None:
    if found := junk(path, name, is_folder):
        return found
    if not is_folder and shown(path) != path:
        return Rejected(shown(path), "name-not-utf8", "The name is not UTF-8.")
    return None


def _leads_out(entry: os.DirEntry[str], inside: Path) -> bool:
    if not entry.is_symlink():
        return False
    try:
        return not Path(entry.path).resolve().is_relative_to(inside)
    except (OSError, RuntimeError):  # a link to itself; its reader rejects it
        return False


def _outside(path: str, is_folder: bool) -> Rejected:
    detail = "A link out of the source (--allow-outside follows it)."
    return Rejected(shown(path) + "/" * is_folder, "outside-source", detail)


def _loop(folder: str) -> Rejected:
    detail = "A link to a folder that it lies in."
    return Rejected(shown(folder) + "/", "link-loop", detail)


def _refused(folder: str, error: OSError) -> Rejected:
    denied = isinstance(error, PermissionError)
    reason = "no-permission" if denied else "unreadable"
    detail = f"The folder cannot be read: {error.strerror}."
    return Rejected(shown(folder) + "/", reason, detail)
