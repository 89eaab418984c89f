"""Records that the steps of prepare hand on, and the natural order of labels."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

import natsort

from tlkit.dataset.annotations.shapes import Bounds, Shape, around

# Labels and flags that mean "none of the classes" in labelme.
IGNORED = ("__ignore__", "_background_")
# Characters; folders, which are labels, cannot have longer names.
MAX_LABEL = 255
# Between the labels of one example in manifest.csv.
BETWEEN = "|"
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
Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class Annotation:
    """One object on an image."""

    label: str  # "" for none
    shapes: tuple[Shape, ...]  # its parts, one at least
    bbox: Bounds | None = None  # if the source gives one in addition to the shapes
    attributes: Mapping[str, Any] = field(default_factory=dict)  # the rest, as JSON

    @property
    def bounds(self) -> Bounds:
        """The box around all of it."""
        return self.bbox or around(self.shapes)

    @property
    def ignored(self) -> bool:
        """True if it is marked as none of the classes."""
        flags = self.attributes.get("flags")
        flagged = isinstance(flags, Mapping) and flags.get("__ignore__") is True
        return self.label in IGNORED or flagged


@dataclass(frozen=True)
class ImageRecord:
    """The annotations of one image; paths are POSIX, relative to its root."""

    path: str  # of a JSON where the image is inside it
    file: str = ""  # the annotation file; "" where the folder is the label
    labels: tuple[str, ...] = ()  # of the whole image
    objects: tuple[Annotation, ...] = ()
    split: str | None = None  # "train", "val" or "test"; None where none is given
    group: str = ""  # images of one group stay in one split; "" for none
    size: tuple[int, int] | None = None  # of the image drawn on, where known
    attributes: Mapping[str, Any] = field(default_factory=dict)  # the rest, as JSON
    shared: bool = False  # the annotation file covers other images as well
    # Coordinates are shares of the oriented image; `orient` makes pixels of them.
    relative: bool = False

    @property
    def shown(self) -> str:
        """The file that the user would look at: its own annotation or the image."""
        return self.path if self.shared else self.file or self.path


@dataclass(frozen=True)
class Rejected:
    """A row of rejected.csv: a file, or a part of it, that is not used."""

    file: str  # POSIX, relative to the source root
    reason: str  # a code, such as "truncated"
    detail: str  # what was found, for a person
    sha256: str = ""  # of the encoded image, where it could be read but not decoded
    annotation: str = ""  # the annotation file whose fault leaves the image out


@dataclass(frozen=True)
class ParsedSource:
    """The content of a source, as its reader found it."""

    files: tuple[str, ...]  # every file, junk aside
    records: tuple[ImageRecord, ...]  # one or several for each image
    rejected: tuple[Rejected, ...] = ()  # as far as is known without decoding
    note: str = ""  # how the source was understood, for a person
    warnings: tuple[str, ...] = ()
    annotation_of: Mapping[str, str] = field(default_factory=dict)  # image to file
    # Files that were read and are no images, such as lists of names or of splits.
    annotation_files: frozenset[str] = frozenset()
    classes: tuple[str, ...] = ()  # those that the source lists, used or not
    root: Path | None = None  # of the paths of records, if not the source root


@dataclass(frozen=True, slots=True)
class ImageInfo:
    """Properties of a decoded and oriented image."""

    path: str  # POSIX, relative to the source root
    sha256: str  # of the encoded image
    pixel_sha256: str  # of the size and the decoded pixels
    width: int
    height: int
    format: str  # as Pillow names it, such as "JPEG"
    notes: tuple[str, ...] = ()  # for notes.csv, such as "exif-orientation-6", "tiny"
    orientation: int = 1  # 1 to 8, the EXIF orientation of the stored image
    camera: str = ""  # make and model; "" for unknown
    taken: str = ""  # as EXIF has it; "" for unknown
    brightness: float = 128.0  # mean gray level, 0 to 255
    contrast: float = 64.0  # standard deviation of the gray levels
    sharpness: float = 1.0  # see `image_info.sharpness`
    border: tuple[int, int, int] = (128, 128, 128)  # mean color of its edge, RGB


class Text(str, Enum):
    """Enumerated texts that print and compare as plain ones."""

    __str__ = str.__str__


class Kind(Text):
    """The kinds of duplicates, the gravest first."""

    CONFLICT = "conflict"  # the same image under two labels
    LEAK = "leak"  # a duplicate is in another split
    EXACT = "exact"
    NEAR = "near"
    ROTATED = "rotated"  # or flipped
    SIMILAR = "similar"


class Action(Text):
    """The action of prepare on a duplicate."""

    KEPT = "kept"
    DROPPED = "dropped"  # one of several exact duplicates stays
    REMOVED = "removed"  # as a leak
    LEFT_OUT = "left out"  # as a conflict
    GROUPED = "grouped"  # stays, in the same split as its match
    LEFT_APART = "left apart"  # similar, but in splits that are given
    UNREADABLE = "unreadable"


@dataclass(frozen=True)
class DuplicateRow:
    """An image and its duplicate: a row of duplicates.csv, or a finding of check."""

    kind: str  # a Kind; check has further ones
    file: str  # the image, POSIX, relative to the source root
    split: str = ""  # given by the source or an existing data set; "" for none
    label: str = ""
    match: str = ""  # the other image
    match_split: str = ""
    match_label: str = ""
    # Bits in which the hashes differ, of similar images 1 - cosine; None where they
    # are related through a third image only.
    distance: float | None = None
    transform: str = ""  # makes the match this image: one of rotated.TRANSFORMS, or ""
    group: str = ""  # as in the manifest, where anything of it is kept
    action: str = ""  # an Action; "" in check
    detail: str = ""  # what else check found


@dataclass(frozen=True)
class Outlier:
    """An image of a finding, with what was measured."""

    path: str
    box: Box | None  # the part of it; None for the whole image
    detail: str


@dataclass(frozen=True)
class Finding:
    """A sentence about the quality of a set, and the images it is about.

    The most extreme outliers come first; () if it is about all images. `urgent`
    findings are warnings, others remarks.
    """

    kind: str
    text: str
    outliers: tuple[Outlier, ...] = ()
    urgent: bool = False


_natural = natsort.natsort_keygen()
# The same paths are sorted several times; so many keys fit into some 60 MB.
KEYS = 1 << 17


@functools.lru_cache(maxsize=KEYS)
def natural_key(text: str) -> tuple[object, str]:
    """Return a sort key: 2 before 10; total, so that no two texts compare equal."""
    return _natural(text), text


def in_natural_order(texts: Iterable[str]) -> list[str]:
    """Sort labels or paths the way a person counts, 2 before 10."""
    return sorted(texts, key=natural_key)


def is_label(text: str) -> bool:
    """Return True if a text can be a line of labels.txt."""
    unprintable = re.search("[\0-\x1f\x7f\ud800-\udfff]", text)
    return bool(text.strip()) and len(text) <= MAX_LABEL and not unprintable
