"""Feature vectors on disk, found again by what they were computed from.

The files are those of `cache.py`. A partition holds the vectors of one network, layer
and engine; a key stands for the pixels. Every fill writes a part of its own, so that
processes do not wait for each other. Data reach the disk before their keys do, and only
vectors with a key and the right checksum count. So a fill that was killed leaves a
shorter part, never half a vector.

The key of a view is `inputs.views.ViewMaker.key`; the description of the layer is in
`features/layers.py`.
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
from tlkit.features.cache import ABOUT, DATA, FEATURES, KEY_BYTES, KEYS, RECORD_BYTES
from tlkit.features.vectors import FoundVectors

# Vectors are made safe, and count, after so many bytes or seconds.
SAFE_EVERY = 32 << 20
SAFE_SECONDS = 2.0
# To be raised when the same description would mean other vectors.
FORMAT = 2
# Seconds after which no process writes any more to a part without vectors.
ABANDONED = 3600.0


class Partition:
    """The feature vectors of one network, layer and engine.

    Args:
        root: Folder of the cache; made when the first vector is written.
        about: What the vectors depend on besides the pixels; JSON can hold it.
        shape: Of a vector.
        dtype: Of its numbers, "float32", "bfloat16" or "uint8".
    """

    def __init__(
        self, root: Path, about: dict[str, Any], shape: tuple[int, ...], dtype: str
    ) -> None:
        self.root = root
        self.about = {"format": FORMAT, **about, "shape": list(shape), "dtype": dtype}
        self.shape = shape
        self.dtype = np.dtype(getattr(ml_dtypes, dtype, dtype))
        self.vector_bytes = math.prod(shape) * self.dtype.itemsize
        text = json.dumps(self.about, sort_keys=True)
        checksum = hashlib.sha256(text.encode()).hexdigest()
        self.folder = root / FEATURES / checksum[:32]

    def find(self, keys: Collection[bytes]) -> FoundVectors:
        """Look vectors up by their keys, and note that they were used."""
        found = FoundVectors(keys)
        for data in sorted(self.folder.glob(f"*{DATA}")):
            try:
                vectors, places = self._search(data, keys)
            except OSError:
                continue  # removed by another process, or no longer readable
            if places:
                with contextlib.suppress(OSError):
                    os.utime(data)
                found.add(vectors, places)
        return found

    def _search(
        self, data: Path, keys: Collection[bytes]
    ) -> tuple[np.ndarray, dict[bytes, int]]:
        """Return the vectors of a part, and the places of undamaged ones by key."""
        records = data.with_suffix(KEYS).read_bytes()
        count = len(records) // RECORD_BYTES
        count = min(count, data.stat().st_size // self.vector_bytes)
        starts = range(0, RECORD_BYTES * count, RECORD_BYTES)
        stored = [records[start : start + KEY_BYTES] for start in starts]
        hits = [i for i in range(count) if stored[i] in keys]
        if not hits:
            return np.empty(0), {}
        raw = np.memmap(data, np.uint8, "r", shape=(count, self.vector_bytes))
        places = {}
        for i in hits:
            checksum = records[RECORD_BYTES * i + KEY_BYTES : RECORD_BYTES * (i + 1)]
            if _crc(raw[i]) == checksum:
                places[stored[i]] = i
        return raw.view(self.dtype).reshape(count, *self.shape), places

    def write(self) -> PartWriter:
        """Begin a new part, to be used in a `with`."""
        self.folder.mkdir(parents=True, exist_ok=True)
        about = self.folder / ABOUT
        if not about.is_file():
            files.write_json(about, self.about)
        self._sweep()
        name = f"{time.time_ns():x}-{uuid.uuid4().hex[:8]}{DATA}"
        return PartWriter(self.folder / name, self.vector_bytes)

    def _sweep(self) -> None:
        """Remove what killed fills have left without a safe vector."""
        for data in self.folder.glob(f"*{DATA}"):
            keys = data.with_suffix(KEYS)
            with contextlib.suppress(OSError):
                empty = not keys.exists() or keys.stat().st_size < RECORD_BYTES
                if empty and time.time() - data.stat().st_mtime > ABANDONED:
                    data.unlink()
                    keys.unlink(missing_ok=True)


class PartWriter:
    """A part that is being written; safe vectors stay, however the fill ends."""

    def __init__(self, data: Path, vector_bytes: int) -> None:
        self._path = data
        self._vector_bytes = vector_bytes
        self._data: IO[bytes] = data.open("xb")
        self._keys: IO[bytes] = data.with_suffix(KEYS).open("xb")
        self._pending: list[bytes] = []
        self._safe = 0
        self._last = time.monotonic()

    def append(self, keys: Sequence[bytes], vectors: np.ndarray) -> None:
        """Add vectors."""
        raw = np.ascontiguousarray(vectors).reshape(-1).view(np.uint8)
        self._data.write(raw.data)
        each = raw.reshape(len(vectors), self._vector_bytes)
        self._pending += [key + _crc(one) for key, one in zip(keys, each, strict=True)]
        unsafe = len(self._pending) * self._vector_bytes
        if unsafe >= SAFE_EVERY or time.monotonic() - self._last > SAFE_SECONDS:
            self._make_safe()

    def _make_safe(self) -> None:
        """Bring the vectors to the disk, then their keys."""
        self._data.flush()
        os.fsync(self._data.fileno())
        self._keys.write(b"".join(self._pending))
        self._keys.flush()
        self._safe += len(self._pending)
        self._pending = []
        self._last = time.monotonic()

    def __enter__(self) -> PartWriter:
        """Return itself: it is open already."""
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
                self._make_safe()
        finally:
            for file in (self._data, self._keys):
                with contextlib.suppress(OSError):
                    file.close()
            with contextlib.suppress(OSError):
                if self._safe:
                    os.truncate(self._path, self._safe * self._vector_bytes)
                else:
                    self._path.unlink()
                    self._path.with_suffix(KEYS).unlink()


def _crc(vector: np.ndarray) -> bytes:
    return zlib.crc32(vector.data).to_bytes(4, "little")
