"""File names of the images that convert writes."""

from __future__ import annotations

import hashlib
import posixpath
import re
from collections.abc import Sequence

from tlkit.dataset.inspection import image_info
from tlkit.dataset.records import ImageInfo
from tlkit.dataset.sources.image_paths import SUFFIXES

# Bytes of a name without suffix: file systems take 255, and ".xml" has to fit in.
MAX_STEM = 200
# Stands for "/" where a format has no folders.
JOINT = "+"


def unique_names(images: Sequence[ImageInfo]) -> list[str]:
    """Name copies of images, POSIX, unique without their suffix, below one folder."""
    paths = [_plain_path(image) for image in images]
    folders = {posixpath.dirname(path) for path in paths}
    common = posixpath.commonpath(folders) if folders else ""
    taken: dict[str, int] = {}
    names = []
    for path in paths:
        stem, suffix = posixpath.splitext(path.removeprefix(f"{common}/"))
        name = stem
        while name.casefold() in taken:
            taken[stem.casefold()] += 1
            name = f"{stem}_{taken[stem.casefold()]}"
        taken[name.casefold()] = 1
        names.append(name + suffix)
    return names


def _plain_path(image: ImageInfo) -> str:
    path = image.path
    if path.startswith(("../", "/")) or re.match("[A-Za-z]:", path):
        path = posixpath.basename(path)
    # Lists have one name per line, and "\\" is "/" on other systems.
    path = re.sub(r"[\x00-\x1f\x7f\\]", "_", path)
    folder, name = posixpath.split(path)
    stem, suffix = posixpath.splitext(name)
    if suffix.lower() not in SUFFIXES:
        usual = image_info.SUFFIXES.get(image.format, (f".{image.format.lower()}",))
        stem, suffix = stem if suffix == ".json" else name, usual[0]
    stem = stem.encode()[:MAX_STEM].decode(errors="ignore")
    return posixpath.join(folder, stem + suffix)


def flat(name: str) -> str:
    """Join the folders of a name into the name."""
    stem, suffix = posixpath.splitext(name)
    joined = stem.replace("/", JOINT)
    if JOINT not in stem and len(joined.encode()) <= MAX_STEM:
        return joined + suffix
    # A checksum keeps names unique that hold the joint themselves, or are cut.
    checksum = hashlib.sha256(stem.encode()).hexdigest()[:8]
    cut = joined.encode()[:MAX_STEM].decode(errors="ignore")
    return f"{cut}-{checksum}{suffix}"
