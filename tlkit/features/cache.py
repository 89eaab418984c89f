"""The folder where tlkit keeps what it can make again: how much there is, and room.

What lies where:

    ROOT/machine.json                     measurements of this machine
    ROOT/features/SHELF/shelf.json        what the rows of this shelf are
    ROOT/features/SHELF/NAME.data         rows, one after the other
    ROOT/features/SHELF/NAME.keys         32 bytes of key and 4 of checksum for each
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
ABOUT, DATA, KEYS = "shelf.json", ".data", ".keys"
# Of a key, and of the CRC-32 of its row.
KEY_BYTES, SUM_BYTES = 32, 4


@dataclass(frozen=True)
class Segment:
    """What one fill wrote.

    Attributes:
        data: File of the rows.
        used: When it was last used, seconds since 1970.
        bytes: Size of data and keys.
        rows: How many are safe.
    """

    data: Path
    used: float
    bytes: int
    rows: int

    def remove(self) -> None:
        """Delete it; who has it mapped keeps it until he lets go."""
        for path in (self.data.with_suffix(KEYS), self.data):
            with contextlib.suppress(OSError):
                path.unlink()
        shelf = self.data.parent
        with contextlib.suppress(OSError):
            if [path.name for path in shelf.iterdir()] == [ABOUT]:
                shutil.rmtree(shelf)


@dataclass(frozen=True)
class Content:
    """What the cache holds of one network and engine.

    Attributes:
        about: What the rows depend on; empty if that cannot be read.
        rows: How many.
        bytes: How large.
        used: When it was last used, seconds since 1970.
    """

    about: dict[str, Any]
    rows: int
    bytes: int
    used: float


def segments(root: Path) -> list[Segment]:
    """Every segment of a cache, the least recently used first."""
    found = []
    for data in (root / FEATURES).glob(f"*/*{DATA}"):
        # Another process may remove it meanwhile.
        with contextlib.suppress(OSError):
            info, keys = data.stat(), data.with_suffix(KEYS).stat()
            size = info.st_size + keys.st_size
            rows = keys.st_size // (KEY_BYTES + SUM_BYTES)
            found.append(Segment(data, info.st_mtime, size, rows))
    return sorted(found, key=lambda segment: segment.used)


def contents(root: Path) -> list[Content]:
    """What the cache holds, the most recently used first."""
    shelves: dict[Path, list[Segment]] = {}
    for segment in segments(root):
        shelves.setdefault(segment.data.parent, []).append(segment)
    found = [
        Content(
            _about(shelf / ABOUT),
            sum(segment.rows for segment in present),
            sum(segment.bytes for segment in present),
            max(segment.used for segment in present),
        )
        for shelf, present in shelves.items()
    ]
    return sorted(found, key=lambda content: -content.used)


def holds(root: Path, backbone: str, size: int | None) -> bool:
    """Whether there are features of this network at this size, of whatever images."""
    return any(
        (content.about.get("backbone"), content.about.get("size")) == (backbone, size)
        for content in contents(root)
    )


def clear(root: Path) -> int:
    """Remove all features, and what is known of images.

    Args:
        root: Of the cache.

    Returns:
        How many bytes there were.
    """
    kept = image_caches(root)
    for image_cache in kept:
        image_cache.remove()
    return _remove(segments(root), math.inf) + sum(
        image_cache.bytes for image_cache in kept
    )


def make_room(root: Path, wanted: int, cap: int) -> bool:
    """Remove what was not used for longest until there is room."""
    cap -= sum(image_cache.bytes for image_cache in image_caches(root))
    if wanted > cap:
        return False
    present = segments(root)
    _remove(present, sum(segment.bytes for segment in present) + wanted - cap)
    return True


def _remove(present: Iterable[Segment], enough: float) -> int:
    removed = 0
    for segment in present:
        if removed >= enough:
            break
        segment.remove()
        removed += segment.bytes
    return removed


def _about(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
