"""Properties of this machine, and measurements that are remembered between runs."""

from __future__ import annotations

import contextlib
import json
import os
import platform
from pathlib import Path
from typing import Any

from tlkit import files
from tlkit.workers import cpu_count

# Assumed where a system does not report its memory.
SMALL_MEMORY = 4 << 30


class Measurements:
    """Measurements in ROOT/machine.json, where that can be written.

    Args:
        root: Folder of the cache.
    """

    def __init__(self, root: Path) -> None:
        self._path = root / "machine.json"
        # The cache may lie on a disk that other machines use, too.
        self._machine = f"{processor()} {cpu_count()}"

    def get(self, key: str) -> Any:
        """Return the value put on a machine like this, or None."""
        return self._read().get(self._machine, {}).get(key)

    def put(self, key: str, value: Any) -> None:
        """Remember a value that JSON can hold."""
        every = self._read()
        every.setdefault(self._machine, {})[key] = value
        with contextlib.suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            files.write_json(self._path, every)

    def _read(self) -> dict[str, dict[str, Any]]:
        try:
            found = json.loads(self._path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}


def processor() -> str:
    """Return the name of the processor, as far as the system reports it."""
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def memory_bytes() -> int:
    """Return the size of this machine's memory in bytes."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return SMALL_MEMORY
