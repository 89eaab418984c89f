"""Masks of ids in, pages out: one thing for each id of an image.

PixelAnnotationTool writes three beside X.jpg: X_watershed_mask.png, the ids that count;
X_mask.png, the strokes they grew from, which count where there is no other; and
X_color_mask.png, for the eye. Its config.json names the ids.

Where masks are asked for, those in a folder "masks", "labels" or the like count, too,
for the image of the same name in "images" or the like beside it (`pairs`).

0 is where nothing was marked. So is 255, the line that the watershed draws between
areas, unless the config names it.
"""

from __future__ import annotations

import functools
import posixpath
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tlkit.dataset.annotations.shapes import mask_shape
from tlkit.dataset.formats.common import read_ids, split_by_folders
from tlkit.dataset.formats.mask_pairs import (
    image_folders,
    image_of,
    kind_of,
)
from tlkit.dataset.records import (
    Annotation,
    ImageRecord,
    ParsedSource,
    Rejected,
    is_label,
)
from tlkit.dataset.sources.image_paths import SUFFIXES
from tlkit.dataset.sources.open import Source
from tlkit.errors import DatasetError
from tlkit.imaging.safe_read import Unusable, read_json
from tlkit.progress import track
from tlkit.workers import in_order

BORDER = 255
# A mask without config that has more values is a photo, or of something else.
MAX_IDS = 100
# Fewer masks are read sooner than processes are started.
FEW = 32


@dataclass(frozen=True)
class Masks:
    """The masks of a source.

    Attributes:
        of: For each that counts, its image.
        spare: Colors and strokes, which nothing is read of.
        rejected: Those that lead to no image.
    """

    of: Mapping[str, str]
    spare: frozenset[str]
    rejected: tuple[Rejected, ...]


def count_images(source: Source) -> int:
    """Count the masks that are named after images beside them."""
    beside = _beside(source.files)
    kinds = (kind_of(file) for file in source.files)
    return sum(kind != "color" and stem in beside for stem, kind in kinds if kind)


def read(source: Source) -> ParsedSource:
    """List what the masks in a folder say."""
    config = read_config(source)
    masks = _sorted(source)
    names = list(masks.of.items())
    workers = 0 if source.workers is None and len(names) < FEW else source.workers
    parse = functools.partial(_page, source.root, config)
    records: list[ImageRecord] = []
    rejected = [*source.rejected, *config.rejected, *masks.rejected]
    results = in_order(parse, names, workers=workers)
    for found in track(results, source.progress, "Reading masks", len(names)):
        for each in found:
            if isinstance(each, ImageRecord):
                records.append(each)
            else:
                rejected.append(each)
    records, outside = split_by_folders(source.root, records)
    rejected += outside
    warnings = []
    if records and not config.names:
        warnings.append(f"Ids without names are called 'id 1' and so on. {CONFIG_HINT}")
    return ParsedSource(
        files=source.files,
        records=tuple(records),
        rejected=tuple(rejected),
        note=f"Read as masks of ids, {len(records)} of them.",
        warnings=tuple(warnings),
        named={image: mask for mask, image in masks.of.items()},
        consumed=masks.spare | config.files,
    )


def _beside(files: Iterable[str]) -> dict[str, str]:
    """The images by what their masks are named after, where that is one."""
    by_name = defaultdict(set)
    for file in files:
        if file.lower().endswith(SUFFIXES) and not kind_of(file)[1]:
            folder, name = posixpath.split(file)
            by_name[posixpath.splitext(file)[0]].add(file)
            # The tool leaves away all behind the first dot.
            by_name[posixpath.join(folder, name.split(".")[0])].add(file)
    return {stem: found.pop() for stem, found in by_name.items() if len(found) == 1}


