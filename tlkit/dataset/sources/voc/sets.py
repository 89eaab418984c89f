"""The lists of Pascal VOC in, which pictures are on which side out.

    ImageSets/Main/{train,val,trainval,test}.txt        a name of a picture a line

Without any in Main, those in ImageSets itself or in ImageSets/Segmentation count. The
lists by class (aeroplane_train.txt, lines of "2008_000002 -1") tell nothing else.
trainval.txt is train, but for what train.txt and val.txt tell. Without lists, folders
may be named as sides.
"""

from __future__ import annotations

import posixpath
from collections import defaultdict
from collections.abc import Iterable, Mapping

from tlkit.dataset.contents import UnreadableImage
from tlkit.dataset.sources.page import SPLIT_NAMES
from tlkit.dataset.sources.sides import side_by_folder
from tlkit.dataset.sources.source import Source
from tlkit.dataset.sources.text import read_lines

GROUPS = ("main", "", "segmentation")
SIDES = SPLIT_NAMES | {"trainval": "trainval"}

# The folder that a data set lies in, and the name of a picture in it, without suffix.
Key = tuple[str, str]


def told_sides(
    source: Source, lists: Mapping[str, Key], paths: Mapping[Key, str]
) -> tuple[dict[str, set[str]], list[str], list[str]]:
    """Read which pictures are on which side.

    Args:
        source: What was walked.
        lists: The files in ImageSets: where that lies, and their place in it.
        paths: The pictures that have pages.

    Returns:
        Pictures by side, the folders that tell it, and what the user should know.
    """
    sides: dict[str, set[str]] = defaultdict(set)
    warnings: list[str] = []
    counting = _that_count(lists)
    told_by = list(dict.fromkeys(posixpath.dirname(file) for file in counting))
    for file in counting:
        folder, place = lists[file]
        side = SIDES[posixpath.basename(place).lower()]
        try:
            names = [line for line in read_lines(source.root / file) if line]
        except UnreadableImage as error:
            warnings.append(f"{file} cannot be read: {error.detail}")
            continue
        found = {name: _path(folder, name, paths) for name in names}
        sides[side].update(path for path in found.values() if path)
        if gone := [name for name in names if not found[name]]:
            line = f"{file}: {len(gone)} of {len(names)} names have no annotation"
            warnings.append(f"{line}, as {gone[0]!r}.")
    rest = sides.pop("trainval", set()) - sides["train"] - sides["val"]
    sides["train"] |= rest
    if not told_by:
        for path in paths.values():
            if named := side_by_folder(path):
                sides[named].add(path)
        told_by = ["the names of folders"]
    return {side: held for side, held in sides.items() if held}, told_by, warnings


def _that_count(lists: Mapping[str, Key]) -> list[str]:
    groups: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for file, (folder, place) in lists.items():
        group, name = posixpath.split(place.lower())
        if name in SIDES and group in GROUPS:
            groups[folder][group].append(file)
    return [
        file
        for by_group in groups.values()
        for file in by_group[min(by_group, key=GROUPS.index)]
    ]


def _path(folder: str, name: str, paths: Mapping[Key, str]) -> str | None:
    return next(
        (paths[folder, one] for one in _names(name) if (folder, one) in paths), None
    )


def _names(line: str) -> Iterable[str]:
    first = line.split()[0]
    return (line, first, posixpath.splitext(line)[0], posixpath.splitext(first)[0])
