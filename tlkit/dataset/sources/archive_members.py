"""A zip or tar in, its entries out, one by one; what it says of them is not trusted."""

from __future__ import annotations

import bz2
import gzip
import lzma
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

from tlkit.errors import DatasetError

BEGINNINGS = {b"PK\3\4": "zip", b"PK\5\6": "zip", b"\x1f\x8b": "gz", b"BZh": "bz2"}
BEGINNINGS |= {b"\xfd7zXZ\0": "xz", b"Rar!": "rar", b"7z\xbc\xaf": "7z"}
# Zip files that are documents.
DOCUMENTS = (".xlsx", ".ods", ".docx", ".pptx", ".npz")
OPENERS: dict[str, Callable[[Path], Any]] = {
    "tar": lambda path: path.open("rb"),
    "gz": gzip.open,
    "bz2": bz2.open,
    "xz": lzma.open,
}

# A longer name or header is no honest one, and would be read in one piece.
MAX_HEADER = 8 << 20
CHUNK = 1 << 20

# What a damaged archive may raise.
Broken = (
    *(zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError),
    *(OSError, NotImplementedError, RuntimeError, ValueError),
)


@dataclass(frozen=True)
class Member:
    """One entry of an archive.

    Attributes:
        name: As the archive says.
        is_folder: Whether it is one.
        fault: Why it is not to be written, (reason, detail); None if it may be.
        modified: Seconds since 1970; None for unknown.
        open: Opens its content.
    """

    name: str
    is_folder: bool
    fault: tuple[str, str] | None
    modified: float | None
    open: Callable[[], IO[bytes]]


@dataclass
class Budget:
    """How many bytes may still be unpacked.

    Attributes:
        left: So many.
        archive: What is unpacked, for the message.
    """

    left: int
    archive: Path

    def spend(self, number: int) -> None:
        """Count bytes."""
        self.left -= number
        if self.left < 0:
            raise DatasetError(
                f"{self.archive} holds far more than its size tells, or more than "
                "there is room for.",
                hint="Unpack it yourself, if you trust it, and prepare the folder.",
            )


def archive_kind(path: Path) -> str:
    """What kind of archive a file is, told by its content."""
    if not path.is_file() or path.suffix.lower() in DOCUMENTS:
        return ""
    try:
        with path.open("rb") as file:
            start = file.read(512)
    except OSError:
        return ""
    for beginning, kind in BEGINNINGS.items():
        if start.startswith(beginning):
            return kind
    is_tar = start[257:262] == b"ustar" or path.suffix.lower() == ".tar"
    return "tar" if is_tar else ""


def open_members(
    path: Path, kind: str, budget: Budget, stack: ExitStack
) -> tuple[int | None, Iterator[Member]]:
    """Open an archive."""
    if kind == "zip":
        archive = stack.enter_context(zipfile.ZipFile(path))
        entries = archive.infolist()
        return len(entries), (_zip_member(archive, entry) for entry in entries)
    # What is skipped has to be decompressed as well, so that it is counted, too.
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
    return Member(
        # Archives made on Windows may hold its separator.
        name=entry.filename.replace("\\", "/"),
        is_folder=entry.filename.endswith(("/", "\\")),
        fault=fault,
        modified=modified,
        open=lambda: archive.open(entry),
    )


def _tar_members(tar: tarfile.TarFile) -> Iterator[Member]:
    while (entry := tar.next()) is not None:
        fault = None
        if entry.issym() or entry.islnk():
            fault = "link", "A link in the archive."
        elif not (entry.isreg() or entry.isdir()):
            fault = "not-a-file", "Not an ordinary file."
        modified = entry.mtime if 0 <= entry.mtime < 1 << 40 else None
        opened = _opener(tar, entry)
        yield Member(entry.name, entry.isdir(), fault, modified, opened)
        tar.members = []  # type: ignore[attr-defined]  # it would keep all


def _opener(tar: tarfile.TarFile, entry: tarfile.TarInfo) -> Callable[[], IO[bytes]]:
    return lambda: cast(IO[bytes], tar.extractfile(entry))


class _Forward:
    """A file for tarfile that only goes forward, and counts what it gives."""

    def __init__(self, file: IO[bytes], budget: Budget) -> None:
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
