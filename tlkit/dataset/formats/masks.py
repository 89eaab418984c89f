"""Reader of masks of IDs: one object for each ID of an image.

PixelAnnotationTool writes three files next to X.jpg: X_watershed_mask.png, the IDs;
X_mask.png, the strokes they grew from, which are read where there is no other; and
X_color_mask.png, for the eye. Its config.json names the IDs.

Where masks are asked for, those in a folder "masks", "labels" or similar count, too,
for the image of the same name in "images" or similar next to it (`mask_pairs`).

0 is where nothing was marked. So is 255, the line that the watershed draws between
areas, unless the config names it.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tlkit.dataset.annotations.shapes import mask_shape
from tlkit.dataset.formats.common import read_ids, split_by_folders
from tlkit.dataset.formats.mask_pairs import count_named_masks, pair_masks
from tlkit.dataset.records import (
    Annotation,
    ImageRecord,
    ParsedSource,
    Rejected,
    is_label,
)
from tlkit.dataset.sources.open import Source
from tlkit.errors import DatasetError
from tlkit.imaging.safe_read import Unusable, read_json

BORDER = 255
# A mask without config that has more values is a photo, or of something else.
MAX_IDS = 100
# Fewer masks are read sooner than processes are started.
FEW = 32
# Names of IDs that stand for no object.
NOTHING = {
    *("undefined", "unlabeled", "background", "_background_", "void", "__ignore__"),
}
CONFIG_HINT = "Put the config.json of PixelAnnotationTool among the masks to name them."

# By ID; "" for IDs that stand for no object. Empty without a config.
Names = Mapping[int, str]


def count_images(source: Source) -> int:
    """Count the masks that are named after images next to them."""
    return count_named_masks(source.files)


def read(source: Source) -> ParsedSource:
    """Read the masks of a source."""
    names, configs, unfit = _read_configs(source)
    image_of, unused, astray = pair_masks(source.files)
    if source.only in image_of:
        image_of = {source.only: image_of[source.only]}
    records: list[ImageRecord] = []
    rejected = [*source.rejected, *unfit, *astray]
    parse = functools.partial(_parse, source.root, names)
    for found in source.map(parse, list(image_of.items()), few=FEW):
        for each in found:
            if isinstance(each, ImageRecord):
                records.append(each)
            else:
                rejected.append(each)
    records, outside = split_by_folders(source.root, records)
    rejected += outside
    warnings = []
    if records and not names:
        warnings.append(f"IDs without names are called 'id 1' and so on. {CONFIG_HINT}")
    return ParsedSource(
        files=source.files,
        records=tuple(records),
        rejected=tuple(rejected),
        note=f"Read as masks of IDs, {len(records)} of them.",
        warnings=tuple(warnings),
        annotation_of={image: mask for mask, image in image_of.items()},
        annotation_files=frozenset(unused | configs),
    )


def _parse(
    root: Path, names: Names, pair: tuple[str, str]
) -> list[ImageRecord | Rejected]:
    file, image = pair
    try:
        ids = read_ids(root / file)
    except Unusable as error:
        hint = " Use the watershed mask." if error.reason == "color-mask" else ""
        return [Rejected(file, error.reason, error.detail + hint)]
    present = [int(i) for i in np.unique(ids) if i and (i != BORDER or BORDER in names)]
    unknown: list[int] = []
    if names:
        unknown = [i for i in present if i not in names]
        present = [i for i in present if names.get(i)]
    elif len(present) > MAX_IDS:
        detail = f"{len(present)} different values: hardly a mask of classes."
        return [Rejected(file, "too-many-ids", detail)]
    objects = tuple(
        Annotation(names.get(i, f"id {i}"), (mask_shape(ids == i),), None, {"id": i})
        for i in present
    )
    size = ids.shape[1], ids.shape[0]
    record = ImageRecord(image, file=file, objects=objects, size=size)
    if not unknown:
        return [record]
    some = ", ".join(map(str, unknown[:10]))
    detail = f"IDs that the config has no name for: {some}."
    return [record, Rejected(file, "unknown-id", detail)]


def _read_configs(source: Source) -> tuple[Names, set[str], list[Rejected]]:
    """Return the names of IDs, the files they come from, and their faults."""
    names: dict[int, str] = {}
    named_by: dict[int, str] = {}
    rejected = []
    files = set()
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
                    f"Label {key[:80]!r} has no ID, or no name that can be a label."
                )
                rejected.append(Rejected(file, "bad-entry", detail))
                continue
            number = label["id"]
            first = names.setdefault(number, name)
            if first != name:
                raise DatasetError(
                    f"ID {number} has two names: {first!r} in {named_by[number]}, "
                    f"{name!r} in {file}.",
                    hint="Keep the config that the masks were drawn with.",
                )
            named_by.setdefault(number, file)
    return names, files, rejected


def _has_id(label: Any) -> bool:
    return isinstance(label, dict) and type(label.get("id")) is int


def _name(key: str, label: Any) -> str | None:
    name = label.get("name", key) if _has_id(label) else None
    if not isinstance(name, str) or not is_label(name):
        return None
    name = name.strip()
    return "" if label["id"] == 0 or name.lower() in NOTHING else name
