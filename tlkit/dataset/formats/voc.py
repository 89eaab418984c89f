"""Reader of Pascal VOC: XML with boxes and polygons, lists of splits, masks.

    JPEGImages/1.jpg, Annotations/1.xml, ImageSets/Main/train.txt, val.txt, test.txt
    SegmentationClass/1.png, SegmentationObject/1.png, class_names.txt
    1.jpg, 1.xml                                    labelImg, Roboflow

An image and its files have the same name, in JPEGImages or images next to Annotations,
or all in one folder. Only without such an image, the one that the XML names is looked
for, since that name is often stale.
"""

from __future__ import annotations

import functools
import posixpath
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from tlkit.dataset.formats.common import split_by_lists
from tlkit.dataset.formats.voc_masks import (
    NAME_FILES,
    Classes,
    match_masks,
    read_classes,
    read_masks,
)
from tlkit.dataset.formats.voc_sets import Key, read_sets
from tlkit.dataset.formats.voc_xml import VocImage, parse_annotation
from tlkit.dataset.records import ImageRecord, ParsedSource, Rejected
from tlkit.dataset.sources.image_paths import SUFFIXES, Images
from tlkit.dataset.sources.open import Source
from tlkit.dataset.sources.walk import upwards
from tlkit.imaging.safe_read import Unusable

IMAGE_FOLDERS = ("JPEGImages", "images", "Images", "")


@dataclass
class ImageFiles:
    """The files about one image, "" for those that do not exist.

    `class_mask` is in SegmentationClass, `object_mask` in SegmentationObject; `classes`
    are those of the numbers in the masks, None where they cannot be read.
    """

    xml: str = ""
    class_mask: str = ""
    object_mask: str = ""
    classes: Classes | None = None


def count_mask_only(source: Source) -> int:
    """Count the images that have masks but no XML."""
    index = _index(source)
    return sum(
        bool(files.class_mask and not files.xml and _own_images(key, index))
        for key, files in _files(source).items()
    )


def read(source: Source) -> ParsedSource:
    """Read the XML files and masks of a source."""
    index, files = _index(source), _files(source)
    rejected = list(source.rejected)
    warnings = _name_classes(source, files, rejected)
    annotation_files = {
        each.classes.file for each in files.values() if each.classes
    } - {""}
    records: dict[Key, ImageRecord] = {}
    parse = functools.partial(read_image, source.root)
    images = source.map(parse, list(files.values()))
    for key, image in zip(files, images, strict=True):
        rejected += image.rejected
        if image.record is None:
            continue
        named = image.named or posixpath.basename(key[1])
        path = _find(key, named, image.record.file, index)
        if isinstance(path, Rejected):
            rejected.append(path)
        else:
            records[key] = replace(image.record, path=path)
            annotation_files.update(image.masks)
    paths = {key: record.path for key, record in records.items()}
    lists = {
        file: place
        for file in source.files
        if file.lower().endswith(".txt") and (place := _key(file, "imagesets"))
    }
    splits, named_by, about_lists = read_sets(source, lists, paths)
    split, about_split = split_by_lists(splits, list(paths.values()), named_by)
    return ParsedSource(
        files=source.files,
        records=tuple(replace(r, split=split.get(r.path)) for r in records.values()),
        rejected=tuple(rejected),
        note=f"Read as Pascal VOC annotations, {len(records)} of them"
        + f", split from {named_by}" * bool(split)
        + ".",
        warnings=(*warnings, *about_lists, *about_split),
        annotation_of={record.path: record.file for record in records.values()},
        annotation_files=frozenset(annotation_files.union(lists)),
    )


