"""Reader of YOLO label files: darknet's layout and Ultralytics'.

    obj.names, obj.data, train.txt, obj_train_data/{1.jpg,1.txt}        darknet, CVAT
    data.yaml, images/train/1.jpg, labels/train/1.txt                   Ultralytics
    data.yaml, train/images/1.jpg, train/labels/1.txt                   Roboflow
    classes.txt, 1.jpg, 1.txt                                           labelImg

A label file is about the image of its name in images/ instead of labels/, else next to
it, else the only one of its name. An empty one means that nothing is on the image; an
image without one is unlabeled.
"""

from __future__ import annotations

import functools
import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import replace

from tlkit.dataset.formats.common import split_by_lists
from tlkit.dataset.formats.yolo_config import YoloConfig, is_config, read_config
from tlkit.dataset.formats.yolo_labels import (
    looks_like_label,
    name_objects,
    read_labels,
    rejections,
)
from tlkit.dataset.formats.yolo_layout import Layout
from tlkit.dataset.records import ImageRecord, ParsedSource, Rejected, is_label
from tlkit.dataset.sources.image_paths import Images
from tlkit.dataset.sources.open import Source
from tlkit.imaging.safe_read import glance

# So many label files are sampled to recognize the format.
SAMPLE = 64


def count_images(source: Source) -> int:
    """Count the files that look like YOLO labels, by a sample of them."""
    index = source.images()
    files = [file for file in _texts(source) if _own_images(file, index)]
    step = -(-len(files) // SAMPLE) or 1
    starts = [glance(source.root / file) for file in files[::step]]
    filled = [start for start in starts if start.strip()]
    if not filled:
        # Empty files alone, about images of nothing, do not show the format.
        return len(files) * any(_trains(source, file) for file in source.files)
    good = sum(
        looks_like_label(start.split(b"\n", 1)[0].decode("utf-8-sig", "replace"))
        for start in filled
    )
    return round(len(files) * good / len(filled))


def _trains(source: Source, file: str) -> bool:
    config = read_config(source.root, file) if is_config(file) else None
    return isinstance(config, YoloConfig) and config.trains


def _texts(source: Source) -> list[str]:
    files = source.files if is_config(source.only) else source.ending(".txt")
    return [file for file in files if file.lower().endswith(".txt")]


def _own_images(file: str, index: Images) -> list[str]:
    stem = posixpath.splitext(file)[0]
    before, labels, after = f"/{stem}".rpartition("/labels/")
    there = index.of_stem(f"{before}/images/{after}"[1:]) if labels else []
    return there or index.of_stem(stem)


def read(source: Source) -> ParsedSource:
    """Read the label files of a source; coordinates stay shares of the images."""
    layout = Layout(source)
    texts = [file for file in _texts(source) if file not in layout.annotation_files]
    labels = [file for file in texts if _own_images(file, layout.index)] or texts
    used = layout.used({posixpath.dirname(file) for file in labels})
    lists, named_by = layout.read_split(used)
    pairs, astray = _pair(
        [f for f in texts if f not in layout.annotation_files], layout.index
    )
    records, faults = _records(source, layout, pairs)
    split, warnings = split_by_lists(lists, [r.path for r in records], named_by)
    layout.warn_of_names(used)
    names = ", ".join(config.file for config in used if config.names)
    classes = (name for each in used for _, name in sorted(each.names.items()))
    return ParsedSource(
        files=source.files,
        records=tuple(replace(r, split=split.get(r.path)) for r in records),
        rejected=(*source.rejected, *layout.rejected, *astray, *faults),
        note=f"Read as YOLO labels, {len(records)} files"
        + f", names from {names}" * bool(names)
        + f", split from {named_by}" * bool(split)
        + ".",
        warnings=(*layout.warnings, *warnings),
        annotation_of=pairs,
        annotation_files=frozenset(layout.annotation_files),
        classes=tuple(dict.fromkeys(filter(is_label, classes))),
    )


def _pair(files: Sequence[str], index: Images) -> tuple[dict[str, str], list[Rejected]]:
    """Return the label file of each image, and those without an image."""
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
            detail = "No image of its name in images/, next to it or only elsewhere."
            rejected.append(Rejected(file, "image-missing", detail))
        else:
            pairs[found] = file
    return pairs, rejected


def _records(
    source: Source, layout: Layout, pairs: Mapping[str, str]
) -> tuple[list[ImageRecord], list[Rejected]]:
    folders = sorted({posixpath.dirname(file) for file in pairs.values()})
    known = {folder: layout.config(folder) for folder in folders}
    layout.warn_of_numbers(folder for folder in known if known[folder] is None)
    configs = [known[posixpath.dirname(file)] for file in pairs.values()]
    tasks = [
        (file, config.keypoints if config else None)
        for file, config in zip(pairs.values(), configs, strict=True)
    ]
    parsed = source.map(functools.partial(read_labels, source.root), tasks)
    records: list[ImageRecord] = []
    rejected: list[Rejected] = []
    for (image, file), config, (lines, unfit) in zip(
        pairs.items(), configs, parsed, strict=True
    ):
        names, named_by = (config.names, config.file) if config else (None, "")
        objects, nameless = name_objects(lines, names, named_by)
        faults = sorted([*unfit, *nameless])
        rejected += rejections(faults, file)
        # A file that could not be understood does not mean that nothing is there.
        if objects or not faults:
            records.append(ImageRecord(image, file, objects=objects, relative=True))
    return records, rejected
