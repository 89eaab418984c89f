"""Pascal VOC in, pages out: XML with boxes and polygons, lists of sides, masks.

    JPEGImages/1.jpg, Annotations/1.xml, ImageSets/Main/train.txt, val.txt, test.txt
    SegmentationClass/1.png, SegmentationObject/1.png, class_names.txt
    1.jpg, 1.xml                                    labelImg, Roboflow

An image and its files have the same name, in JPEGImages or images beside Annotations,
or all in one folder; only without such an image, that which the XML names is looked
for (it is often stale). `voc_xml`, `voc_masks` and `voc_sets` tell what of each is
read.
"""

from __future__ import annotations

import functools
import posixpath
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from tlkit.dataset.formats.common import lists_of_folders, split_by_lists
from tlkit.dataset.formats.voc_masks import NAME_FILES, Classes, read_classes
from tlkit.dataset.formats.voc_xml import Said, Task, read_task
from tlkit.dataset.records import SPLIT_NAMES, ImageRecord, ParsedSource, Rejected
from tlkit.dataset.sources.image_paths import SUFFIXES, Images
from tlkit.dataset.sources.open import Source
from tlkit.dataset.sources.walk import upwards
from tlkit.imaging.safe_read import Unusable, read_lines
from tlkit.progress import track
from tlkit.workers import in_order

# Fewer are read sooner than processes are started.
FEW = 256
IMAGE_FOLDERS = ("JPEGImages", "images", "Images", "")


def count_mask_only(source: Source) -> int:
    """Count the images that have masks but no XML."""
    index = _index(source)
    return sum(
        bool(task.kinds and not task.xml and _own_images(key, index))
        for key, task in _tasks(source).items()
    )


def _tasks(source: Source) -> dict[Key, Task]:
    tasks: dict[Key, Task] = defaultdict(Task)
    for file in source.ending(".xml"):
        beside = posixpath.split(posixpath.splitext(file)[0])
        tasks[_key(file, "annotations") or beside].xml = file
    for file in () if source.only else source.ending(".png"):
        if key := _key(file, "segmentationclass", "segmentationclasspng"):
            tasks[key].kinds = tasks[key].kinds or file
        elif key := _key(file, "segmentationobject"):
            tasks[key].objects = file
    return tasks


def _key(file: str, *folders: str) -> Key | None:
    """What holds the folder of such a name that a file lies in, and its place there."""
    parts = posixpath.splitext(file)[0].split("/")
    for i in reversed(range(len(parts) - 1)):
        if parts[i].lower() in folders:
            return "/".join(parts[:i]), "/".join(parts[i + 1 :])
    return None


def _index(source: Source) -> Images:
    # Masks, and images that were drawn over, have the names of the images.
    files = [
        file
        for file in source.files
        if not any(
            part.startswith("segmentation") or part.endswith("visualization")
            for part in file.lower().split("/")[:-1]
        )
    ]
    outside = source.reading.allow_outside
    return Images(source.root, files, allow_outside=outside)


def _own_images(key: Key, index: Images) -> list[str]:
    folder, name = key
    for place in IMAGE_FOLDERS:
        if found := index.of_stem(posixpath.join(folder, place, name)):
            return found
    return []


def read(source: Source) -> ParsedSource:
    """List what the XML files and masks of a source say."""
    index, tasks = _index(source), _tasks(source)
    rejected = list(source.rejected)
    warnings = _name_classes(source, tasks, rejected)
    consumed = {task.classes.file for task in tasks.values() if task.classes} - {""}
    records: dict[Key, ImageRecord] = {}
    for key, said in zip(tasks, _read_all(source, tasks), strict=True):
        rejected += said.rejected
        if said.record is None:
            continue
        path = _image(key, said, index)
        if isinstance(path, Rejected):
            rejected.append(path)
        else:
            records[key] = replace(said.record, path=path)
            consumed.update(said.masks)
    paths = {key: record.path for key, record in records.items()}
    lists = {file: place for file in source.files if (place := _listed(file))}
    sides, told_by, about_lists = told_sides(source, lists, paths)
    split, about_split = split_by_lists(sides, list(paths.values()), ", ".join(told_by))
    return ParsedSource(
        files=source.files,
        records=tuple(replace(p, split=split.get(p.path)) for p in records.values()),
        rejected=tuple(rejected),
        note=f"Read as Pascal VOC annotations, {len(records)} of them"
        + f", split from {', '.join(told_by)}" * bool(split)
        + ".",
        warnings=(*warnings, *about_lists, *about_split),
        named={record.path: record.file for record in records.values()},
        consumed=frozenset(consumed.union(lists)),
    )


def _listed(file: str) -> Key | None:
    return _key(file, "imagesets") if file.lower().endswith(".txt") else None


def _name_classes(
    source: Source, tasks: Mapping[Key, Task], rejected: list[Rejected]
) -> list[str]:
    """Find what the numbers in masks mean, once for each folder."""
    known: dict[str, Classes | None] = {}
    files = set(source.files)
    for (folder, _), task in tasks.items():
        if not task.kinds:
            continue
        if folder not in known:
            places = [posixpath.join(a, n) for a in upwards(folder) for n in NAME_FILES]
            file = next((place for place in places if place in files), "")
            try:
                known[folder] = read_classes(source.root, file)
            except Unusable as error:
                known[folder] = None
                rejected.append(Rejected(file, error.reason, error.detail))
        task.classes = known[folder]
    return [
        f"{folder or '.'}/: no {' or '.join(NAME_FILES)}, so that the numbers in "
        "SegmentationClass are taken for the 20 classes of Pascal VOC."
        for folder, classes in known.items()
        if classes and not classes.file
    ]


def _read_all(source: Source, tasks: Mapping[Key, Task]) -> Iterator[Said]:
    workers = source.workers
    if workers is None and len(tasks) < FEW:
        workers = 0
    call = functools.partial(read_task, source.root)
    results = in_order(call, list(tasks.values()), workers=workers)
    return track(results, source.progress, "Reading annotations", len(tasks))


def _image(key: Key, said: Said, index: Images) -> str | Rejected:
    file = said.record.file if said.record else ""
    own = _own_images(key, index)
    if len(own) == 1:
        return own[0]
    if own:
        detail = f"{' and '.join(own)} have its name."
        return Rejected(file, "image-ambiguous", detail)
    named = said.image or posixpath.basename(key[1])
    # The suffix is often left out; any will do to look for the name.
    return index.find(
        named if named.lower().endswith(SUFFIXES) else f"{named}.jpg", file
    )


GROUPS = ("main", "", "segmentation")
SIDES = SPLIT_NAMES | {"trainval": "trainval"}

# The folder that a data set lies in, and the name of an image in it, without suffix.
Key = tuple[str, str]


def told_sides(
    source: Source, lists: Mapping[str, Key], paths: Mapping[Key, str]
) -> tuple[dict[str, set[str]], list[str], list[str]]:
    """Read which images are on which side."""
    sides: dict[str, set[str]] = defaultdict(set)
    warnings: list[str] = []
    counting = _that_count(lists)
    told_by = list(dict.fromkeys(posixpath.dirname(file) for file in counting))
    for file in counting:
        folder, place = lists[file]
        side = SIDES[posixpath.basename(place).lower()]
        try:
            names = [line for line in read_lines(source.root / file) if line]
        except Unusable as error:
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
        sides = lists_of_folders(paths.values())
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
