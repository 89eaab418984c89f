"""The name of a picture's copy in, one without folders out, where a format has none."""

from __future__ import annotations

import hashlib
import posixpath

# Stands for "/". Names that hold it themselves get a digest, so that no two are mixed.
JOINT = "+"
# Bytes; file systems take 255, and ".xml" or ".txt" has to fit in.
LONGEST = 200


def flat(name: str) -> str:
    """Take the folders into the name.

    Args:
        name: POSIX, with suffix; not the same as another but for its suffix.

    Returns:
        A name without "/", with the same suffix; again not the same as another but for
        its suffix.
    """
    stem, suffix = posixpath.splitext(name)
    whole = stem.replace("/", JOINT)
    if JOINT not in stem and len(whole.encode()) <= LONGEST:
        return whole + suffix
    digest = hashlib.sha256(stem.encode()).hexdigest()[:8]
    kept = whole.encode()[:LONGEST].decode(errors="ignore")
    return f"{kept}-{digest}{suffix}"
