"""Arrays shared with the worker processes, so that no pixel is pickled."""

from __future__ import annotations

import contextlib
import functools
import math
import os
import tempfile
from pathlib import Path

import numpy as np
from loky.backend import resource_tracker

# Limit of the memory for images on their way from the workers to the network.
MOST_BYTES = 256 << 20
# A file system in memory, where the system has one.
MEMORY = Path("/dev/shm")


class SharedArrays:
    """A number of uint8 arrays of one shape in a file mapped into memory.

    The file is removed after the `with`. If the process is killed, a watcher of loky
    removes it.

    Args:
        count: Number of arrays.
        shape: Shape of each.
    """

    def __init__(self, count: int, shape: tuple[int, ...]) -> None:
        self.path = _reserve(count * math.prod(shape))
        self.array = attach(self.path, count, shape)

    @staticmethod
    def affordable(shape: tuple[int, ...], asked: int) -> int:
        """Return how many of the arrays asked for fit into MOST_BYTES, at least 2."""
        return max(2, min(asked, MOST_BYTES // math.prod(shape)))

    def __enter__(self) -> SharedArrays:
        """Return the arrays, which exist already."""
        return self

    def __exit__(self, *_: object) -> None:
        """Remove the file; processes that have it mapped keep the memory."""
        attach.cache_clear()
        with contextlib.suppress(OSError):
            Path(self.path).unlink()
        resource_tracker.unregister(self.path, "file")


@functools.lru_cache(maxsize=2)
def attach(path: str, count: int, shape: tuple[int, ...]) -> np.ndarray:
    """Map the file of shared arrays, in any process.

    Args:
        path: Path of the file.
        count: Number of arrays.
        shape: Shape of each.

    Returns:
        uint8 [count, *shape], readable and writable.
    """
    return np.memmap(path, np.uint8, "r+", shape=(count, *shape))


def _reserve(size: int) -> str:
    """Return a new file of this size, in memory if there is room for it."""
    for folder in (MEMORY, None):
        if folder and not folder.is_dir():
            continue
        handle, path = tempfile.mkstemp(prefix="tlkit-", dir=folder)
        resource_tracker.register(path, "file")
        try:
            # Allocated at once, because a lack of room later would crash the process.
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(handle, 0, size)
            else:
                os.truncate(handle, size)
        except OSError:
            Path(path).unlink()
            resource_tracker.unregister(path, "file")
            if folder is None:
                raise
        else:
            return path
        finally:
            os.close(handle)
    raise AssertionError("the last folder raises")
