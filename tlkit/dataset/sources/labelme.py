"""labelme JSON in, annotations out: by the flags of a picture, or by its shapes.

Reads what labelme 2 to 7 writes. Nothing outside of the source root is ever read.
"""

from __future__ import annotations

import functools
import posixpath
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tlkit.dataset.images import UnreadableImage, read_json
from tlkit.dataset.sources.annotation import Annotation, Box, Rejection, Scan, is_label
from tlkit.dataset.sources.folders import SPLIT_NAMES, is_split
from tlkit.dataset.sources.shapes import IGNORED, instances
from tlkit.dataset.sources.walk import walk
from tlkit.progress import Progress, track
from tlkit.workers import in_order

LABEL_BY = ("image", "shapes")
SUFFIXES = (
    *(".jpg", ".jpeg", ".png", ".bmp", ".gif", ".tif", ".tiff", ".webp"),
    *(".pgm", ".ppm", ".pbm", ".jp2", ".avif"),
)
NO_PAGES = (
    "There is no JSON file, as labelme writes them; for class folders say "
    "--from folders, without --label-by."
)
# So many bytes of JSON are parsed sooner here than in processes started for it.
FEW_BYTES = 64 << 20


@dataclass(frozen=True)
class Page:
    """What one JSON says, without the picture that may be inside.

    Attributes:
        file: The JSON.
        picture: Its imagePath, as it is.
        embedded: Whether a picture is inside.
        size: Width and height as annotated, where told.
        labelled: Label, box and shape of each thing to classify.
        rejected: What of it cannot be used.
        unasked: How many labels it has of the way not asked for.
    """

    file: str
    picture: str = ""
    embedded: bool = False
    size: tuple[int, int] | None = None
    labelled: tuple[tuple[str, Box | None, str], ...] = ()
    rejected: tuple[Rejection, ...] = ()
    unasked: int = 0


def read(root: Path, label_by: str, *, workers: int | None, progress: Progress) -> Scan:
    """List what labelme's JSON files below a folder say.

    Args:
        root: The source root.
        label_by: One of LABEL_BY: the one true flag of a picture is its label, or each
            shape is an example of its own.
        workers: Number of processes; None decides by the amount.
        progress: Where to report.

    Returns:
        The annotations; everything else is rejected with a reason.
    """
    by_split = is_split(root)
    found = walk(root)
    index = _Index(found.files)
    names = [path for path in found.files if path.lower().endswith(".json")]
    if workers is None and _size(root, names) < FEW_BYTES:
        workers = 0
    parse = functools.partial(parse_page, root, label_by=label_by)
    pages = in_order(parse, names, workers=workers)
    annotations: list[Annotation] = []
    rejected = list(found.rejected)
    unasked = 0
    for page in track(pages, progress, "Reading annotations", len(names)):
        rejected += page.rejected
        unasked += page.unasked if not page.labelled else 0
        split = SPLIT_NAMES.get(page.file.split("/")[0].lower()) if by_split else None
        outcome = index.picture_of(page)
        if isinstance(outcome, Rejection):
            rejected += [outcome] if page.labelled else []
        elif by_split and "/" not in page.file:
            detail = "Beside the folders of the split, not in them."
            rejected.append(Rejection(page.file, "no-split", detail))
        else:
            annotations += _annotations(page, outcome, split)
    ways = {"image": "the flags of each picture", "shapes": "shapes, cropped"}
    return Scan(
        files=found.files,
        annotations=tuple(annotations),
        rejected=tuple(rejected),
        note=f"Read as labelme annotations, labels from {ways[label_by]}.",
        warnings=(),
        named=index.named,
        hint=_hint(label_by, len(annotations), unasked) if names else NO_PAGES,
    )


def _hint(label_by: str, asked: int, unasked: int) -> str:
    """What to do where too few labels were found the way that was asked for."""
    if label_by == "image":
        if unasked and not asked:
            return (
                f"No flag serves as a label, but there are {unasked} shape(s): "
                "--label-by shapes labels by these."
            )
        return "Flag the pictures in labelme, or draw shapes and use --label-by shapes."
    if unasked and not asked:
        return (
            f"No shape serves as a label, but there are {unasked} true flag(s): "
            "--label-by image labels by these."
        )
    return "Draw shapes in labelme, or flag the pictures and use --label-by image."


def _size(root: Path, names: Iterable[str]) -> int:
    total = 0
    for name in names:
        try:
            total += (root / name).stat().st_size
        except OSError:
            continue  # the reader of the file says what is wrong with it
    return total


def _annotations(page: Page, picture: str, split: str | None) -> list[Annotation]:
    return [
        Annotation(picture, label, split, box, shape, page.file, page.size)
        for label, box, shape in page.labelled
    ]


