"""COCO JSON in, pages out: boxes, polygons and masks, whoever wrote them.

    {"images": [{"id": 7, "file_name": "a/1.jpg", "width": 640, "height": 480}],
     "categories": [{"id": 3, "name": "cat"}],
     "annotations": [{"id": 1, "image_id": 7, "category_id": 3,
                      "bbox": [x, y, width, height], "segmentation": ...}]}

A file's name gives the side of a split ("instances_val2017.json"), else the folders do
that the image lies in.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Mapping
from typing import Any

from tlkit.dataset.formats.coco_objects import (
    EMPTY,
    EXTRA,
    Category,
    Id,
    image_size,
    named,
    read_categories,
    read_images,
    read_objects,
)
from tlkit.dataset.formats.common import Faults
from tlkit.dataset.records import (
    SPLIT_NAMES,
    Annotation,
    ImageRecord,
    ParsedSource,
    Rejected,
    is_label,
)
from tlkit.dataset.sources.image_paths import Images
from tlkit.dataset.sources.open import Source
from tlkit.imaging.safe_read import Unusable, read_json
from tlkit.progress import track

# What becomes a part of Page.
KNOWN = {"id", "file_name", "width", "height", EXTRA}
DIGITS = "0123456789"


def read(source: Source) -> ParsedSource:
    """List what COCO's JSON files in a folder say."""
    index = source.images()
    names = source.ending(".json")
    records: list[ImageRecord] = []
    rejected = list(source.rejected)
    consumed = set()
    classes: list[str] = []
    for file in track(names, source.progress, "Reading annotations", len(names)):
        try:
            content = read_json(source.root / file)
        except Unusable as error:
            rejected.append(Rejected(file, error.reason, error.detail))
            continue
        if not isinstance(content, dict) or not isinstance(content.get("images"), list):
            detail = "JSON, but without COCO's list of images."
            rejected.append(Rejected(file, "not-coco", detail))
            continue
        consumed.add(file)
        faults = Faults(file)
        categories = read_categories(content, faults)
        classes += [category.label for category in categories.values()]
        for found in _pages(content, categories, faults, index):
            if isinstance(found, ImageRecord):
                records.append(found)
            else:
                rejected.append(found)
        rejected += faults.rejections()
    number = sum(len(record.objects) for record in records)
    return ParsedSource(
        files=source.files,
        records=tuple(records),
        rejected=tuple(rejected),
        note=f"Read as COCO annotations, {number} objects on {len(records)} images.",
        named=index.named,
        consumed=frozenset(consumed),
        classes=tuple(dict.fromkeys(classes)),
    )


def _pages(
    content: Mapping[str, Any],
    categories: Mapping[Id, Category],
    faults: Faults,
    index: Images,
) -> Iterable[ImageRecord | Rejected]:
    file = faults.file
    images = read_images(content, faults)
    objects = read_objects(content, images, categories, faults)
    stem = posixpath.splitext(posixpath.basename(file))[0]
    words = re.findall("[a-z]+[0-9]*", stem.lower())
    for key, entry in images.items():
        path = _find(named(entry), file, words, index)
        if isinstance(path, Rejected):
            yield path
        else:
            yield _page(entry, path, file, words, objects.get(key, ()))


def _find(name: str, file: str, words: Iterable[str], index: Images) -> str | Rejected:
    path = index.find(name, file, shared=True)
    if isinstance(path, str) or path.reason != "image-ambiguous":
        return path
    # The sides of a split may have images of the same name, as in train2017/1.jpg.
    sides = [form for word in words for form in (word, word.rstrip(DIGITS))]
    for folder in (*sides, "images"):
        found = index.find(f"{folder}/{name}", file, shared=True)
        if isinstance(found, str):
            return found
    return path


def _side(path: str, words: Iterable[str]) -> str | None:
    folders = path.lower().split("/")[-2::-1]
    for word in (*words, *folders):
        if side := SPLIT_NAMES.get(word.rstrip(DIGITS)):
            return side
    return None


def _page(
    entry: Mapping[str, Any],
    path: str,
    file: str,
    words: Iterable[str],
    objects: Iterable[Annotation],
) -> ImageRecord:
    extra = entry.get(EXTRA)
    extra = extra if isinstance(extra, dict) else {}
    labels, group, kept = (extra.get(k) for k in ("labels", "group", "attributes"))
    return ImageRecord(
        path=path,
        file=file,
        labels=tuple(
            label
            for label in (labels if isinstance(labels, list) else [])
            if isinstance(label, str) and is_label(label)
        ),
        objects=tuple(objects),
        split=_side(path, words),
        group=group if isinstance(group, str) else "",
        size=image_size(entry),
        attributes={
            name: value
            for name, value in entry.items()
            if name not in KNOWN and value not in EMPTY
        }
        | (kept if isinstance(kept, dict) else {}),
        shared=True,
    )
