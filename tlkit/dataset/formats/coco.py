"""Reader of COCO JSON: boxes, polygons and masks of any exporter.

    {"images": [{"id": 7, "file_name": "a/1.jpg", "width": 640, "height": 480}],
     "categories": [{"id": 3, "name": "cat"}],
     "annotations": [{"id": 1, "image_id": 7, "category_id": 3,
                      "bbox": [x, y, width, height], "segmentation": ...}]}

A file's name gives the split ("instances_val2017.json"), else the folders of the image.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from tlkit.dataset.formats.coco_objects import (
    EMPTY,
    EXTRA,
    Category,
    Entry,
    Id,
    entries,
    extra_of,
    image_size,
    key_of,
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

# Keys that are not attributes.
KNOWN = {"id", "file_name", "width", "height", EXTRA}
DIGITS = "0123456789"


def read(source: Source) -> ParsedSource:
    """Read the COCO JSON files of a source."""
    index = source.images()
    names = source.ending(".json")
    records: list[ImageRecord] = []
    rejected = list(source.rejected)
    annotation_files = set()
    classes: dict[str, None] = {}
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
        annotation_files.add(file)
        faults = Faults(file)
        categories = _read_categories(content, faults)
        classes |= dict.fromkeys(label for label, _ in categories.values())
        for found in _records(content, categories, faults, index):
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
        annotation_of=index.annotation_of,
        annotation_files=frozenset(annotation_files),
        classes=tuple(classes),
    )


def _read_categories(content: Entry, faults: Faults) -> dict[Id, Category]:
    def label(entry: Entry) -> str:
        name = entry.get("name")
        if isinstance(name, str) and is_label(name):
            return name.strip()
        raise Unusable("bad-label", f"its name is {name!r}")

    categories = {}
    for key, entry in _by_id(content, "categories", label, faults).items():
        above = entry.get("supercategory")
        if not isinstance(above, str) or above in {"none", entry["name"]}:
            above = ""
        categories[key] = label(entry), above
    return categories


def _by_id(
    content: Entry, list_name: str, name_of: Callable[[Entry], str], faults: Faults
) -> dict[Id, Entry]:
    """Index a list by ID; the first of several entries of one ID counts."""
    found: dict[Id, Entry] = {}
    for what, entry in entries(content, list_name, faults):
        key = key_of(entry, "id")
        try:
            if key is None:
                raise Unusable("bad-id", f"its id is {entry.get('id')!r}")
            name, first = name_of(entry), name_of(found.setdefault(key, entry))
            if name != first:
                both = f"{first!r} and {name!r}"
                raise Unusable("duplicate-id", f"{both} have the same id {key!r}")
        except Unusable as error:
            faults.add(error.reason, f"{what}: {error.detail}"[:200])
    return found


def _image_name(entry: Entry) -> str:
    for key in ("file_name", "coco_url", "path", "flickr_url"):
        name = entry.get(key)
        if isinstance(name, str) and name:
            return name.split("?")[0] if "://" in name else name
    return ""


def _records(
    content: Entry, categories: dict[Id, Category], faults: Faults, index: Images
) -> Iterator[ImageRecord | Rejected]:
    images = _by_id(content, "images", _image_name, faults)
    sizes = {key: image_size(entry) for key, entry in images.items()}
    objects = read_objects(content, sizes, categories, faults)
    stem = posixpath.splitext(posixpath.basename(faults.file))[0]
    words = re.findall("[a-z]+[0-9]*", stem.lower())
    for key, entry in images.items():
        path = _find(_image_name(entry), faults.file, words, index)
        if isinstance(path, Rejected):
            yield path
        else:
            yield _record(entry, path, faults.file, words, objects.get(key, ()))


def _find(name: str, file: str, words: Iterable[str], index: Images) -> str | Rejected:
    path = index.find(name, file, shared=True)
    if isinstance(path, str) or path.reason != "image-ambiguous":
        return path
    # Splits may have images of the same name, such as train2017/1.jpg.
    splits = [form for word in words for form in (word, word.rstrip(DIGITS))]
    for folder in (*splits, "images"):
        found = index.find(f"{folder}/{name}", file, shared=True)
        if isinstance(found, str):
            return found
    return path


def _split(path: str, words: Iterable[str]) -> str | None:
    folders = path.lower().split("/")[-2::-1]
    found = (SPLIT_NAMES.get(word.rstrip(DIGITS)) for word in (*words, *folders))
    return next(filter(None, found), None)


def _record(
    entry: Entry,
    path: str,
    file: str,
    words: Iterable[str],
    objects: Iterable[Annotation],
) -> ImageRecord:
    extra = extra_of(entry)
    labels, group, kept = (extra.get(k) for k in ("labels", "group", "attributes"))
    attributes: dict[str, Any] = {
        name: value
        for name, value in entry.items()
        if name not in KNOWN and value not in EMPTY
    }
    return ImageRecord(
        path=path,
        file=file,
        labels=tuple(
            label
            for label in (labels if isinstance(labels, list) else [])
            if isinstance(label, str) and is_label(label)
        ),
        objects=tuple(objects),
        split=_split(path, words),
        group=group if isinstance(group, str) else "",
        size=image_size(entry),
        attributes=attributes | (kept if isinstance(kept, dict) else {}),
        shared=True,
    )
