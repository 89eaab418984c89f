"""The split that the lists in VOC's ImageSets name."""

from __future__ import annotations

import posixpath
from collections import defaultdict
from collections.abc import Mapping

from tlkit.dataset.formats.common import lists_of_folders
from tlkit.dataset.records import SPLIT_NAMES
from tlkit.dataset.sources.open import Source
from tlkit.imaging.safe_read import Unusable, read_lines

# Folders of lists; of several, the first counts.
FOLDERS = ("main", "", "segmentation")
LISTS = SPLIT_NAMES | {"trainval": "trainval"}

# The folder that a data set lies in, and the place of an image in it, without suffix.
Key = tuple[str, str]


def read_sets(
    source: Source, lists: Mapping[str, Key], paths: Mapping[Key, str]
) -> tuple[dict[str, set[str]], str, list[str]]:
    """Return the images of each split, what names them, and warnings."""
    splits: dict[str, set[str]] = defaultdict(set)
    warnings: list[str] = []
    used = _used(lists)
    for file in used:
        folder, place = lists[file]
        try:
            names = [line for line in read_lines(source.root / file) if line]
        except Unusable as error:
            warnings.append(f"{file} cannot be read: {error.detail}")
            continue
        found = {name: _path(folder, name, paths) for name in names}
        split = LISTS[posixpath.basename(place).lower()]
        splits[split].update(path for path in found.values() if path)
        if gone := [name for name in names if not found[name]]:
            line = f"{file}: {len(gone)} of {len(names)} names have no annotation"
            warnings.append(f"{line}, such as {gone[0]!r}.")
    splits["train"] |= splits.pop("trainval", set()) - splits["train"] - splits["val"]
    named_by = ", ".join(dict.fromkeys(map(posixpath.dirname, used)))
    if not used:
        splits = lists_of_folders(paths.values())
        named_by = "the names of folders"
    return {name: held for name, held in splits.items() if held}, named_by, warnings


def _used(lists: Mapping[str, Key]) -> list[str]:
    """Return the lists of splits of all images; of a data set, from one folder."""
    groups: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for file, (dataset, place) in lists.items():
        folder, name = posixpath.split(place.lower())
        if name in LISTS and folder in FOLDERS:
            groups[dataset][folder].append(file)
    return [
        file
        for by_folder in groups.values()
        for file in by_folder[min(by_folder, key=FOLDERS.index)]
    ]


def _path(folder: str, line: str, paths: Mapping[Key, str]) -> str | None:
    # A line may end in 1 or -1, and names may have a suffix.
    first = line.split()[0]
    plain = (posixpath.splitext(name)[0] for name in (line, first))
    for name in (line, first, *plain):
        if (folder, name) in paths:
            return paths[folder, name]
    return None
