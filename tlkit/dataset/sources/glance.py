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
        The ends, one after the other, or all of a small one; nothing where it cannot
        be read.
    """
    try:
        if not path.is_file():
            return b""
        with path.open("rb") as file:
            start = file.read(GLANCE)
            file.seek(max(path.stat().st_size - GLANCE, len(start)))
            return start + file.read(GLANCE)
    except OSError:
        return b""
