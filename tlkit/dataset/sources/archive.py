"""A zip or tar in, its files in a folder out; what could do harm is left in it.

Only ordinary files are written, all of them below the folder, no more bytes than the
limits allow however little the archive says they are. Links, devices, encrypted files,
names that lead elsewhere and archives inside are listed as rejected.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from tlkit.dataset.records import Rejected
from tlkit.dataset.sources.archive_members import (
    Broken,
    Budget,
    Member,
    archive_kind,
    open_members,
)
from tlkit.dataset.sources.walk import junk, shown
from tlkit.errors import DatasetError
from tlkit.imaging.safe_read import MAX_BYTES, Unusable
from tlkit.progress import Progress

NESTED = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".tbz2", ".xz", ".txz", ".7z", ".rar")
MAX_MEMBERS = 1_000_000
# Photos hardly shrink, annotations by ten to a hundred; a bomb by a thousand and more.
MAX_RATIO = 100
ALLOWANCE = 1 << 30
# So much of the disk is left free.
RESERVE = 256 << 20
MAX_DEPTH = 40
CHUNK = 1 << 20


def unpack(path: Path, place: Path, progress: Progress) -> tuple[Path, list[Rejected]]:
    """Unpack an archive."""
    kind = archive_kind(path)
    if kind in {"rar", "7z"}:
        raise DatasetError(
            f"{path}: .{kind} is not read.", hint="Unpack it, and prepare the folder."
        )
    place.mkdir(parents=True, exist_ok=True)
    room = shutil.disk_usage(place).free - RESERVE
    budget = Budget(min(path.stat().st_size * MAX_RATIO + ALLOWANCE, room), path)
    rejected: dict[str, Rejected] = {}
    with ExitStack() as stack:
        try:
            total, members = open_members(path, kind, budget, stack)
            progress.start("Unpacking", total)
            for number, member in enumerate(members, 1):
                if number > MAX_MEMBERS:
                    raise DatasetError(f"{path} holds more than {MAX_MEMBERS:,} files.")
                if fault := _take(member, place, budget):
                    rejected.setdefault(fault.file, fault)
                progress.advance()
        except Broken as error:
            raise DatasetError(
                f"{path} cannot be unpacked: {_said(error)}.",
                hint="Is it whole? Fetch it again, or unpack it yourself and prepare "
                "the folder.",
            ) from error
    root = place
    while (inner := _only_folder(root)) is not None:
        root = inner
    above = "" if root == place else root.relative_to(place).as_posix() + "/"
    lines = [
        Rejected(r.file.removeprefix(above), r.reason, r.detail)
        for r in rejected.values()
    ]
    return root, lines


def _take(member: Member, place: Path, budget: Budget) -> Rejected | None:
    name = member.name.rstrip("/")
    named = shown(name) or "(no name)"
    parts = [part for part in name.split("/") if part not in {"", "."}]
    if fault := member.fault or _bad_name(name, parts):
        return Rejected(named, *fault)
    if not parts:
        return None
    for i, part in enumerate(parts, 1):
        inner = i == len(parts)
        if left := junk("/".join(parts[:i]), part, member.is_folder or not inner):
            return left
    if not member.is_folder and name.lower().endswith(NESTED):
        detail = "An archive inside the archive is not opened."
        return Rejected(named, "archive-inside", detail)
    target = place.joinpath(*parts)
    try:
        if member.is_folder:
            target.mkdir(parents=True, exist_ok=True)
            return None
        if target.exists():
            return Rejected(named, "name-twice", "The archive holds its name twice.")
        target.parent.mkdir(parents=True, exist_ok=True)
        return _write(member, target, named, budget)
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise
        detail = f"It cannot be written: {error.strerror or error}."
        return Rejected(named, "unwritable", detail)


def _bad_name(name: str, parts: list[str]) -> tuple[str, str] | None:
    if name.startswith("/") or ".." in parts or re.match("[A-Za-z]:", name):
        return "outside-source", "Its name leads out of the archive."
    # A backslash would part folders on some systems.
    if len(parts) > MAX_DEPTH or "\0" in name or "\\" in name:
        return "bad-name", "Folders too deep, or a zero byte or backslash in its name."
    if shown(name) != name:
        return "name-not-utf8", "The name is not UTF-8."
    return None


def _write(member: Member, target: Path, named: str, budget: Budget) -> Rejected | None:
    fault = None
    with target.open("xb") as file:
        try:
            for chunk in _chunks(member):
                budget.spend(len(chunk))
                file.write(chunk)
        except Unusable as error:
            fault = Rejected(named, error.reason, error.detail)
    if fault:
        target.unlink()
    elif member.modified is not None:
        os.utime(target, (member.modified, member.modified))
    return fault


def _chunks(member: Member) -> Iterator[bytes]:
    size = 0
    try:
        with member.open() as content:
            while chunk := content.read(CHUNK):
                size += len(chunk)
                if size > MAX_BYTES:
                    break
                yield chunk
    except Broken as error:
        raise Unusable("damaged", f"In the archive: {_said(error)}.") from error
    if size > MAX_BYTES:
        detail = f"More than the {MAX_BYTES:,} bytes that are allowed."
        raise Unusable("too-big", detail)


def _said(error: BaseException) -> str:
    return " ".join(str(error).split()).rstrip(".") or type(error).__name__


def _only_folder(root: Path) -> Path | None:
    """The one folder in a folder, if that holds folders again and is no class."""
    entries = list(os.scandir(root))
    inner = Path(entries[0]) if len(entries) == 1 else root
    if inner == root or not any(entry.is_dir() for entry in _scan(inner)):
        return None
    return inner


def _scan(folder: Path) -> list[os.DirEntry[str]]:
    return list(os.scandir(folder)) if folder.is_dir() else []
