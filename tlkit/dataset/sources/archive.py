"""Safe unpacking of zip and tar archives.

Only ordinary files are written, all of them below the target folder, and no more bytes
than the limits allow, whatever sizes the archive states. Links, devices, encrypted
files, names that lead elsewhere and nested archives are listed as rejected.
"""

from __future__ import annotations

import bz2
import errno
import functools
import gzip
import lzma
import os
import re
import shutil
import stat
import tarfile
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any, cast

from tlkit.dataset.records import Rejected
from tlkit.dataset.sources.walk import junk, shown
from tlkit.errors import DatasetError
from tlkit.imaging.safe_read import MAX_BYTES, Unusable
from tlkit.progress import Progress

MAGIC = {
    b"PK\3\4": "zip",
    b"PK\5\6": "zip",
    b"\x1f\x8b": "gz",
    b"BZh": "bz2",
    b"\xfd7zXZ\0": "xz",
    b"Rar!": "rar",
    b"7z\xbc\xaf": "7z",
}
# Zip files that are documents.
DOCUMENTS = (".xlsx", ".ods", ".docx", ".pptx", ".npz")
OPENERS: dict[str, Callable[[Path], Any]] = {
    "tar": lambda path: path.open("rb"),
    "gz": gzip.open,
    "bz2": bz2.open,
    "xz": lzma.open,
}
NESTED = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".tbz2", ".xz", ".txz", ".7z", ".rar")
MAX_MEMBERS = 1_000_000
# Photos hardly shrink, annotations by ten to a hundred; a bomb by a thousand and more.
MAX_RATIO = 100
ALLOWANCE = 1 << 30
# Bytes of the disk that are left free.
RESERVE = 256 << 20
MAX_DEPTH = 40
# No honest name or header is longer, and tarfile would read it in one piece.
MAX_HEADER = 8 << 20
CHUNK = 1 << 20
# What the libraries may raise for a damaged archive.
BROKEN = (
    *(zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError),
    *(OSError, NotImplementedError, RuntimeError, ValueError),
)


@dataclass(frozen=True)
class Member:
    """One entry of an archive; nothing that it states is trusted."""

    name: str
    is_folder: bool
    fault: tuple[str, str] | None  # reason and detail where it must not be written
    modified: float | None  # seconds since 1970
    open: Callable[[], IO[bytes]]


@dataclass
class UnpackBudget:
    """The number of bytes that may still be unpacked."""

    left: int
    archive: Path

    def spend(self, number: int) -> None:
        """Count bytes; raise DatasetError where more come than are allowed."""
        self.left -= number
        if self.left < 0:
            raise DatasetError(
                f"{self.archive} holds far more than its size suggests, or more than "
                "there is room for.",
                hint="Unpack it yourself, if you trust it, and prepare the folder.",
            )


def archive_kind(path: Path) -> str:
    """Recognize an archive by its content, such as "zip"; "" for anything else."""
    if not path.is_file() or path.suffix.lower() in DOCUMENTS:
        return ""
    try:
        with path.open("rb") as file:
            start = file.read(512)
    except OSError:
        return ""
    for magic, kind in MAGIC.items():
        if start.startswith(magic):
            return kind
    is_tar = start[257:262] == b"ustar" or path.suffix.lower() == ".tar"
    return "tar" if is_tar else ""


def unpack(path: Path, place: Path, progress: Progress) -> tuple[Path, list[Rejected]]:
    """Unpack an archive; return the folder of the images and what was left out."""
    kind = archive_kind(path)
    if kind in {"rar", "7z"}:
        raise DatasetError(
            f"{path}: .{kind} is not read.", hint="Unpack it, and prepare the folder."
        )
    place.mkdir(parents=True, exist_ok=True)
    room = shutil.disk_usage(place).free - RESERVE
    budget = UnpackBudget(min(path.stat().st_size * MAX_RATIO + ALLOWANCE, room), path)
    rejected: dict[str, Rejected] = {}
    with ExitStack() as stack:
        try:
            total, members = _open_members(path, kind, budget, stack)
            progress.start("Unpacking", total)
            for number, member in enumerate(members, 1):
                if number > MAX_MEMBERS:
                    raise DatasetError(f"{path} holds more than {MAX_MEMBERS:,} files.")
                if fault := _take(member, place, budget):
                    rejected.setdefault(fault.file, fault)
                progress.advance()
        except BROKEN as error:
            raise DatasetError(
                f"{path} cannot be unpacked: {_message(error)}.",
                hint="Is it whole? Fetch it again, or unpack it yourself and prepare "
                "the folder.",
            ) from error
    root = place
    while (inner := _only_folder(root)) is not None:
        root = inner
    above = "" if root == place else root.relative_to(place).as_posix() + "/"
    return root, [
        replace(one, file=one.file.removeprefix(above)) for one in rejected.values()
    ]


