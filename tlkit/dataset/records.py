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

# Labels and flags by which labelme's users say "none of the classes".
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
    # What the source gives beside the shapes.
    bbox: Bounds | None = None
    # What else the source has, as JSON values.
    attributes: Mapping[str, Any] = field(default_factory=dict)

    @property
    def bounds(self) -> Bounds:
        """The box around all of it."""
        return self.bbox or around(self.shapes)

    @property
    def ignored(self) -> bool:
        """Is it marked as none of the classes?"""
        flags = self.attributes.get("flags")
        flagged = isinstance(flags, Mapping) and flags.get("__ignore__") is True
        return self.label in IGNORED or flagged


@dataclass(frozen=True)
class ImageRecord:
    """What a source has about one image.

    Attributes:
        path: Of the image, POSIX, relative to the source root; of a JSON where the
            image is inside it.
        file: The annotation file, likewise; "" where the folder is the label.
        labels: Of the whole image.
        objects: Objects on it.
        split: "train", "val" or "test"; None where the source gives none.
        group: Images of one group stay in one split; "" for none.
        size: Width and height of the image that was drawn on, where known.
        attributes: What else the source has, as JSON values.
        shared: The annotation file covers other images as well.
        relative: Coordinates are shares of the oriented image's width and height;
            `orient` makes pixels of them.
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
    """A row of rejected.csv: a file, or a part of it, that is not used.

    Attributes:
        file: POSIX, relative to the source root.
        reason: A short code, such as "truncated".
        detail: What was found, for a person.
        sha256: Of the encoded image, where it could be read but not decoded.
        annotation: The annotation file whose fault leaves the image out.
    """

    file: str
    reason: str
    detail: str
    sha256: str = ""
    annotation: str = ""


@dataclass(frozen=True)
class ParsedSource:
    """What a reader found in a source.

    Attributes:
        files: Every file found, junk aside.
        records: One or several for each image.
        rejected: What cannot be used, as far as one can tell without decoding.
        note: How the source was understood, for a person.
        warnings: What the user should act on.
        annotation_of: The annotation file of each image that one leads to.
        annotation_files: Files that were read and are no images, such as lists of
            names or of splits.
        classes: Those that the source lists, in its order, used or not; () for none.
        root: What the paths of the records are relative to, where the reader made the
            images; None for the source root.
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


@dataclass(frozen=True, slots=True)
class ImageInfo:
    """What is known of an image once it was decoded; all of it is upright.

    Attributes:
        path: POSIX, relative to the source root.
        sha256: Of the encoded image.
        pixel_sha256: Of the size and the decoded pixels.
        width: In pixels.
        height: In pixels.
        format: As Pillow names it, such as "JPEG".
        notes: Remarks for notes.csv, such as "exif-orientation-6" or "tiny".
        orientation: 1 to 8, the EXIF orientation of the stored image.
        camera: Make and model; "" for unknown.
        taken: Time as EXIF has it; "" for unknown.
        brightness: Mean gray level, 0 to 255.
        contrast: Standard deviation of the gray levels.
        sharpness: See `image_info.sharpness`.
        border: Mean color of its edge, RGB.
    """

    path: str
    sha256: str
    pixel_sha256: str
    width: int
    height: int
    format: str
    notes: tuple[str, ...] = ()
    orientation: int = 1
    camera: str = ""
    taken: str = ""
    brightness: float = 128.0
    contrast: float = 64.0
    sharpness: float = 1.0
    border: tuple[int, int, int] = (128, 128, 128)


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
    """What prepare did about a duplicate."""

    KEPT = "kept"
    DROPPED = "dropped"  # one of several exact duplicates stays
    REMOVED = "removed"  # as a leak
    LEFT_OUT = "left out"  # as a conflict
    GROUPED = "grouped"  # stays, in the same split as its match
    LEFT_APART = "left apart"  # similar, but in splits that were settled before
    UNREADABLE = "unreadable"


@dataclass(frozen=True)
class DuplicateRow:
    """An image and its duplicate: a row of duplicates.csv, and a finding of check.

    Attributes:
        group: As in the manifest, where anything of it is kept.
        kind: A Kind; check has further ones.
        file: The image, POSIX, relative to the source root.
        split: The one that it was settled to be in; "" for none.
        label: Its label, "" where not known.
        match: The other image; "" for none.
        match_split: Likewise of the match.
        match_label: Likewise.
        distance: Bits in which the hashes differ, of similar images 1 - cosine; None
            where they are related through a third image only.
        transform: What makes the match this image, one of rotated.TRANSFORMS; "" for
            nothing.
        action: An Action; "" in check.
        detail: What else check found; "" in prepare.
    """

    group: str = ""
    kind: str = ""
    file: str = ""
    split: str = ""
    label: str = ""
    match: str = ""
    match_split: str = ""
    match_label: str = ""
    distance: float | None = None
    transform: str = ""
    action: str = ""
    detail: str = ""


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
