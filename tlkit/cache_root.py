"""Where tlkit keeps what it can make again, and how much that may be."""

from __future__ import annotations

import math
import os
from pathlib import Path

from tlkit.errors import UsageError

# What is known of images that were read, a file a source.
IMAGES = "images"
DEFAULT_CAP_GB = 10.0


def cache_root() -> Path:
    """Where the cache is: TLKIT_CACHE, or ~/.cache/tlkit."""
    named = os.environ.get("TLKIT_CACHE")
    return Path(named).expanduser() if named else Path.home() / ".cache" / "tlkit"


def fault(root: Path) -> str:
    """Why the cache cannot be written to, "" if it can."""
    place = root
    while not place.exists() and place != place.parent:
        place = place.parent
    if not place.is_dir():
        return f"{place} is not a folder"
    return "" if os.access(place, os.W_OK) else f"{place} cannot be written to"


def cap_bytes() -> int:
    """How much may be kept: TLKIT_CACHE_GB, or 10 GB (1e9 bytes).

    Returns:
        Bytes.

    Raises:
        UsageError: TLKIT_CACHE_GB is no number from 0 up.
    """
    text = os.environ.get("TLKIT_CACHE_GB") or str(DEFAULT_CAP_GB)
    try:
        cap = float(text)
    except ValueError:
        cap = math.nan
    if not 0 <= cap < math.inf:
        raise UsageError(
            f"TLKIT_CACHE_GB should be a number of gigabytes, is {text!r}.",
            hint="For example TLKIT_CACHE_GB=20.",
        )
    return int(cap * 1e9)
