"""What this machine can do, measured, and remembered between runs."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import time
from pathlib import Path
from typing import Any

import tensorflow as tf

from tlkit import files
from tlkit.workers import cpu_count

# Where a system does not tell its memory.
SMALL_MEMORY = 4 << 30


class Memory:
    """Measurements kept in a file; where it cannot be written, they are made again.

    Args:
        folder: Of the cache.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / "machine.json"
        self._machine = f"{processor()} {cpu_count()}"

    def get(self, key: str) -> Any:
        """Returns what was put there on a machine like this, or None."""
        return self._all().get(self._machine, {}).get(key)

    def put(self, key: str, value: Any) -> None:
        """Remember a value that JSON can hold."""
        every = self._all()
        every.setdefault(self._machine, {})[key] = value
        with contextlib.suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            files.write_json(self._path, every)

    def _all(self) -> dict[str, dict[str, Any]]:
        try:
            found = json.loads(self._path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}


def processor() -> str:
    """The processor's name, as far as the system tells it."""
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def memory_bytes() -> int:
    """How much memory this machine has, bytes."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return SMALL_MEMORY


def matmul_rate(dtype: str, *, side: int = 1024, repeats: int = 5) -> float:
    """How fast this machine multiplies matrices, on the current Keras device."""
    a = tf.cast(tf.random.stateless_uniform((side, side), (0, 1)), dtype)
    multiply = tf.function(lambda a: tf.reduce_sum(tf.matmul(a, a)))
    float(multiply(a))
    best = float("inf")
    for _ in range(repeats):
        began = time.perf_counter()
        float(multiply(a))
        best = min(best, time.perf_counter() - began)
    return float(2 * side**3 / best)
