"""What is known of the images of a source, on disk: read once, looked up ever after.

A SQLite file for each source, in the cache, one row an image: what `examine` said of
it, its hash, its thumbnails. A row stands as long as the file has the size and the time
of modification that it had. Memory holds none of it but what is asked for, so that a
hundred thousand images take no more of it than a thousand.
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

from tlkit.cache_root import IMAGES, cache_root, cap_bytes, fault
from tlkit.dataset.inspection.image_info import (
    COLOR_SIDE,
    FIELDS,
    LUMA_SIDE,
    Examined,
    ImageInfo,
    Look,
)
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
create table if not exists images (
    path text primary key, bytes integer, modified integer, facts text,
    hash integer, fields blob, luma blob, color blob)
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


def image_caches(root: Path) -> list[Kept]:
    """The ledgers in a cache.

    Args:
        root: Of the cache.

    Returns:
        All of them, the last used first.
    """
    found = []
    for path in (root / IMAGES).glob(f"*{SUFFIX}"):
        with contextlib.suppress(OSError):  # another process may remove it meanwhile
            info = path.stat()
            found.append(Kept(path, info.st_mtime, info.st_size))
    return sorted(found, key=lambda image_cache: -image_cache.used)


class ImageCache:
    """Rows about the images of one source.

    Args:
        path: Of the SQLite file; its folder exists.
    """

    def __init__(self, path: Path) -> None:
        self._data = sqlite3.connect(path, timeout=WAIT, isolation_level=None)
        self._data.execute("pragma journal_mode = wal")
        self._data.execute("pragma synchronous = off")  # what is lost is read again
        self._data.execute(SCHEMA)
        self._waiting = 0

    def known(self, path: str, size: int, modified: int) -> ImageInfo | None:
        """Look an image up."""
        row = self._data.execute(
            "select facts from images where path = ? and bytes = ? and modified = ?",
            (path, size, modified),
        ).fetchone()
        return _facts(row[0]) if row else None

    def add(self, examined: Examined, size: int, modified: int) -> None:
        """Write down what is known of an image."""
        if self._waiting == 0:
            self._data.execute("begin")
        info = examined.info
        self._data.execute(
            "insert or replace into images values (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                info.path,
                size,
                modified,
                json.dumps([getattr(info, name) for name in FIELDS]),
                # SQLite's integers are signed.
                int(np.uint64(examined.hash).view(np.int64)),
                examined.fields.tobytes(),
                examined.look.luma.tobytes(),
                examined.look.color.tobytes(),
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
        """The thumbnails of an image that is known."""
        ((luma, color),) = self._each("luma, color", (path,))
        return Look(
            np.frombuffer(luma, np.uint8).reshape(LUMA_SIDE, LUMA_SIDE),
            np.frombuffer(color, np.uint8).reshape(COLOR_SIDE, COLOR_SIDE, 3),
        )

    def fields(self, paths: Sequence[str]) -> np.ndarray:
        """Coarse views of images, float16 [N, 256], see `facts.fields`."""
        found = np.empty((len(paths), 256), np.float16)
        for i, row in enumerate(self._each("fields", paths)):
            found[i] = np.frombuffer(row[0], np.float16)
        return found

    def hashes(self, paths: Sequence[str]) -> np.ndarray:
        """The hashes of images, uint64 [N]."""
        rows = self._each("hash", paths)
        signed = np.fromiter((row[0] for row in rows), np.int64, len(paths))
        return signed.view(np.uint64)

    def _each(self, columns: str, paths: Sequence[str]) -> Iterator[tuple[Any, ...]]:
        query = f"select {columns} from images where path = ?"
        for path in paths:
            yield self._data.execute(query, (path,)).fetchone()

    def close(self) -> None:
        """Let go of the file."""
        self.flush()
        self._data.close()


@contextlib.contextmanager
def open_image_cache(source: Path) -> Iterator[ImageCache]:
    """Open the image cache of a source; a temporary one where the cache is closed."""
    root = cache_root()
    with contextlib.ExitStack() as stack:
        if fault(root) or cap_bytes() == 0:
            place = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        else:
            place = root / IMAGES
            place.mkdir(parents=True, exist_ok=True)
        path = place / f"{_key(source)}{SUFFIX}"
        try:
            image_cache = _opened(path)
            stack.callback(image_cache.close)
            yield image_cache
        except sqlite3.Error as error:
            raise DatasetError(
                f"What is known of the images cannot be kept in {path}: {error}.",
                hint="Is the disk full? TLKIT_CACHE names another place for it.",
            ) from error
    _prune(root, path)


def _opened(path: Path) -> ImageCache:
    try:
        return ImageCache(path)
    except sqlite3.DatabaseError:
        Kept(path, 0, 0).remove()  # damaged, as by a full disk; it can be made again
        return ImageCache(path)


def _key(source: Path) -> str:
    edition = json.dumps([EDITION, PIL.__version__, FIELDS, LUMA_SIDE, COLOR_SIDE])
    identity = f"{edition} {source}".encode("utf-8", "surrogateescape")
    return hashlib.sha256(identity).hexdigest()[:32]


def _prune(root: Path, own: Path) -> None:
    total = 0.0
    for image_cache in image_caches(root):
        total += image_cache.bytes
        if total > SHARE * cap_bytes() and image_cache.path != own:
            image_cache.remove()


def _facts(text: str) -> ImageInfo:
    values: list[Any] = json.loads(text)
    listed: list[Any] = [tuple(v) if isinstance(v, list) else v for v in values]
    return ImageInfo(*listed)
