"""What YOLO's configs name in, the files and folders of the source that it means out.

The places were those of another machine, most often. They mean, the first of these that
there is: the place itself, relative to `path` or to the config; the longest end of it
that is a place relative to the config or to the root.
"""

from __future__ import annotations

import posixpath
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator

from tlkit.dataset.sources.pictures import SUFFIXES
from tlkit.dataset.sources.walk import upwards
from tlkit.dataset.sources.yolo_config import Config

# Of a longer path only so many of its last folders are looked for.
MOST_PARTS = 32


class Places:
    """The files and folders of a source.

    Args:
        files: POSIX paths relative to the root.
    """

    def __init__(self, files: Iterable[str]) -> None:
        self.files = set(files)
        self.inside: dict[str, list[str]] = defaultdict(list)
        for file in files:
            if file.lower().endswith(SUFFIXES):
                for folder in upwards(posixpath.dirname(file)):
                    self.inside[folder].append(file)

    def find(self, place: str, config: Config) -> str | None:
        """Find a folder with pictures, or a file.

        Args:
            place: As a config names it.
            config: The one that does.

        Returns:
            Its path relative to the root, "" for the root; None for no place in here.
        """
        for path in _candidates(place, config):
            if path in self.files or path in self.inside:
                return path
        return None


def _candidates(place: str, config: Config) -> Iterator[str]:
    place = place.replace("\\", "/")
    base = config.base.replace("\\", "/")
    for folder in (posixpath.join(config.folder, base), config.folder):
        path = posixpath.normpath(posixpath.join(folder, place))
        yield "" if path == "." else path
    parts = re.sub("^[A-Za-z]:", "", place).split("/")
    parts = [part for part in parts if part not in {"", ".", ".."}][-MOST_PARTS:]
    for i in range(len(parts)):
        for folder in (config.folder, ""):
            yield posixpath.join(folder, *parts[i:])
