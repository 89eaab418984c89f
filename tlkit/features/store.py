"""Rows of numbers on disk, found again by what they were made from.

The files are those of `cache.py`. A shelf holds what one network and engine give, a key
stands for the pixels. Every fill writes a segment of its own, so that processes do not
wait for each other; data reach the disk before their keys do, and only rows with a key
and the right checksum count. So a fill that was killed leaves a shorter segment, and
nothing half.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import time
import uuid
import zlib
from collections.abc import Collection, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import ml_dtypes
import numpy as np

from tlkit import files
from tlkit.features.cache import ABOUT, DATA, FEATURES, KEY_BYTES, KEYS, SUM_BYTES

# Rows are made safe, and count, after so many bytes or seconds.
SAFE_EVERY = 32 << 20
SAFE_SECONDS = 2.0
# To be raised when the same shelf.json would mean other rows.
FORMAT = 2
# Seconds after which a segment without rows has nobody any more who writes to it.
ABANDONED = 3600.0


RECORD = KEY_BYTES + SUM_BYTES

# Key to number of the row.
Places = dict[bytes, int]


class Shelf:
    """The rows that one network and engine give.

    Args:
        root: Of the cache; made when the first row is written.
        about: What the rows depend on besides the pixels; JSON can hold it.
        shape: Of a row.
        dtype: Of its numbers, "float32", "bfloat16" or "uint8".
    """

    def __init__(
        self, root: Path, about: dict[str, Any], shape: tuple[int, ...], dtype: str
    ) -> None:
        self.root = root
        self.about = {"format": FORMAT, **about, "shape": list(shape), "dtype": dtype}
        self.shape = shape
        self.dtype = np.dtype(getattr(ml_dtypes, dtype, dtype))
        self.row_bytes = math.prod(shape) * self.dtype.itemsize
        text = json.dumps(self.about, sort_keys=True)
        checksum = hashlib.sha256(text.encode()).hexdigest()
        self.folder = root / FEATURES / checksum[:32]

    def find(self, wanted: Collection[bytes]) -> tuple[list[np.ndarray], Places]:
        """Look rows up, and note that they were used."""
        parts: list[np.ndarray] = []
        places: Places = {}
        first = 0
        for data in sorted(self.folder.glob(f"*{DATA}")):
            try:
                rows, found = self._search(data, wanted)
            except OSError:
                continue  # removed by another process, or no longer readable
            if not found:
                continue
            with contextlib.suppress(OSError):
                os.utime(data)
            parts.append(rows)
            places |= {key: first + i for key, i in found.items()}
            first += len(rows)
        return parts, places

    def _search(
        self, data: Path, wanted: Collection[bytes]
    ) -> tuple[np.ndarray, Places]:
        """The rows of a segment that are safe, and which of the wanted are sound."""
        records = data.with_suffix(KEYS).read_bytes()
        count = len(records) // RECORD
        count = min(count, data.stat().st_size // self.row_bytes)
        starts = range(0, RECORD * count, RECORD)
        keys = [records[start : start + KEY_BYTES] for start in starts]
        hits = [i for i in range(count) if keys[i] in wanted]
        if not hits:
            return np.empty(0), {}
        raw = np.memmap(data, np.uint8, "r", shape=(count, self.row_bytes))
        found = {}
        for i in hits:
            start = RECORD * i + KEY_BYTES
            if crc(raw[i]) == records[start : start + SUM_BYTES]:
                found[keys[i]] = i
        return raw.view(self.dtype).reshape(count, *self.shape), found

    def write(self) -> Writer:
        """A new segment, to be used in a `with`."""
        self.folder.mkdir(parents=True, exist_ok=True)
        about = self.folder / ABOUT
        if not about.is_file():
            files.write_json(about, self.about)
        self._sweep()
        name = f"{time.time_ns():x}-{uuid.uuid4().hex[:8]}{DATA}"
        return Writer(self.folder / name, self.row_bytes)

    def _sweep(self) -> None:
        """Remove what killed fills have left without a row that is safe."""
        for data in self.folder.glob(f"*{DATA}"):
            keys = data.with_suffix(KEYS)
            with contextlib.suppress(OSError):
                empty = not keys.exists() or keys.stat().st_size < RECORD
                if empty and time.time() - data.stat().st_mtime > ABANDONED:
                    data.unlink()
                    keys.unlink(missing_ok=True)


class Writer:
    """A segment that is being written; what has been made safe stays, whatever comes.

    Args:
        data: File of the rows, not existing.
        row_bytes: Size of a row.
    """

    def __init__(self, data: Path, row_bytes: int) -> None:
        self._path = data
        self._row_bytes = row_bytes
        self._data: IO[bytes] = data.open("xb")
        self._keys: IO[bytes] = data.with_suffix(KEYS).open("xb")
        self._pending: list[bytes] = []
        self._safe = 0
        self._last = time.monotonic()

    def append(self, keys: Sequence[bytes], rows: np.ndarray) -> None:
        """Add rows."""
        raw = np.ascontiguousarray(rows).reshape(-1).view(np.uint8)
        self._data.write(raw.data)
        each = raw.reshape(len(rows), self._row_bytes)
        self._pending += [key + crc(row) for key, row in zip(keys, each, strict=True)]
        unsafe = len(self._pending) * self._row_bytes
        if unsafe >= SAFE_EVERY or time.monotonic() - self._last > SAFE_SECONDS:
            self.make_safe()

    def make_safe(self) -> None:
        """Bring the rows to the disk, then their keys."""
        self._data.flush()
        os.fsync(self._data.fileno())
        self._keys.write(b"".join(self._pending))
        self._keys.flush()
        self._safe += len(self._pending)
        self._pending = []
        self._last = time.monotonic()

    def __enter__(self) -> Writer:
        """Nothing to do, it is open."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Make safe what can be, close, and leave nothing else."""
        try:
            if kind is None or not issubclass(kind, OSError):
                self.make_safe()
        finally:
            for file in (self._data, self._keys):
                with contextlib.suppress(OSError):
                    file.close()
            with contextlib.suppress(OSError):
                if self._safe:
                    os.truncate(self._path, self._safe * self._row_bytes)
                else:
                    self._path.unlink()
                    self._path.with_suffix(KEYS).unlink()


def crc(row: np.ndarray) -> bytes:
    """The CRC-32 of a row."""
    return zlib.crc32(row.data).to_bytes(4, "little")
