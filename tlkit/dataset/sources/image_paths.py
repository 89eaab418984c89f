"""The image that an annotation names.

Annotations are moved, renamed and made on other systems, so that a name is often stale.
It stands for the first of these that exists:

1. the file that it leads to from the folder of the annotation, then from the root;
2. an image of the annotation's own name next to it;
3. the one file whose path ends as the name does, as far as that identifies one;
4. the one image of its name but for the suffix.

No file outside of the source root is used, unless that is allowed.
"""

from __future__ import annotations

import posixpath
import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from tlkit.dataset.records import Rejected

SUFFIXES = (
    *(".jpg", ".jpeg", ".png", ".bmp", ".gif", ".tif", ".tiff", ".webp"),
    *(".pgm", ".ppm", ".pbm", ".jp2", ".avif", ".mpo", ".heic", ".heif"),
)


class Images:
    """An index of the files of a source by what may name them."""

    def __init__(
        self, root: Path, files: Sequence[str], *, allow_outside: bool = False
    ) -> None:
        self.root = root
        self.allow_outside = allow_outside
        self.annotation_of: dict[str, str] = {}
        self._known = set(files)
        self._by_name = defaultdict(list)
        self._by_stem = defaultdict(list)
        self._by_path = defaultdict(list)
        for file in files:
            name = posixpath.basename(file)
            self._by_name[name].append(file)
            if file.lower().endswith(SUFFIXES):
                self._by_stem[posixpath.splitext(name)[0]].append(file)
                self._by_path[posixpath.splitext(file)[0]].append(file)

    def find(
        self, named: str, file: str, *, embedded: bool = False, shared: bool = False
    ) -> str | Rejected:
        """Find the image named in an annotation file, which may be shared by images."""
        path, outside = _relative(named, file, self.root.as_posix().rstrip("/"))
        if outside and self.allow_outside and _is_file(self.root / path):
            return path
        if outside and not embedded and _is_file(self.root / path):
            return self._outside(named, file)
        exact = [p for p in (path, _inside(named)) if p in self._known and p != file]
        if exact and not outside:
            return self._found(exact[0], file)
        tail = self._tail(path, file)
        if embedded:
            if len(tail) == 1:
                self.annotation_of.setdefault(tail[0], file)
            return file
        own = [] if shared else self._by_path.get(posixpath.splitext(file)[0], [])
        stem = posixpath.splitext(posixpath.basename(path))[0]
        others = tail, self._by_stem.get(stem, [])
        # Another annotation does not mean an image that has one of its own.
        free = others if shared else (self._free(each, file) for each in others)
        for paths in (own, *free):
            if len(paths) == 1:
                return self._found(paths[0], file)
        if outside:
            return self._outside(named, file)
        several = len(tail) > 1 or len(own) > 1
        reason = "image-ambiguous" if several else "image-missing"
        what = "several images" if several else "no image"
        return Rejected(file, reason, f"Its image {named!r} leads to {what}.")

    def _outside(self, named: str, file: str) -> Rejected:
        detail = f"Its image {named!r} lies outside of the source"
        detail += "." if self.allow_outside else " (--allow-outside reads it)."
        return Rejected(file, "outside-source", detail)

    def _free(self, paths: list[str], file: str) -> list[str]:
        suffix = posixpath.splitext(file)[1]
        own = {path: posixpath.splitext(path)[0] + suffix for path in paths}
        return [p for p in paths if own[p] == file or own[p] not in self._known]

    def of_stem(self, path: str) -> list[str]:
        """Return the images whose path is this one but for the suffix."""
        return self._by_path.get(path, [])

    def _tail(self, path: str, file: str) -> list[str]:
        """Find the files that share most of the end of a path, folder by folder."""
        left = self._by_name.get(posixpath.basename(path), [])
        parts = path.split("/")
        for i in range(2, len(parts) + 1):
            end = "/" + "/".join(parts[-i:])
            longer = [f for f in left if f"/{f}".endswith(end)]
            if not longer:
                break
            left = longer
        return [f for f in left if f != file]

    def _found(self, path: str, file: str) -> str:
        self.annotation_of[path] = file
        return path


def _relative(named: str, file: str, root: str) -> tuple[str, bool]:
    """Return where a name leads to from the root, and whether that is outside."""
    path = named.replace("\\", "/")
    if re.match("[A-Za-z]:", path):
        return posixpath.basename(path), True
    path = posixpath.join(posixpath.dirname(file), path)
    full = posixpath.normpath(posixpath.join(root, path))
    if full.startswith(f"{root}/"):
        return full[len(root) + 1 :], False
    path = posixpath.normpath(path)
    return path, path == ".." or path.startswith(("../", "/"))


def _is_file(path: Path) -> bool:
    try:
        path.as_posix().encode()
        return path.is_file()
    except (OSError, UnicodeEncodeError):  # a name that no file can have, or none here
        return False


def _inside(named: str) -> str:
    return posixpath.normpath(named.replace("\\", "/"))
