"""Rows of numbers on disk, found again by what they were made from.

The files are those of `cache.py`. A shelf holds what one network and engine give, a key
stands for the pixels. Every fill writes a segment of its own, so that processes do not
wait for each other; data reach the disk before their keys do, and only rows with a key
count. So a fill that was killed leaves a shorter segment, and nothing half.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import time
import uuid
from collections.abc import Collection, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import ml_dtypes
import numpy as np

from tlkit import files
from tlkit.run.cache import ABOUT, DATA, FEATURES, KEY_BYTES, KEYS

# Rows are made safe, and count, after so many bytes.
SAFE_EVERY = 32 << 20
# To be raised when the same shelf.json would mean other rows.
FORMAT = 1


# Key to number of the row.
Places = dict[bytes, int]


class Shelf:
    """The rows that one network and engine give.

    Args:
        root: Of the store; made when the first row is written.
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
        digest = hashlib.sha256(text.encode()).hexdigest()
        self.folder = root / FEATURES / digest[:32]

    def find(self, wanted: Collection[bytes]) -> tuple[list[np.ndarray], Places]:
        """Look rows up, and note that they were used.

        Args:
            wanted: Keys.

        Returns:
            Rows, mapped, [n, *shape] each; and for each key that is there, the number
            of its row, counted over all of them.
        """
        parts: list[np.ndarray] = []
        places: Places = {}
        first = 0
        for data in sorted(self.folder.glob(f"*{DATA}")):
            try:
                keys = self._keys(data)
                found = {key: first + i for i, key in enumerate(keys) if key in wanted}
                if not found:
                    continue
                shape = (len(keys), *self.shape)
                rows = np.memmap(data, self.dtype, "r", shape=shape)
            except OSError:
                continue  # removed by another process, or no longer readable
            with contextlib.suppress(OSError):
                os.utime(data)
            parts.append(rows)
            places |= found
            first += len(rows)
        return parts, places

    def _keys(self, data: Path) -> list[bytes]:
        """The keys of the rows of a segment that are safe."""
        keys = data.with_suffix(KEYS).read_bytes()
        count = min(len(keys) // KEY_BYTES, data.stat().st_size // self.row_bytes)
        return [keys[KEY_BYTES * i : KEY_BYTES * (i + 1)] for i in range(count)]

    def write(self) -> Writer:
        """A new segment, to be used in a `with`.

        Returns:
            The segment.

        Raises:
            OSError: The store cannot be written to.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        about = self.folder / ABOUT
        if not about.is_file():
            files.write_json(about, self.about)
        return Writer(self.folder / f"{time.time_ns():x}-{uuid.uuid4().hex[:8]}{DATA}")


class Writer:
    """A segment that is being written; what has been made safe stays, whatever comes.

    Args:
        data: File of the rows, not existing.
    """

    def __init__(self, data: Path) -> None:
        self._data: IO[bytes] = data.open("xb")
        self._keys: IO[bytes] = data.with_suffix(KEYS).open("xb")
        self._pending: list[bytes] = []
        self._unsafe = 0
        self.data = data

    def append(self, keys: Sequence[bytes], rows: np.ndarray) -> None:
        """Add rows.

        Args:
            keys: One a row.
            rows: [n, *shape] in the dtype of the shelf.

        Raises:
            OSError: There is no room; what was safe before stays.
        """
        self._data.write(np.ascontiguousarray(rows).reshape(-1).view(np.uint8).data)
        self._pending += keys
        self._unsafe += rows.nbytes
        if self._unsafe >= SAFE_EVERY:
            self.make_safe()

    def make_safe(self) -> None:
        """Bring the rows to the disk, then their keys.

        Raises:
            OSError: There is no room.
        """
        self._data.flush()
        os.fsync(self._data.fileno())
        self._keys.write(b"".join(self._pending))
        self._keys.flush()
        self._pending = []
        self._unsafe = 0

    def __enter__(self) -> Writer:
        """Nothing to do, it is open."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Make safe what can be, and close."""
        try:
            if kind is None or not issubclass(kind, OSError):
                self.make_safe()
        finally:
            for file in (self._data, self._keys):
                with contextlib.suppress(OSError):
                    file.close()