def _files(source: Source) -> dict[Key, ImageFiles]:
    files: dict[Key, ImageFiles] = defaultdict(ImageFiles)
    for file in source.ending(".xml"):
        folder, name = posixpath.split(posixpath.splitext(file)[0])
        files[_key(file, "annotations") or (folder, name)].xml = file
    for file in () if source.only else source.ending(".png"):
        if key := _key(file, "segmentationclass", "segmentationclasspng"):
            files[key].class_mask = files[key].class_mask or file
        elif key := _key(file, "segmentationobject"):
            files[key].object_mask = file
    return files


def _key(file: str, *folders: str) -> Key | None:
    """Split a path at a folder of such a name: what holds it, and the place in it."""
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
    outside = source.options.allow_outside
    return Images(source.root, files, allow_outside=outside)


def _own_images(key: Key, index: Images) -> list[str]:
    folder, name = key
    found = (index.of_stem(posixpath.join(folder, p, name)) for p in IMAGE_FOLDERS)
    return next(filter(None, found), [])


def _find(key: Key, named: str, file: str, index: Images) -> str | Rejected:
    own = _own_images(key, index)
    if len(own) == 1:
        return own[0]
    if own:
        detail = f"{' and '.join(own)} have its name."
        return Rejected(file, "image-ambiguous", detail)
    # The suffix is often left out; any will do to look for the name.
    known = named.lower().endswith(SUFFIXES)
    return index.find(named if known else f"{named}.jpg", file)


def _name_classes(
    source: Source, files: Mapping[Key, ImageFiles], rejected: list[Rejected]
) -> list[str]:
    """Set the classes of the numbers in masks, by folder; return warnings."""
    known: dict[str, Classes | None] = {}
    there = set(source.files)
    for (folder, _), each in files.items():
        if not each.class_mask:
            continue
        if folder not in known:
            places = (posixpath.join(a, n) for a in upwards(folder) for n in NAME_FILES)
            file = next((place for place in places if place in there), "")
            try:
                known[folder] = read_classes(source.root, file)
            except Unusable as error:
                known[folder] = None
                rejected.append(Rejected(file, error.reason, error.detail))
        each.classes = known[folder]
    return [
        f"{folder or '.'}/: no {' or '.join(NAME_FILES)}, so that the numbers in "
        "SegmentationClass are taken for the 20 classes of Pascal VOC."
        for folder, classes in known.items()
        if classes and not classes.file
    ]


def read_image(root: Path, files: ImageFiles) -> VocImage:
    """Read the files about one image."""
    masks = tuple(file for file in (files.class_mask, files.object_mask) if file)
    if files.xml:
        image = parse_annotation(root, files.xml)
    else:
        image = VocImage(ImageRecord("", masks[0]))
    if image.record is None:
        return image
    record, rejected = image.record, image.rejected
    if masks:
        try:
            record = _add_masks(root, files, record)
        except Unusable as error:
            detail = f"{error.detail.rstrip('.')}."
            rejected += tuple(Rejected(file, error.reason, detail) for file in masks)
            masks = ()
    if not record.objects and (image.rejected or not (files.xml or masks)):
        # A file that could not be understood does not mean that nothing is there.
        return VocImage(rejected=rejected)
    return VocImage(record, image.named, rejected, masks)


def _add_masks(root: Path, files: ImageFiles, record: ImageRecord) -> ImageRecord:
    if not files.class_mask:
        raise Unusable("no-class-mask", "No SegmentationClass gives its classes")
    drawn = any(s.kind != "rectangle" for obj in record.objects for s in obj.shapes)
    if drawn or (record.objects and not files.object_mask):
        raise Unusable("not-needed", f"{files.xml} has more of what is on the image")
    if files.classes is None:
        raise Unusable("no-names", "The names of its classes cannot be read")
    size, masks = read_masks(root, files.class_mask, files.object_mask, files.classes)
    if record.size not in {None, size}:
        width, height = record.size or size
        detail = f"{size[0]} x {size[1]} pixels, {files.xml} has {width} x {height}"
        raise Unusable("size-mismatch", detail)
    return replace(record, objects=match_masks(record.objects, masks), size=size)
