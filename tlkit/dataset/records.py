"""What every source yields: pages, one an image, and the files that give none.

A page says of one image what was written or drawn about it. What of that becomes an
example, and under which label, is decided later, in `labeling`.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import natsort

from tlkit.dataset.annotations.shapes import Bounds, Shape, around

# Labels and flags by which labelme's users say "none of the classes".
IGNORED = ("__ignore__", "_background_")
# Characters; folders, which are labels, cannot have longer names.
MAX_LABEL = 255
SPLIT_NAMES = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "dev": "val",
    "test": "test",
    "testing": "test",
}


@dataclass(frozen=True)
class Annotation:
    """One object on an image.

    Attributes:
        label: Its class; "" where it has none.
        shapes: Its parts, one at least.
        bbox: The box that the source gives in addition to the shapes; None for none.
        attributes: What else the source says of it, as JSON values.
    """

    label: str
    shapes: tuple[Shape, ...]
    bbox: Bounds | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)

    @property
    def bounds(self) -> Bounds:
        """The box around all of it."""
        return self.bbox or around(self.shapes)


@dataclass(frozen=True)
class ImageRecord:
    """What a source says of one image.

    Attributes:
        path: Of the image, POSIX, relative to the source root; of a JSON where the
            image is inside it.
        file: The annotation file, likewise; "" where folders tell the label.
        labels: Of the whole image.
        objects: Objects on it.
        split: The side it was given, one of "train", "val", "test"; None for none.
        group: What it must not be parted from; "" for nothing.
        size: Width and height of the image that was drawn on, where told.
        attributes: What else the source says of it, as JSON values.
        shared: Whether the annotation file is about other images as well.
        relative: Whether coordinates are shares of the oriented image's width and
            height; `orient` makes pixels of them.
    """

    path: str
    file: str = ""
    labels: tuple[str, ...] = ()
    objects: tuple[Annotation, ...] = ()
    split: str | None = None
    group: str = ""
    size: tuple[int, int] | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)
    shared: bool = False
    relative: bool = False

    @property
    def shown(self) -> str:
        """The file that the user would look at: its own annotation or the image."""
        return self.path if self.shared else self.file or self.path


@dataclass(frozen=True)
class Rejected:
    """A file, or a part of it, that is not used.

    Attributes:
        file: POSIX, relative to the source root.
        reason: A short word for tables, as in "truncated".
        detail: What was found, for a person.
        sha256: Of the encoded image, where it could be read but not decoded.
    """

    file: str
    reason: str
    detail: str
    sha256: str = ""


@dataclass(frozen=True)
class ParsedSource:
    """What a source holds.

    Attributes:
        files: Every file found, junk aside.
        records: What it says of its images; several pages may be about one image.
        rejected: What cannot be used, as far as one can tell without decoding.
        note: How the source was understood, for a person.
        warnings: What the user should act on.
        annotation_of: For each image that an annotation file leads to, that file.
        annotation_files: Files that were read and are no images, such as lists.
        classes: Those that the source lists, in its order, whether or not anything
            bears them; () where it lists none.
        root: Where the paths of the pages start, where the reader made the images;
            None for the root of the source.
    """

    files: tuple[str, ...]
    records: tuple[ImageRecord, ...]
    rejected: tuple[Rejected, ...] = ()
    note: str = ""
    warnings: tuple[str, ...] = ()
    annotation_of: Mapping[str, str] = field(default_factory=dict)
    annotation_files: frozenset[str] = frozenset()
    classes: tuple[str, ...] = ()
    root: Path | None = None


_natural = natsort.natsort_keygen()
# The same paths are sorted several times; so many keys fit into some 60 MB.
KEYS = 1 << 17


@functools.lru_cache(maxsize=KEYS)
def natural_key(text: str) -> tuple[object, str]:
    """Sort key: 2 before 10; total, so that no two texts compare equal."""
    return _natural(text), text


def in_natural_order(texts: Iterable[str]) -> list[str]:
    """Sort labels or paths the way a person counts, 2 before 10."""
    return sorted(texts, key=natural_key)


def is_label(text: str) -> bool:
    """Whether a text can be a line of labels.txt."""
    odd = re.search("[\0-\x1f\x7f\ud800-\udfff]", text)
    return bool(text.strip()) and len(text) <= MAX_LABEL and not odd