def parse_page(root: Path, file: str, *, label_by: str) -> Page:
    """Read one JSON.

    Args:
        root: The source root.
        file: The JSON, relative to it.
        label_by: One of LABEL_BY.

    Returns:
        What it says; with nothing but a rejection where it cannot be used.
    """
    try:
        content = read_json(root / file)
    except UnreadableImage as error:
        return Page(file, rejected=(Rejection(file, error.reason, error.detail),))
    if not _is_labelme(content):
        detail = "JSON, but not as labelme writes it."
        return Page(file, rejected=(Rejection(file, "not-labelme", detail),))
    by_flags = label_by == "image"
    labelled, rejected = _flagged(file, content) if by_flags else _drawn(file, content)
    shapes = content.get("shapes")
    drawn = len(shapes) if isinstance(shapes, list) else 0
    picture = content.get("imagePath")
    return Page(
        file=file,
        picture=picture if isinstance(picture, str) else "",
        embedded=bool(content.get("imageData")),
        size=_annotated_size(content),
        labelled=tuple(labelled),
        rejected=tuple(rejected),
        unasked=drawn if by_flags else len(_true_flags(content)),
    )


def _is_labelme(content: Any) -> bool:
    if not isinstance(content, dict):
        return False
    picture = "imagePath" in content or "imageData" in content
    return picture and ("shapes" in content or "flags" in content)


def _annotated_size(content: dict[str, Any]) -> tuple[int, int] | None:
    size = content.get("imageWidth"), content.get("imageHeight")
    if all(isinstance(n, int) and n > 0 for n in size):
        return size  # type: ignore[return-value]
    return None


def _flags(content: dict[str, Any]) -> dict[str, Any]:
    flags = content.get("flags")
    return flags if isinstance(flags, dict) else {}


def _true_flags(content: dict[str, Any]) -> list[str]:
    return [name for name, value in _flags(content).items() if value is True]


Labelled = list[tuple[str, Box | None, str]]


def _flagged(file: str, content: dict[str, Any]) -> tuple[Labelled, list[Rejection]]:
    true = _true_flags(content)
    if any(name in IGNORED for name in true):
        return [], [Rejection(file, "ignored", "Flagged to be ignored.")]
    if not true:
        number = len(_flags(content))
        detail = f"None of its {number} flags is true." if number else "No flags."
        return [], [Rejection(file, "no-flag", detail)]
    if len(true) > 1:
        detail = f"Flagged as {', '.join(map(repr, true))}."
        return [], [Rejection(file, "several-flags", detail)]
    if not is_label(true[0]):
        detail = f"The flag {true[0]!r} cannot be a label."
        return [], [Rejection(file, "bad-label", detail)]
    return [(true[0].strip(), None, "")], []


def _drawn(file: str, content: dict[str, Any]) -> tuple[Labelled, list[Rejection]]:
    found, faults = instances(content.get("shapes"))
    rejected = [
        Rejection(file, fault.reason, f"Shape {fault.index + 1}: {fault.detail}.")
        for fault in faults
    ]
    if not found and not faults:
        rejected.append(Rejection(file, "no-shape", "It has no shapes."))
    return [(thing.label, thing.box, thing.shape) for thing in found], rejected


@dataclass
class _Index:
    """The files of a source, by what an imagePath may name them."""

    files: tuple[str, ...]
    named: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.known = {file for file in self.files if not file.lower().endswith(".json")}
        self.by_name = defaultdict(list)
        self.by_stem = defaultdict(list)
        for file in self.files:
            if file in self.known:
                self.by_name[posixpath.basename(file)].append(file)
            if file.lower().endswith(SUFFIXES):
                self.by_stem[posixpath.splitext(file)[0]].append(file)

    def picture_of(self, page: Page) -> str | Rejection:
        """Find the picture that a JSON is about.

        Args:
            page: What the JSON says.

        Returns:
            The picture's path, the JSON's own where the picture is inside, or why
            there is none.
        """
        path, outside = _relative(page)
        name = posixpath.basename(path)
        same_name = self.by_name.get(name, [])
        beside = self.by_stem.get(posixpath.splitext(page.file)[0], [])
        if not outside and path in self.known:
            return self._found(path, page)
        if page.embedded:
            if len(same_name) == 1:
                self.named.setdefault(same_name[0], page.file)
            return page.file
        if beside or len(same_name) == 1:
            return self._found((beside or same_name)[0], page)
        if outside:
            detail = f"imagePath {page.picture!r} leads out of the source."
            return Rejection(page.file, "outside-source", detail)
        detail = f"imagePath {page.picture!r} leads to no picture."
        return Rejection(page.file, "picture-missing", detail)

    def _found(self, path: str, page: Page) -> str:
        self.named[path] = page.file
        return path


def _relative(page: Page) -> tuple[str, bool]:
    """Read an imagePath.

    Args:
        page: What the JSON says.

    Returns:
        The path relative to the source root, and whether it leads out of it.
    """
    path = page.picture.replace("\\", "/")
    if path.startswith("/") or re.match("[A-Za-z]:", path):
        return posixpath.basename(path), True
    path = posixpath.normpath(posixpath.join(posixpath.dirname(page.file), path))
    return path, path == ".." or path.startswith("../")
