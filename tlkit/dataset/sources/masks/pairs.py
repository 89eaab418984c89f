"""Names of files in, which of them are masks of which pictures out.

By name: X_watershed_mask.png, X_color_mask.png and X_mask.png beside X.jpg. By folder:
masks/X.png for images/X.jpg, both folders called as is usual.
"""

from __future__ import annotations

import posixpath
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tlkit.dataset.sources.page import SPLIT_NAMES
from tlkit.dataset.sources.pictures import SUFFIXES

KINDS = re.compile(r"(.+)_(watershed|color)_mask\.png|(.+)_mask\.png", re.IGNORECASE)
PICTURE_FOLDERS = (
    *("images", "image", "imgs", "img", "jpegimages", "pictures", "photos"),
)
MASK_FOLDERS = (
    *("masks", "mask", "labels", "annotations", "segmentations", "segmentation"),
    *("segmentationclass", "ground_truth", "groundtruth", "gt", "trimaps"),
)


@dataclass(frozen=True)
class Pair:
    """A folder of pictures and one of what may be their masks.

    Attributes:
        pictures: Its name.
        masks: Likewise.
        common: How many masks are called as a picture is.
    """

    pictures: str
    masks: str
    common: int


def kind_of(file: str) -> tuple[str, str]:
    """What a mask is about, by its name.

    Args:
        file: Any file.

    Returns:
        The path without suffix of its picture, were it beside, and the kind of mask,
        "watershed", "strokes" or "color"; "" for both where it is called as none.
    """
    found = KINDS.fullmatch(posixpath.basename(file))
    if not found:
        return "", ""
    stem, kind, plain = found.groups()
    stem = posixpath.join(posixpath.dirname(file), stem or plain)
    return stem, (kind or "strokes").lower()


def picture_folders(files: Iterable[str]) -> dict[str, list[str]]:
    """Find the folders that are called as those of pictures are.

    Args:
        files: Of a source.

    Returns:
        Their names by the folder that they lie in, "" for the root.
    """
    found: dict[str, list[str]] = defaultdict(list)
    for folder in dict.fromkeys(map(posixpath.dirname, files)):
        parts = folder.split("/")
        for i, part in enumerate(parts):
            above = "/".join(parts[:i])
            if part.lower() in PICTURE_FOLDERS and part not in found[above]:
                found[above].append(part)
    return found


def picture_of(
    file: str,
    beside: Mapping[str, str],
    folders: Mapping[str, list[str]],
    stem: str = "",
) -> str | None:
    """Find the picture of a mask in a folder of masks.

    Args:
        file: What may be one.
        beside: Pictures by their paths without suffix.
        folders: As `picture_folders` finds them.
        stem: The path without suffix, where that is not the whole name.

    Returns:
        The picture of the same name in the folder of pictures beside; None for none.
    """
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
    """Find out whether class folders would rather be pictures and their masks.

    Args:
        files: Of a source.

    Returns:
        The two folders, where there are just two that hold pictures, in the root or in
        the sides of a split, and most names in one are also in the other.
    """
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
    pictures, masks = sorted(stems, key=lambda name: name.lower() in MASK_FOLDERS)
    known = pictures.lower() in PICTURE_FOLDERS and masks.lower() in MASK_FOLDERS
    common = len(stems[pictures] & stems[masks])
    if not known or 2 * common <= min(len(stems[pictures]), len(stems[masks])):
        return None
    return Pair(pictures, masks, common)
