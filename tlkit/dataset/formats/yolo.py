"""YOLO's label files in, pages out: darknet's layout and Ultralytics'.

    obj.names, obj.data, train.txt, obj_train_data/{1.jpg,1.txt}        darknet, CVAT
    data.yaml, images/train/1.jpg, labels/train/1.txt                   Ultralytics
    data.yaml, train/images/1.jpg, train/labels/1.txt                   Roboflow
    classes.txt, 1.jpg, 1.txt                                           labelImg

A label file is about the image of its name in images/ instead of labels/, else beside
it, else the only one of its name. An empty one says that nothing is on the image; a
image without one is unlabeled. `yolo_lines` tells what lines may say, `yolo_layout`
where names and split come from.
"""

from __future__ import annotations

import functools
import posixpath
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from tlkit.dataset.formats.common import split_by_lists
from tlkit.dataset.formats.yolo_config import Config, is_config, read_config
from tlkit.dataset.formats.yolo_labels import (
    Task,
    looks_like_label,
    named_things,
    read_labels,
    told,
)
from tlkit.dataset.formats.yolo_layout import Layout, find_layout
from tlkit.dataset.records import ImageRecord, ParsedSource, Rejected, is_label
from tlkit.dataset.sources.image_paths import Images
from tlkit.dataset.sources.open import Source
from tlkit.imaging.safe_read import glance
from tlkit.progress import track
from tlkit.workers import in_order

# So many label files are looked into to tell whether they are YOLO's.
GLANCES = 64
# Fewer are read sooner than processes are started.
FEW = 256


def count_images(source: Source) -> int:
    """Count the files that look like YOLO labels, by a sample of them."""
    index = source.images()
    files = [file for file in _texts(source) if _own_images(file, index)]
    step = -(-len(files) // GLANCES) or 1
    seen = [glance(source.root / file) for file in files[::step]]
    filled = [start for start in seen if start.strip()]
    if not filled:
        # Empty ones alone, about images of nothing, say nothing of the format.
        return len(files) * any(_trains(source, file) for file in source.files)
    good = sum(_is_labels(start) for start in filled)
    return round(len(files) * good / len(filled))


def _trains(source: Source, file: str) -> bool:
    config = read_config(source.root, file) if is_config(file) else None
    return isinstance(config, Config) and config.trains


def _is_labels(start: bytes) -> bool:
    first = start.split(b"\n", 1)[0]
    return looks_like_label(first.decode("utf-8-sig", "replace"))


def _texts(source: Source) -> list[str]:
    files = source.files if is_config(source.only) else source.ending(".txt")
    return [file for file in files if file.lower().endswith(".txt")]


def _own_images(file: str, index: Images) -> list[str]:
    stem = posixpath.splitext(file)[0]
    before, labels, after = f"/{stem}".rpartition("/labels/")
    there = index.of_stem(f"{before}/images/{after}"[1:]) if labels else []
    return there or index.of_stem(stem)


def read(source: Source) -> ParsedSource:
    """List what YOLO's label files say."""
    layout = find_layout(source)
    texts = [file for file in _texts(source) if file not in layout.annotation_files]
    labels = [file for file in texts if _own_images(file, layout.index)] or texts
    used = layout.used({posixpath.dirname(file) for file in labels})
    sides, told_by = layout.sides(used)
    pairs, astray = _pairs(
        [f for f in texts if f not in layout.annotation_files], layout.index
    )
    records, faults = _pages(source, layout, pairs)
    split, warnings = split_by_lists(
        sides, [record.path for record in records], told_by
    )
    layout.warn_of_names(used)
    names = ", ".join(config.file for config in used if config.names)
    return ParsedSource(
        files=source.files,
        records=tuple(
            replace(record, split=split.get(record.path)) for record in records
        ),
        rejected=(*source.rejected, *layout.rejected, *astray, *faults),
        note=f"Read as YOLO labels, {len(records)} files"
        + f", names from {names}" * bool(names)
        + f", split from {told_by}" * bool(split)
        + ".",
        warnings=(*layout.warnings, *warnings),
        annotation_of=pairs,
        annotation_files=frozenset(layout.annotation_files),
        classes=_classes(used),
    )


def _classes(used: Iterable[Config]) -> tuple[str, ...]:
    in_order = (name for one in used for _, name in sorted(one.names.items()))
    return tuple(dict.fromkeys(filter(is_label, in_order)))


def _pairs(
    files: Sequence[str], index: Images
) -> tuple[dict[str, str], list[Rejected]]:
    """The label file of each image, and those that have none."""
    pairs: dict[str, str] = {}
    left, rejected = [], []
    for file in sorted(files, key=lambda file: "/labels/" not in f"/{file}"):
        own = _own_images(file, index)
        if len(own) > 1:
            detail = f"{' and '.join(own)} have its name."
            rejected.append(Rejected(file, "image-ambiguous", detail))
        elif not own:
            left.append(file)
        elif (rival := pairs.setdefault(own[0], file)) != file:
            detail = f"{rival} is about its image, too."
            rejected.append(Rejected(file, "several-annotations", detail))
    for file in left:
        name = posixpath.splitext(posixpath.basename(file))[0]
        found = index.find(f"{name}.jpg", file)
        if isinstance(found, Rejected) or found in pairs:
            detail = "No image of its name in images/, beside it or only elsewhere."
            rejected.append(Rejected(file, "image-missing", detail))
        else:
            pairs[found] = file
    return pairs, rejected


def _pages(
    source: Source, layout: Layout, pairs: Mapping[str, str]
) -> tuple[list[ImageRecord], list[Rejected]]:
    folders = {posixpath.dirname(file) for file in pairs.values()}
    known = {folder: layout.config(folder) for folder in sorted(folders)}
    layout.warn_of_numbers(folder for folder in known if known[folder] is None)
    configs = [known[posixpath.dirname(file)] for file in pairs.values()]
    tasks = [
        Task(file, image, config.keypoints if config else None)
        for (image, file), config in zip(pairs.items(), configs, strict=True)
    ]
    workers = source.workers
    if workers is None and len(tasks) < FEW:
        workers = 0
    call = functools.partial(read_labels, source.root)
    results = in_order(call, tasks, workers=workers)
    tracked = track(results, source.progress, "Reading annotations", len(tasks))
    records: list[ImageRecord] = []
    rejected: list[Rejected] = []
    for task, config, labels in zip(tasks, configs, tracked, strict=True):
        if isinstance(labels, tuple):
            rejected += labels
            continue
        objects, faults = named_things(labels, config)
        rejected += told(faults, task.file)
        # A file that could not be understood does not say that nothing is there.
        if objects or not faults:
            record = ImageRecord(
                task.image, task.file, objects=objects, size=labels.size
            )
            records.append(record)
    return records, rejected
