"""Pairs of masks and images, found by the names of their files.

By name: X_watershed_mask.png, X_color_mask.png and X_mask.png next to X.jpg. By folder:
masks/X.png for images/X.jpg, both folders named as is usual.
"""

from __future__ import annotations

import posixpath
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping

from tlkit.dataset.records import SPLIT_NAMES, Rejected
from tlkit.dataset.sources.image_paths import SUFFIXES

KINDS = re.compile(r"(.+)_(watershed|color)_mask\.png|(.+)_mask\.png", re.IGNORECASE)
IMAGE_FOLDERS = {*("images", "image", "imgs", "img", "jpegimages", "photos")}
MASK_FOLDERS = {
    *("masks", "mask", "labels", "annotations", "segmentations", "segmentation"),
    *("segmentationclass", "ground_truth", "groundtruth", "gt", "trimaps"),
}


def count_named_masks(files: Iterable[str]) -> int:
    """Count the masks, other than colors, that are named after images next to them."""
    images = _by_mask_stem(files)
    kinds = map(_kind, files)
    return sum(kind != "color" and stem in images for stem, kind in kinds if kind)


def pair_masks(
    files: Iterable[str],
) -> tuple[dict[str, str], set[str], list[Rejected]]:
    """Return the image of each mask that counts, the masks not needed, the others."""
    images, folders = _by_mask_stem(files), _image_folders(files)
    kinds: dict[str, dict[str, str]] = defaultdict(dict)
    image_of: dict[str, str] = {}
    unused = set()
    rejected = []
    for file in files:
        stem, kind = _kind(file)
        if kind:
            kinds[stem][kind] = file
        elif image := _in_folder(file, posixpath.splitext(file)[0], images, folders):
            image_of[file] = image
    for stem, found in kinds.items():
        mask = found.get("watershed") or found.get("strokes")
        image = images.get(stem) or (mask and _in_folder(mask, stem, images, folders))
        for file in found.values():
            if image and file == mask:
                image_of[mask] = image
            elif image and mask:
                unused.add(file)
            elif mask:
                detail = "Not exactly one image of its name is next to it."
                rejected.append(Rejected(file, "image-missing", detail))
            else:
                detail = "Colors are not IDs: save the watershed mask next to it."
                rejected.append(Rejected(file, "color-mask", detail))
    return image_of, unused, rejected


def _kind(file: str) -> tuple[str, str]:
    """Return the stem that a mask is named after, and its kind; "" for no mask."""
    found = KINDS.fullmatch(posixpath.basename(file))
    if not found:
        return "", ""
    stem, kind, plain = found.groups()
    stem = posixpath.join(posixpath.dirname(file), stem or plain)
    return stem, (kind or "strokes").lower()


def _by_mask_stem(files: Iterable[str]) -> dict[str, str]:
    """Map each mask stem to its image; stems that fit several images are left out."""
    by_name = defaultdict(set)
    for file in files:
        if file.lower().endswith(SUFFIXES) and not _kind(file)[1]:
            folder, name = posixpath.split(file)
            by_name[posixpath.splitext(file)[0]].add(file)
            # The tool drops everything behind the first dot.
            by_name[posixpath.join(folder, name.split(".")[0])].add(file)
    return {stem: found.pop() for stem, found in by_name.items() if len(found) == 1}


def _image_folders(files: Iterable[str]) -> dict[str, list[str]]:
    """Return the folders named as those of images are, by the folder above."""
    found: dict[str, list[str]] = defaultdict(list)
    for folder in dict.fromkeys(map(posixpath.dirname, files)):
        parts = folder.split("/")
        for i, part in enumerate(parts):
            above = "/".join(parts[:i])
            if part.lower() in IMAGE_FOLDERS and part not in found[above]:
                found[above].append(part)
    return found


def _in_folder(
    file: str, stem: str, images: Mapping[str, str], folders: Mapping[str, list[str]]
) -> str | None:
    """Find the image of a mask in a folder of masks."""
    if not file.lower().endswith(SUFFIXES):
        return None
    parts = stem.split("/")
    for i, part in enumerate(parts[:-1]):
        if part.lower() in MASK_FOLDERS:
            for name in folders.get("/".join(parts[:i]), ()):
                other = "/".join([*parts[:i], name, *parts[i + 1 :]])
                if other in images:
                    return images[other]
    return None


def folder_pair(files: Iterable[str]) -> tuple[str, str, int] | None:
    """Return two class folders that are rather images and their masks.

    Returns:
        The folder of images, that of masks, and the number of names in common; None
        where there are no such folders.
    """
    stems: dict[str, set[tuple[str, ...]]] = defaultdict(set)
    for file in files:
        if not file.lower().endswith(SUFFIXES):
            continue
        split, *parts = (_kind(file)[0] or posixpath.splitext(file)[0]).split("/")
        if split.lower() not in SPLIT_NAMES or len(parts) < 2:
            split, parts = "", [split, *parts]
        if len(parts) > 1:
            stems[parts[0]].add((split, *parts[1:]))
    if len(stems) != 2:
        return None
    images, masks = sorted(stems, key=lambda name: name.lower() in MASK_FOLDERS)
    known = images.lower() in IMAGE_FOLDERS and masks.lower() in MASK_FOLDERS
    common = len(stems[images] & stems[masks])
    if not known or 2 * common <= min(len(stems[images]), len(stems[masks])):
        return None
    return images, masks, common
