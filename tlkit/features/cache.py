"""The feature cache on disk: its files, how much there is, and room for more.

ROOT/machine.json                             measurements of this machine
ROOT/features/PARTITION/partition.json        what these feature vectors are
ROOT/features/PARTITION/PART.data             feature vectors, one after the other
ROOT/features/PARTITION/PART.keys             32 bytes of key and 4 of checksum each

The key of a view is `inputs.views.ViewMaker.key`; the description of the layer is in
`features/layers.py`.
"""

from __future__ import annotations

import contextlib
import json
import math
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tlkit.dataset.inspection.cache import image_caches

FEATURES = "features"
ABOUT, DATA, KEYS = "partition.json", ".data", ".keys"
KEY_BYTES = 32
# A key, and the CRC-32 of its vector.
RECORD_BYTES = KEY_BYTES + 4


@dataclass(frozen=True)
class Part:
    """The files of one fill."""

    data: Path
    used: float  # seconds since 1970
    bytes: int  # of data and keys
    vectors: int

    def remove(self) -> None:
        """Delete it; a process that has it mapped keeps it until it lets go."""
        for path in (self.data.with_suffix(KEYS), self.data):
            with contextlib.suppress(OSError):
                path.unlink()
        partition = self.data.parent
        with contextlib.suppress(OSError):
            if [path.name for path in partition.iterdir()] == [ABOUT]:
                shutil.rmtree(partition)


@dataclass(frozen=True)
class CachedFeatures:
    """The cached feature vectors of one network, layer and engine."""

    about: dict[str, Any]  # what they depend on; empty if that cannot be read
    vectors: int
    bytes: int  # on disk
    used: float  # seconds since 1970


def parts(root: Path) -> list[Part]:
    """Return every part of a cache, the least recently used first."""
    found = []
    for data in (root / FEATURES).glob(f"*/*{DATA}"):
        # Another process may remove it meanwhile.
        with contextlib.suppress(OSError):
            info, keys = data.stat(), data.with_suffix(KEYS).stat()
            size, vectors = info.st_size + keys.st_size, keys.st_size // RECORD_BYTES
            found.append(Part(data, info.st_mtime, size, vectors))
    return sorted(found, key=lambda part: part.used)


def contents(root: Path) -> list[CachedFeatures]:
    """Return what a cache holds, the most recently used first."""
    partitions: dict[Path, list[Part]] = {}
    for part in parts(root):
        partitions.setdefault(part.data.parent, []).append(part)
    found = [
        CachedFeatures(
            _about(folder / ABOUT),
            sum(part.vectors for part in present),
            sum(part.bytes for part in present),
            max(part.used for part in present),
        )
        for folder, present in partitions.items()
    ]
    return sorted(found, key=lambda one: -one.used)


def holds(root: Path, backbone: str, size: int | None) -> bool:
    """Return whether there are features of a backbone at a size, of any images."""
    return any(
        (one.about.get("backbone"), one.about.get("size")) == (backbone, size)
        for one in contents(root)
    )


def clear(root: Path) -> int:
    """Remove all cached features and the image caches; return the number of bytes."""
    caches = image_caches(root)
    for image_cache in caches:
        image_cache.remove()
    return _remove(parts(root), math.inf) + sum(one.bytes for one in caches)


def make_room(root: Path, needed: int, cap: int) -> bool:
    """Remove the least recently used parts for room; return whether there is any."""
    cap -= sum(image_cache.bytes for image_cache in image_caches(root))
    if needed > cap:
        return False
    present = parts(root)
    _remove(present, sum(part.bytes for part in present) + needed - cap)
    return True


def _remove(present: Iterable[Part], enough: float) -> int:
    removed = 0
    for part in present:
        if removed >= enough:
            break
        part.remove()
        removed += part.bytes
    return removed


def _about(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
