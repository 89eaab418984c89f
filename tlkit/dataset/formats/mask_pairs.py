"""Names of files in, which of them are masks of which images out.

By name: X_watershed_mask.png, X_color_mask.png and X_mask.png beside X.jpg. By folder:
masks/X.png for images/X.jpg, both folders called as is usual.
"""

from __future__ import annotations

import posixpath
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tlkit.dataset.records import SPLIT_NAMES
from tlkit.dataset.sources.image_paths import SUFFIXES

KINDS = re.compile(r"(.+)_(watershed|color)_mask\.png|(.+)_mask\.png", re.IGNORECASE)
IMAGE_FOLDERS = (*("images", "image", "imgs", "img", "jpegimages", "images", "photos"),)
MASK_FOLDERS = (
    *("masks", "mask", "labels", "annotations", "segmentations", "segmentation"),
    *("segmentationclass", "ground_truth", "groundtruth", "gt", "trimaps"),
)


@dataclass(frozen=True)
class Pair:
    """A folder of images and one of what may be their masks.

    Attributes:
        images: Its name.
        masks: Likewise.
        common: How many masks are called as an image is.
    """

    images: str
    masks: str
    common: int


def kind_of(file: str) -> tuple[str, str]:
    """What a mask is about, by its name."""
    found = KINDS.fullmatch(posixpath.basename(file))
    if not found:
        return "", ""
    stem, kind, plain = found.groups()
    stem = posixpath.join(posixpath.dirname(file), stem or plain)
    return stem, (kind or "strokes").lower()


def image_folders(files: Iterable[str]) -> dict[str, list[str]]:
    """Find the folders that are called as those of images are."""
    found: dict[str, list[str]] = defaultdict(list)
    for folder in dict.fromkeys(map(posixpath.dirname, files)):
        parts = folder.split("/")
        for i, part in enumerate(parts):
            above = "/".join(parts[:i])
            if part.lower() in IMAGE_FOLDERS and part not in found[above]:
                found[above].append(part)
    return found


def image_of(
    file: str,
    beside: Mapping[str, str],
    folders: Mapping[str, list[str]],
    stem: str = "",
) -> str | None:
    """Find the image of a mask in a folder of masks."""
    if not file.lower().endswith(SUFFIXES):
        return None
    parts = (stem or posixpath.splitext(file)[0]).split("/")
    for i, part in enumerate(parts[:-1]):
        if part.lower() in MASK_FOLDERS:
            for name in folders.get("/".join(parts[:i]), ()):
                other = "/".join([*parts[:i], name, *parts[i + 1 :]])
                if other in beside:
                    return beside[other]
    return None


def folder_pair(files: Iterable[str]) -> Pair | None:
    """Find out whether class folders would rather be images and their masks."""
    stems: dict[str, set[tuple[str, ...]]] = defaultdict(set)
    for file in files:
        if not file.lower().endswith(SUFFIXES):
            continue
        side, *parts = (kind_of(file)[0] or posixpath.splitext(file)[0]).split("/")
        if side.lower() not in SPLIT_NAMES or len(parts) < 2:
            side, parts = "", [side, *parts]
        if len(parts) > 1:
            stems[parts[0]].add((side, *parts[1:]))
    if len(stems) != 2:
        return None
    images, masks = sorted(stems, key=lambda name: name.lower() in MASK_FOLDERS)
    known = images.lower() in IMAGE_FOLDERS and masks.lower() in MASK_FOLDERS
    common = len(stems[images] & stems[masks])
    if not known or 2 * common <= min(len(stems[images]), len(stems[masks])):
        return None
    return Pair(images, masks, common)
