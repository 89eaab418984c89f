"""Rows of numbers on disk, found again by what they were made from.

    ROOT/features/SHELF/shelf.json    what the rows of this shelf are
                        NAME.data     rows, one after the other
                        NAME.keys     the 32 byte key of each

A shelf holds what one network and engine give, a key stands for the pixels. Every fill
writes a segment of its own, so that processes do not wait for each other; data reach
the disk before their keys do, and only rows with a key count. So a fill that was
killed leaves a shorter segment, and nothing half.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import shutil
import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import ml_dtypes
import numpy as np

from tlkit import files

KEY = 32
# Rows are made safe, and count, after so many bytes.
SAFE_EVERY = 32 << 20
# To be raised when the same shelf.json would mean other rows.
FORMAT = 1
DEFAULT_CAP_GB = 10.0


def cache_root() -> Path:
    """Where tlkit keeps what it can make again: TLKIT_CACHE, or ~/.cache/tlkit."""
    named = os.environ.get("TLKIT_CACHE")
    return Path(named).expanduser() if named else Path.home() / ".cache" / "tlkit"


def cap_bytes() -> int:
    """How much the store may hold: TLKIT_CACHE_GB, or 10 GB (1e9 bytes)."""
    try:
        wanted = float(os.environ.get("TLKIT_CACHE_GB", DEFAULT_CAP_GB))
    except ValueError:
        wanted = DEFAULT_CAP_GB
    return int(wanted * 1e9)


@dataclass(frozen=True)
class Segment:
    """What one fill wrote.

    Attributes:
        data: File of the rows.
        used: When it was last used, seconds since 1970.
        bytes: Size of data and keys.
    """

    data: Path
    used: float
    bytes: int

    @property
    def keys(self) -> Path:
        """File of the keys."""
        return self.data.with_suffix(".keys")

    def remove(self) -> None:
        """Delete it; who has it mapped keeps it until he lets go."""
        for path in (self.keys, self.data):
            with contextlib.suppress(OSError):
                path.unlink()
        with contextlib.suppress(OSError):
            left = list(self.data.parent.iterdir())
            if [path.name for path in left] == ["shelf.json"]:
                shutil.rmtree(self.data.parent)


def segments(root: Path) -> list[Segment]:
    """Every segment of a store, the least recently used first."""
    found = []
    for data in (root / "features").glob("*/*.data"):
        with contextlib.suppress(OSError):
            facts = data.stat()
            keys = data.with_suffix(".keys").stat()
            found.append(Segment(data, facts.st_mtime, facts.st_size + keys.st_size))
    return sorted(found, key=lambda segment: segment.used)


def make_room(root: Path, wanted: int, cap: int) -> bool:
    """Remove what was not used for longest until there is room.

    Args:
        root: Of the store.
        wanted: Bytes that are to be added.
        cap: Bytes that the store may hold.

    Returns:
        Whether there is room now; nothing is removed where there can be none.
    """
    if wanted > cap:
        return False
    present = segments(root)
    total = sum(segment.bytes for segment in present)
    for segment in present:
        if total + wanted <= cap:
            break
        segment.remove()
        total -= segment.bytes
    return True


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
        self.folder = root / "features" / digest[:32]

    def read(self) -> Iterator[tuple[bytes, np.ndarray]]:
        """Every segment that can be read, and notes that it was used.

        Yields:
            The keys, KEY bytes each, and as many rows, mapped: [n, *shape].
        """
        for data in sorted(self.folder.glob("*.data")):
            try:
                keys = data.with_suffix(".keys").read_bytes()
                count = min(len(keys) // KEY, data.stat().st_size // self.row_bytes)
                if not count:
                    continue
                rows = np.memmap(data, self.dtype, "r", shape=(count, *self.shape))
            except OSError:
                continue  # removed by another process, or no longer readable
            with contextlib.suppress(OSError):
                os.utime(data)
            yield keys[: count * KEY], rows

    def write(self) -> Writer:
        """A new segment, to be used in a `with`.

        Returns:
            The segment.

        Raises:
            OSError: The store cannot be written to.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        about = self.folder / "shelf.json"
        if not about.is_file():
            files.write_json(about, self.about)
        return Writer(self.folder / f"{time.time_ns():x}-{uuid.uuid4().hex[:8]}.data")


class Writer:
    """A segment that is being written; what has been made safe stays, whatever comes.

    Args:
        data: File of the rows, not existing.
    """

    def __init__(self, data: Path) -> None:
        self._data: IO[bytes] = data.open("xb")
        self._keys: IO[bytes] = data.with_suffix(".keys").open("xb")
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
        if kind is None or not issubclass(kind, OSError):
            self.make_safe()
        with contextlib.suppress(OSError):
            self._data.close()
            self._keys.close()
