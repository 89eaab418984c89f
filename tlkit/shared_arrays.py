"""Arrays that this process and its workers see at once: no pixel is pickled."""

from __future__ import annotations

import contextlib
import functools
import math
import os
import tempfile
from pathlib import Path
from types import TracebackType

import numpy as np
from loky.backend import resource_tracker

# Memory for images between the workers and the network, however large they are.
MOST_BYTES = 256 << 20
# A file system in memory, where the system has one.
MEMORY = Path("/dev/shm")


class SharedArrays:
    """A number of uint8 arrays of one shape in a file mapped into memory.

    The file is gone after the `with`; and also if the process is killed, by a watcher
    that loky keeps.

    Args:
        count: Number of arrays.
        shape: Of each.
    """

    def __init__(self, count: int, shape: tuple[int, ...]) -> None:
        self.path = _reserve(count * math.prod(shape))
        self.array = attach(self.path, count, shape)

    @staticmethod
    def affordable(shape: tuple[int, ...], wanted: int) -> int:
        """As many arrays as are wanted and MOST_BYTES hold, but 2 at least."""
        return max(2, min(wanted, MOST_BYTES // math.prod(shape)))

    def __enter__(self) -> SharedArrays:
        """Nothing to do, they are there."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Remove the file; whoever has it mapped keeps it until he lets go."""
        attach.cache_clear()
        with contextlib.suppress(OSError):
            Path(self.path).unlink()
        resource_tracker.unregister(self.path, "file")


@functools.lru_cache(maxsize=2)
def attach(path: str, count: int, shape: tuple[int, ...]) -> np.ndarray:
    """Map the file of shared arrays, in any process.

    Args:
        path: Of the file.
        count: Number of arrays.
        shape: Of each.

    Returns:
        uint8 [count, *shape], to read and to write.
    """
    return np.memmap(path, np.uint8, "r+", shape=(count, *shape))


def _reserve(size: int) -> str:
    """A new file of this size, in memory if there is room for it."""
    for folder in (MEMORY, None):
        if folder and not folder.is_dir():
            continue
        handle, path = tempfile.mkstemp(prefix="tlkit-", dir=folder)
        resource_tracker.register(path, "file")
        try:
            # Room is taken at once: a lack of it later would be a crash.
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
