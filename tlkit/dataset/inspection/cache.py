"""The image cache: what is known of the images of each source, on disk.

A SQLite file for each source, one row per image: what `inspect_image` found, its hash,
its thumbnails. A row stands as long as the file has the size and the time of
modification that it had. Memory holds only what is asked for, so that a hundred
thousand images take no more of it than a thousand.
"""

from __future__ import annotations

import contextlib
import dataclasses
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
    COLOR_SIZE,
    LUMA_SIZE,
    Inspected,
    Thumbnails,
)
from tlkit.dataset.records import ImageInfo
from tlkit.errors import DatasetError

SUFFIX = ".sqlite"
FIELDS = tuple(field.name for field in dataclasses.fields(ImageInfo))
# Raise it with any change of what `inspect_image` finds in the same file.
EDITION = 3
# Of what the cache may take; features take the rest.
SHARE = 0.25
# Rows that are written at once; an interruption loses no more.
AT_ONCE = 256
# Seconds that a cache which another process is writing to is waited for.
WAIT = 60.0
SCHEMA = """
create table if not exists images (
    path text primary key, bytes integer, modified integer, info text,
    hash integer, fields blob, luma blob, color blob)
"""


@dataclass(frozen=True)
class CacheFile:
    """The image cache of one source, on disk."""

    path: Path
    used: float  # last, in seconds since 1970
    bytes: int

    def remove(self) -> None:
        """Delete it."""
        for path in self.path.parent.glob(f"{self.path.name}*"):
            with contextlib.suppress(OSError):
                path.unlink()


def image_caches(root: Path) -> list[CacheFile]:
    """List the image caches.

    Args:
        root: Of the cache.

    Returns:
        All of them, the last used first.
    """
    found = []
    for path in (root / IMAGES).glob(f"*{SUFFIX}"):
        with contextlib.suppress(OSError):  # another process may remove it meanwhile
            stat = path.stat()
            found.append(CacheFile(path, stat.st_mtime, stat.st_size))
    return sorted(found, key=lambda file: -file.used)


class ImageCache:
    """Rows about the images of one source, in a SQLite file."""

    def __init__(self, path: Path) -> None:
        self._data = sqlite3.connect(path, timeout=WAIT, isolation_level=None)
        try:
            self._data.execute("pragma journal_mode = wal")
            self._data.execute("pragma synchronous = off")  # what is lost is read again
            self._data.execute(SCHEMA)
        except sqlite3.Error:
            self._data.close()
            raise
        self._rows: list[tuple[object, ...]] = []

    def known(self, path: str, size: int, modified: int) -> ImageInfo | None:
        """Look an image up by its size in bytes and its time of modification."""
        row = self._data.execute(
            "select info from images where path = ? and bytes = ? and modified = ?",
            (path, size, modified),
        ).fetchone()
        return _info(row[0]) if row else None

    def add(self, inspected: Inspected, size: int, modified: int) -> None:
        """Write down what is known of an image; `flush` before it is looked up."""
        info, thumbnails = inspected.info, inspected.thumbnails
        row = (
            info.path,
            size,
            modified,
            json.dumps([getattr(info, name) for name in FIELDS]),
            # SQLite's integers are signed.
            int(np.uint64(inspected.hash).view(np.int64)),
            inspected.fields.tobytes(),
            thumbnails.luma.tobytes(),
            thumbnails.color.tobytes(),
        )
        self._rows.append(row)
        if len(self._rows) == AT_ONCE:
            self.flush()

    def flush(self) -> None:
        """Write all that was added, at once, so that others wait for moments only."""
        rows, self._rows = self._rows, []
        if rows:
            self._data.execute("begin immediate")
            self._data.executemany(
                "insert or replace into images values (?, ?, ?, ?, ?, ?, ?, ?)", rows
            )
            self._data.execute("commit")

    def thumbnails(self, path: str) -> Thumbnails:
        """Return the thumbnails of an image that is known."""
        ((luma, color),) = self._each("luma, color", (path,))
        return Thumbnails(
            np.frombuffer(luma, np.uint8).reshape(LUMA_SIZE, LUMA_SIZE),
            np.frombuffer(color, np.uint8).reshape(COLOR_SIZE, COLOR_SIZE, 3),
        )

    def fields(self, paths: Sequence[str]) -> np.ndarray:
        """Return coarse views of images, float16 [N, 256], see `image_info.coarse`."""
        found = np.empty((len(paths), 256), np.float16)
        for i, row in enumerate(self._each("fields", paths)):
            found[i] = np.frombuffer(row[0], np.float16)
        return found

    def hashes(self, paths: Sequence[str]) -> np.ndarray:
        """Return the hashes of images, uint64 [N]."""
        rows = self._each("hash", paths)
        signed = np.fromiter((row[0] for row in rows), np.int64, len(paths))
        return signed.view(np.uint64)

    def _each(self, columns: str, paths: Sequence[str]) -> Iterator[tuple[Any, ...]]:
        query = f"select {columns} from images where path = ?"
        for path in paths:
            yield self._data.execute(query, (path,)).fetchone()

    def close(self) -> None:
        """Write what was added and let go of the file."""
        self.flush()
        self._data.close()


@contextlib.contextmanager
def open_image_cache(source: Path) -> Iterator[ImageCache]:
    """Open the image cache of a source; a temporary one where that cannot be used."""
    root = cache_root()
    path = root / IMAGES / f"{_key(source)}{SUFFIX}"
    with contextlib.ExitStack() as stack:
        try:
            image_cache = _open(path, stack, usable=not fault(root) and cap_bytes() > 0)
            stack.callback(image_cache.close)
            yield image_cache
        except sqlite3.Error as error:
            raise DatasetError(
                f"{path}, which keeps what is known of the images, fails: {error}.",
                hint="Make room on the disk, or name another place in TLKIT_CACHE.",
            ) from error
    _prune(root, path)


def _open(path: Path, stack: contextlib.ExitStack, *, usable: bool) -> ImageCache:
    if usable:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            return ImageCache(path)
        except sqlite3.OperationalError as error:
            # Another process may hold it for long: it stays, and is not used this once.
            if "locked" not in str(error):
                raise
        except sqlite3.DatabaseError:
            CacheFile(path, 0, 0).remove()  # damaged, such as by a full disk
            return ImageCache(path)
    folder = stack.enter_context(tempfile.TemporaryDirectory())
    return ImageCache(Path(folder) / path.name)


def _key(source: Path) -> str:
    edition = json.dumps([EDITION, PIL.__version__, FIELDS, LUMA_SIZE, COLOR_SIZE])
    identity = f"{edition} {source}".encode("utf-8", "surrogateescape")
    return hashlib.sha256(identity).hexdigest()[:32]


def _prune(root: Path, own: Path) -> None:
    total = 0.0
    for file in image_caches(root):
        total += file.bytes
        if total > SHARE * cap_bytes() and file.path != own:
            file.remove()


def _info(text: str) -> ImageInfo:
    values: list[Any] = json.loads(text)
    listed: list[Any] = [tuple(v) if isinstance(v, list) else v for v in values]
    return ImageInfo(*listed)
