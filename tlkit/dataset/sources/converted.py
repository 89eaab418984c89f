"""A folder that convert made in, those of its files out that only tell of the making.

They say nothing of a picture: no reader is to see them, nor to refuse them.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from tlkit.dataset.contents import UnreadableImage, read_json

RECORD = "convert.json"
LOST, REJECTED, NAMES = "lost.csv", "rejected.csv", "names.csv"
KEYS = {"source", "format", "files"}


def own_files(root: Path, there: Collection[str]) -> frozenset[str]:
    """Which files at the root of a source convert wrote about its work.

    Args:
        root: The folder.
        there: The files in it, relative to it.

    Returns:
        Their names; none where convert did not make the folder.
    """
    if RECORD not in there:
        return frozenset()
    try:
        content = read_json(root / RECORD)
    except UnreadableImage:
        return frozenset()
    if not isinstance(content, dict) or not content.keys() >= KEYS:
        return frozenset()
    files = content["files"]
    told = [RECORD, *(files if isinstance(files, list) else ())]
    own = (RECORD, LOST, REJECTED, NAMES)
    return frozenset(name for name in own if name in told and name in there)
