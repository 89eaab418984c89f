"""What is known of the pictures of a source, on disk: read once, looked up ever after.

A SQLite file for each source, in the cache, one row a picture: what `examine` said of
it, its hash, its thumbnails. A row stands as long as the file has the size and the time
of modification that it had. Memory holds none of it but what is asked for, so that a
hundred thousand pictures take no more of it than a thousand.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import PIL

from tlkit.cache_root import PICTURES, cache_root, cap_bytes, fault
from tlkit.dataset.facts import COLOUR_SIDE, FIELDS, LUMA_SIDE, Examined, Facts, Look
from tlkit.errors import DatasetError

SUFFIX = ".sqlite"
# Raise it with any change of what `examine` finds in the same file.
EDITION = 2
# Of what the cache may take; features take the rest.
SHARE = 0.25
# Rows that are written at once; an interruption loses no more.
AT_ONCE = 256
WAIT = 60.0
SCHEMA = """
create table if not exists pictures (
    path text primary key, bytes integer, modified integer, facts text,
    hash integer, fields blob, luma blob, colour blob)
"""


@dataclass(frozen=True)
class Kept:
    """A ledger in the cache: its file, seconds since 1970 at its last use, its size."""

    path: Path
    used: float
    bytes: int

    def remove(self) -> None:
        """Delete it."""
        for path in self.path.parent.glob(f"{self.path.name}*"):
            with contextlib.suppress(OSError):
                path.unlink()


def ledgers(root: Path) -> list[Kept]:
    """The ledgers in a cache.

    Args:
        root: Of the cache.

    Returns:
        All of them, the last used first.
    """
    found = []
    for path in (root / PICTURES).glob(f"*{SUFFIX}"):
        with contextlib.suppress(OSError):  # another process may remove it meanwhile
            facts = path.stat()
            found.append(Kept(path, facts.st_mtime, facts.st_size))
    return sorted(found, key=lambda ledger: -ledger.used)


class Ledger:
    """Rows about the pictures of one source.

    Args:
        path: Of the SQLite file; its folder exists.
    """

    def __init__(self, path: Path) -> None:
        self._data = sqlite3.connect(path, timeout=WAIT, isolation_level=None)
        self._data.execute("pragma journal_mode = wal")
        self._data.execute("pragma synchronous = off")  # what is lost is read again
        self._data.execute(SCHEMA)
        self._waiting = 0

    def known(self, path: str, size: int, modified: int) -> Facts | None:
        """Look a picture up.

        Args:
            path: Relative to the source root.
            size: Of its file, bytes.
            modified: When that was modified, nanoseconds since 1970.

        Returns:
            What is known; None where the file is another than it was.
        """
        row = self._data.execute(
            "select facts from pictures where path = ? and bytes = ? and modified = ?",
            (path, size, modified),
        ).fetchone()
        return _facts(row[0]) if row else None

    def add(self, examined: Examined, size: int, modified: int) -> None:
        """Write down what is known of a picture.

        Args:
            examined: What is known.
            size: Of its file, bytes.
            modified: When that was modified, nanoseconds since 1970.
        """
        if self._waiting == 0:
            self._data.execute("begin")
        facts = examined.facts
        self._data.execute(
            "insert or replace into pictures values (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                facts.path,
                size,
                modified,
                json.dumps([getattr(facts, name) for name in FIELDS]),
                # SQLite's integers are signed.
                int(np.uint64(examined.hash).view(np.int64)),
                examined.fields.tobytes(),
                examined.look.luma.tobytes(),
                examined.look.colour.tobytes(),
            ),
        )
        self._waiting += 1
        if self._waiting == AT_ONCE:
            self.flush()

    def flush(self) -> None:
        """Have all written that was added."""
        if self._waiting:
            self._data.execute("commit")
            self._waiting = 0

    def look(self, path: str) -> Look:
        """The thumbnails of a picture that is known."""
        ((luma, colour),) = self._each("luma, colour", (path,))
        return Look(
            np.frombuffer(luma, np.uint8).reshape(LUMA_SIDE, LUMA_SIDE),
            np.frombuffer(colour, np.uint8).reshape(COLOUR_SIDE, COLOUR_SIDE, 3),
        )

    def fields(self, paths: Sequence[str]) -> np.ndarray:
        """Coarse views of pictures, float16 [N, 256], see `facts.fields`."""
        found = np.empty((len(paths), 256), np.float16)
        for i, row in enumerate(self._each("fields", paths)):
            found[i] = np.frombuffer(row[0], np.float16)
        return found

    def hashes(self, paths: Sequence[str]) -> np.ndarray:
        """The hashes of pictures, uint64 [N]."""
        rows = self._each("hash", paths)
        signed = np.fromiter((row[0] for row in rows), np.int64, len(paths))
        return signed.view(np.uint64)

    def _each(self, columns: str, paths: Sequence[str]) -> Iterator[tuple[Any, ...]]:
        query = f"select {columns} from pictures where path = ?"
        for path in paths:
            yield self._data.execute(query, (path,)).fetchone()

    def close(self) -> None:
        """Let go of the file."""
        self.flush()
        self._data.close()


@contextlib.contextmanager
def open_ledger(source: Path) -> Iterator[Ledger]:
    """Open the ledger of a source, in the cache or, if that is closed, for this once.

    Args:
        source: What is read; its place tells ledgers apart.

    Yields:
        The ledger.

    Raises:
        DatasetError: The disk is full.
    """
    root = cache_root()
    with contextlib.ExitStack() as stack:
        if fault(root) or cap_bytes() == 0:
            place = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        else:
            place = root / PICTURES
            place.mkdir(parents=True, exist_ok=True)
        path = place / f"{_key(source)}{SUFFIX}"
        try:
            ledger = _opened(path)
            stack.callback(ledger.close)
            yield ledger
        except sqlite3.Error as error:
            raise DatasetError(
                f"What is known of the pictures cannot be kept in {path}: {error}.",
                hint="Is the disk full? TLKIT_CACHE names another place for it.",
            ) from error
    _prune(root, path)


def _opened(path: Path) -> Ledger:
    try:
        return Ledger(path)
    except sqlite3.DatabaseError:
        Kept(path, 0, 0).remove()  # damaged, as by a full disk; it can be made again
        return Ledger(path)


def _key(source: Path) -> str:
    edition = json.dumps([EDITION, PIL.__version__, FIELDS, LUMA_SIDE, COLOUR_SIDE])
    identity = f"{edition} {source}".encode("utf-8", "surrogateescape")
    return hashlib.sha256(identity).hexdigest()[:32]


def _prune(root: Path, own: Path) -> None:
    total = 0.0
    for ledger in ledgers(root):
        total += ledger.bytes
        if total > SHARE * cap_bytes() and ledger.path != own:
            ledger.remove()


def _facts(text: str) -> Facts:
    values: list[Any] = json.loads(text)
    listed: list[Any] = [tuple(v) if isinstance(v, list) else v for v in values]
    return Facts(*listed)
