"""A file in, enough of it out to tell what it is."""

from __future__ import annotations

from pathlib import Path

# So much of each end; the keys of a JSON stand there, a picture inside, which may be
# large, between them.
GLANCE = 1 << 16


def glance(path: Path) -> bytes:
    """Read both ends of a file.

    Args:
        path: A file; pipes and devices are not opened.

    Returns:
        The ends, one after the other; nothing where it cannot be read.
    """
    if not path.is_file():
        return b""
    try:
        with path.open("rb") as file:
            start = file.read(GLANCE)
            file.seek(max(path.stat().st_size - GLANCE, 0))
            return start + file.read(GLANCE)
    except OSError:
        return b""
