"""The place and size of the cache, which holds what tlkit can compute again."""

from __future__ import annotations

import math
import os
from pathlib import Path

from tlkit.errors import UsageError

# Folder of what was measured of images, a file for each source.
IMAGES = "images"
DEFAULT_CAP_GB = 10.0


def cache_root() -> Path:
    """Return the cache folder: TLKIT_CACHE, or ~/.cache/tlkit."""
    named = os.environ.get("TLKIT_CACHE")
    return Path(named).expanduser() if named else Path.home() / ".cache" / "tlkit"


def fault(root: Path) -> str:
    """Return the reason why a cache folder cannot be written to, "" if it can."""
    place = root
    while not place.exists() and place != place.parent:
        place = place.parent
    if not place.is_dir():
        return f"{place} is not a folder"
    return "" if os.access(place, os.W_OK) else f"{place} cannot be written to"


def cap_bytes() -> int:
    """Return the largest size of the cache: TLKIT_CACHE_GB (1e9 bytes), or 10 GB.

    Returns:
        Bytes.

    Raises:
        UsageError: TLKIT_CACHE_GB is not a number from 0 up.
    """
    text = os.environ.get("TLKIT_CACHE_GB") or str(DEFAULT_CAP_GB)
    try:
        cap = float(text)
    except ValueError:
        cap = math.nan
    if not 0 <= cap < math.inf:
        raise UsageError(
            f"TLKIT_CACHE_GB must be a number of gigabytes, got {text!r}.",
            hint="For example TLKIT_CACHE_GB=20.",
        )
    return int(cap * 1e9)