def _open_members(
    path: Path, kind: str, budget: UnpackBudget, stack: ExitStack
) -> tuple[int | None, Iterator[Member]]:
    if kind == "zip":
        archive = stack.enter_context(zipfile.ZipFile(path))
        entries = archive.infolist()
        return len(entries), (_zip_member(archive, entry) for entry in entries)
    # What is skipped has to be decompressed as well, so it is counted on its own.
    content = _Forward(stack.enter_context(OPENERS[kind](path)), replace(budget))
    tar = stack.enter_context(tarfile.TarFile(fileobj=cast(Any, content)))
    return None, _tar_members(tar)


def _zip_member(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Member:
    mode = entry.external_attr >> 16
    fault = None
    if entry.flag_bits & 1:
        fault = "encrypted", "Encrypted in the archive."
    elif stat.S_ISLNK(mode):
        fault = "link", "A link in the archive."
    elif stat.S_IFMT(mode) not in {0, stat.S_IFREG, stat.S_IFDIR}:
        fault = "not-a-file", "Not an ordinary file."
    try:
        modified: float | None = time.mktime((*entry.date_time, 0, 0, -1))
    except (ValueError, OverflowError):
        modified = None
    # Archives made on Windows may hold its separator.
    name = entry.filename.replace("\\", "/")
    is_folder = name.endswith("/")
    return Member(name, is_folder, fault, modified, lambda: archive.open(entry))


def _tar_members(tar: tarfile.TarFile) -> Iterator[Member]:
    while (entry := tar.next()) is not None:
        fault = None
        if entry.issym() or entry.islnk():
            fault = "link", "A link in the archive."
        elif not (entry.isreg() or entry.isdir()):
            fault = "not-a-file", "Not an ordinary file."
        modified = entry.mtime if 0 <= entry.mtime < 1 << 40 else None
        content = functools.partial(tar.extractfile, entry)
        yield Member(entry.name, entry.isdir(), fault, modified, cast(Any, content))
        tar.members = []  # type: ignore[attr-defined]  # it would keep all


class _Forward:
    """A file for tarfile that only goes forward, and counts what it returns."""

    def __init__(self, file: IO[bytes], budget: UnpackBudget) -> None:
        self.file = file
        self.budget = budget
        self.position = 0

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= MAX_HEADER:
            raise tarfile.ReadError("a header too long to be read")
        data = self.file.read(size)
        self.position += len(data)
        self.budget.spend(len(data))
        return data

    def seek(self, position: int) -> int:
        if position < self.position:
            raise tarfile.ReadError("its parts are out of order")
        while self.position < position:
            if not self.read(min(CHUNK, position - self.position)):
                break
        return self.position

    def tell(self) -> int:
        return self.position


def _take(member: Member, place: Path, budget: UnpackBudget) -> Rejected | None:
    name = member.name.rstrip("/")
    named = shown(name) or "(no name)"
    parts = [part for part in name.split("/") if part not in {"", "."}]
    if fault := member.fault or _bad_name(name, parts):
        return Rejected(named, *fault)
    if not parts:
        return None
    for i, part in enumerate(parts, 1):
        is_folder = member.is_folder or i < len(parts)
        if left := junk("/".join(parts[:i]), part, is_folder):
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
        _write(member, target, budget)
    except Unusable as error:
        return Rejected(named, error.reason, error.detail)
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise
        detail = f"It cannot be written: {error.strerror or error}."
        return Rejected(named, "unwritable", detail)
    return None


def _bad_name(name: str, parts: list[str]) -> tuple[str, str] | None:
    if name.startswith("/") or ".." in parts or re.match("[A-Za-z]:", name):
        return "outside-source", "Its name leads out of the archive."
    # A backslash would part folders on some systems.
    if len(parts) > MAX_DEPTH or "\0" in name or "\\" in name:
        return "bad-name", "Folders too deep, or a zero byte or backslash in its name."
    if shown(name) != name:
        return "name-not-utf8", "The name is not UTF-8."
    return None


def _write(member: Member, target: Path, budget: UnpackBudget) -> None:
    try:
        with target.open("xb") as file:
            for chunk in _chunks(member):
                budget.spend(len(chunk))
                file.write(chunk)
    except Unusable:
        target.unlink()
        raise
    if member.modified is not None:
        os.utime(target, (member.modified, member.modified))


def _chunks(member: Member) -> Iterator[bytes]:
    size = 0
    try:
        with member.open() as content:
            while chunk := content.read(CHUNK):
                size += len(chunk)
                if size > MAX_BYTES:
                    break
                yield chunk
    except BROKEN as error:
        raise Unusable("damaged", f"In the archive: {_message(error)}.") from error
    if size > MAX_BYTES:
        detail = f"More than the {MAX_BYTES:,} bytes that are allowed."
        raise Unusable("too-big", detail)


def _message(error: BaseException) -> str:
    return " ".join(str(error).split()).rstrip(".") or type(error).__name__


def _only_folder(root: Path) -> Path | None:
    """Return the one folder in a folder, if it holds folders itself, so is no class."""
    entries = list(root.iterdir())
    if len(entries) != 1 or not entries[0].is_dir():
        return None
    return entries[0] if any(map(Path.is_dir, entries[0].iterdir())) else None