def _sorted(source: Source) -> Masks:
    beside = _beside(source.files)
    folders = image_folders(source.files)
    kinds: dict[str, dict[str, str]] = defaultdict(dict)
    of: dict[str, str] = {}
    rejected = []
    spare = set()
    for file in source.files:
        stem, kind = kind_of(file)
        if kind:
            kinds[stem][kind] = file
        elif image := image_of(file, beside, folders):
            of[file] = image
    for stem, found in kinds.items():
        mask = found.get("watershed") or found.get("strokes")
        image = beside.get(stem)
        if mask and not image:
            image = image_of(mask, beside, folders, stem)
        for file in found.values():
            if image and file == mask:
                of[mask] = image
            elif image and mask:
                spare.add(file)
            elif mask:
                detail = "Not exactly one image of its name lies beside it."
                rejected.append(Rejected(file, "image-missing", detail))
            else:
                detail = "Colors tell no ids: save the watershed mask beside it."
                rejected.append(Rejected(file, "color-mask", detail))
    if source.only in of:
        of = {source.only: of[source.only]}
    return Masks(of, frozenset(spare), tuple(rejected))


def _page(
    root: Path, config: Config, pair: tuple[str, str]
) -> list[ImageRecord | Rejected]:
    file, image = pair
    try:
        ids = read_ids(root / file)
    except Unusable as error:
        hint = " Use the watershed mask." if error.reason == "color-mask" else ""
        return [Rejected(file, error.reason, error.detail + hint)]
    present = [int(i) for i in np.unique(ids) if i]
    if BORDER not in config.names:
        present = [i for i in present if i != BORDER]
    unknown: list[int] = []
    if config.names:
        unknown = [i for i in present if i not in config.names]
        present = [i for i in present if config.names.get(i)]
    elif len(present) > MAX_IDS:
        detail = f"{len(present)} different values: hardly a mask of classes."
        return [Rejected(file, "too-many-ids", detail)]
    objects = tuple(
        Annotation(
            label=config.names.get(i, f"id {i}"),
            shapes=(mask_shape(ids == i),),
            attributes={"id": i},
        )
        for i in present
    )
    size = ids.shape[1], ids.shape[0]
    record = ImageRecord(image, file=file, objects=objects, size=size)
    if not unknown:
        return [record]
    some = ", ".join(map(str, unknown[:10]))
    detail = f"Ids that the config has no name for: {some}."
    return [record, Rejected(file, "unknown-id", detail)]


# Names by which an id says that nothing is there.
NOTHING = {"undefined", "unlabeled", "background", "_background_"}
NOTHING |= {"void", "__ignore__"}
CONFIG_HINT = "Put the config.json of PixelAnnotationTool among the masks to name them."


@dataclass(frozen=True)
class Config:
    """The names of ids.

    Attributes:
        names: By id; "" for ids where nothing is. Empty without a config.
        files: The configs.
        rejected: Parts of them that cannot be used.
    """

    names: Mapping[int, str]
    files: frozenset[str]
    rejected: tuple[Rejected, ...] = ()


def read_config(source: Source) -> Config:
    """Read the configs of a source, mostly one."""
    names: dict[int, str] = {}
    told_by: dict[int, str] = {}
    files = set()
    rejected = []
    for file in source.files:
        if not file.lower().endswith(".json"):
            continue
        try:
            content = read_json(source.root / file)
        except Unusable as error:
            rejected.append(Rejected(file, error.reason, error.detail))
            continue
        labels = content.get("labels") if isinstance(content, dict) else None
        if not isinstance(labels, dict) or not any(map(_has_id, labels.values())):
            continue
        files.add(file)
        for key, label in labels.items():
            name = _name(key, label)
            if name is None:
                detail = (
                    f"Label {key[:80]!r} has no id, or no name that can be a label."
                )
                rejected.append(Rejected(file, "bad-entry", detail))
            elif names.setdefault(label["id"], name) != name:
                number = label["id"]
                raise DatasetError(
                    f"Id {number} has two names: {names[number]!r} in "
                    f"{told_by[number]}, {name!r} in {file}.",
                    hint="Keep the config that the masks were drawn with.",
                )
            else:
                told_by.setdefault(label["id"], file)
    return Config(names, frozenset(files), tuple(rejected))


def _has_id(label: Any) -> bool:
    number = label.get("id") if isinstance(label, dict) else None
    return isinstance(number, int) and not isinstance(number, bool)


def _name(key: str, label: Any) -> str | None:
    if not _has_id(label):
        return None
    name = label.get("name", key)
    if not isinstance(name, str) or not is_label(name):
        return None
    name = name.strip()
    return "" if label["id"] == 0 or name.lower() in NOTHING else name
