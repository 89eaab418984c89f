"""The annotation formats: how each is recognized, and its reader."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from tlkit.dataset.formats import (
    coco,
    folders,
    labelme,
    masks,
    quickdraw,
    table,
    via,
    via_files,
    voc,
    yolo,
)
from tlkit.dataset.formats.common import NoLabels
from tlkit.dataset.formats.mask_pairs import folder_pair
from tlkit.dataset.records import ParsedSource
from tlkit.dataset.sources.image_paths import SUFFIXES
from tlkit.dataset.sources.open import Source
from tlkit.errors import DatasetError, UsageError
from tlkit.imaging.safe_read import MAX_JSON_BYTES, count_lines, glance

CHUNK = 1 << 20


def _occurrences(key: bytes, path: Path) -> int:
    """Count a key in a file without parsing it."""
    number, end = 0, b""
    try:
        with path.open("rb") as file:
            for _ in range(MAX_JSON_BYTES // CHUNK):
                text = end + file.read(CHUNK)
                number += text.count(key)
                end = text[1 - len(key) :]
    except OSError:
        return 0
    return number


class Signature(NamedTuple):
    """Files that are recognized by their suffix and by words near their ends."""

    suffix: str
    # Of each text, one of the words that are separated by "|" must be there.
    holds: tuple[str, ...]
    without: str = ""  # a word that must not be there
    header: bool = False  # look at the first line only
    count: Callable[[Path], int] = lambda _: 1  # the images that a file is about

    def matches(self, ends: bytes) -> bool:
        """Return whether the two ends of a file look like the format."""
        text = ends.split(b"\n", 1)[0] if self.header else ends
        found = all(
            any(word.encode() in text for word in words.split("|"))
            for words in self.holds
        )
        return found and not (self.without and self.without.encode() in text)


@dataclass(frozen=True)
class Format:
    """A way in which images are labeled."""

    read: Callable[[Source], ParsedSource]
    what: str  # its name in messages
    signatures: tuple[Signature, ...] = ()
    # Counts the images where names or several files must be looked at.
    count: Callable[[Source], int] | None = None
    options: tuple[str, ...] = ()  # the fields of ReaderOptions that it uses
    hint: str = ""  # what to do where it gives too few labels


# The key of a list may stand in the middle of a large COCO file, too far from both ends
# to be found: two of its three lists are enough.
_IMAGES = '"images"|"file_name"'
_ANNOTATIONS = '"annotations"|"category_id"'
_CATEGORIES = '"categories"|"supercategory"'

LABELME = Signature(".json", ('"imagePath"|"imageData"', '"shapes"|"flags"'))
VOC = Signature(".xml", ("<annotation", "<object|<filename|<size"))
COCO = Signature(
    ".json",
    (
        f"{_IMAGES}|{_ANNOTATIONS}",
        f"{_IMAGES}|{_CATEGORIES}",
        f"{_ANNOTATIONS}|{_CATEGORIES}",
    ),
    without='"imagePath"',
    count=lambda path: max(_occurrences(b'"file_name"', path), 1),
)
VIA_JSON = Signature(
    ".json",
    (
        '"_via_|"shape_attributes"|"file_attributes"',
        '"_via_|"shape_attributes"|"regions"',
    ),
    count=lambda path: _occurrences(b'"filename"', path),
)
VIA_CSV = Signature(
    ".csv", via_files.COLUMNS, header=True, count=via_files.count_csv_images
)
QUICKDRAW = Signature(".ndjson", ('"drawing"', '"word"'), count=count_lines)

FORMATS = {
    "folders": Format(folders.read, "class folders (SRC/<class>/photo.jpg)"),
    "labelme": Format(labelme.read, "labelme JSON files", (LABELME,)),
    "yolo": Format(yolo.read, "YOLO label files", count=yolo.count_images),
    "voc": Format(voc.read, "Pascal VOC annotations", (VOC,), voc.count_mask_only),
    "coco": Format(coco.read, "COCO JSON files", (COCO,)),
    "via": Format(
        via.read,
        "VGG Image Annotator files (JSON or CSV)",
        (VIA_JSON, VIA_CSV),
        options=("attribute",),
    ),
    "masks": Format(
        masks.read, "masks of PixelAnnotationTool", count=masks.count_images
    ),
    "csv": Format(
        table.read,
        "tables (CSV) of paths and labels",
        count=table.count_rows_about_images,
        options=("separator", "columns"),
    ),
    "quickdraw": Format(
        quickdraw.read,
        "Quick, Draw! drawings",
        (QUICKDRAW,),
        options=("limit",),
        hint="Put the .ndjson files of two words or more into one folder.",
    ),
}


def read(source: Source, name: str) -> ParsedSource:
    """Read a source by the reader of a format."""
    for option in ("attribute", "separator", "columns", "limit"):
        if getattr(source.options, option) and option not in FORMATS[name].options:
            users = [n for n, each in FORMATS.items() if option in each.options]
            raise UsageError(
                f"--{option.removesuffix('s')} is for {' and '.join(users)}; "
                f"{source.place} is read as {name}.",
                hint="Remove it, or name the format of the labels with --from.",
            )
    parsed = FORMATS[name].read(source)
    return replace(parsed, annotation_files=parsed.annotation_files | source.own)


def claims(source: Source) -> dict[str, int]:
    """Count the images that each format may be about, each file looked at once."""
    numbers: Counter[str] = Counter()
    for file in source.ending(".json", ".xml", ".csv", ".ndjson"):
        path = source.root / file
        ends = glance(path)
        for name, each in FORMATS.items():
            for signature in each.signatures:
                if file.lower().endswith(signature.suffix) and signature.matches(ends):
                    numbers[name] += signature.count(path)
    for name, each in FORMATS.items():
        if each.count:
            numbers[name] += each.count(source)
    return {name: numbers[name] for name in FORMATS if numbers[name]}


def detect(source: Source, label_by: str | None = None) -> str:
    """Recognize the format of a source; by "shapes", class folders are not meant."""
    claimed = claims(source)
    if len(claimed) > 1:
        found = ", ".join(f"{FORMATS[name].what} ({n})" for name, n in claimed.items())
        raise DatasetError(
            f"{source.place} holds annotations in several formats: {found}.",
            hint=f"Choose one: {' or '.join(f'--from {name}' for name in claimed)}.",
        )
    images = sum(file.lower().endswith(SUFFIXES) for file in source.files)
    in_folders = sum("/" in f for f in source.files if not f.lower().endswith(".json"))
    for name, number in claimed.items():
        # A format that has one file for all images claims all of them.
        enough = label_by == "shapes" or 4 * number >= images or not in_folders
        if enough or source.only:
            return name
        raise DatasetError(
            f"{source.place} may be class folders ({images} images) or hold "
            f"{FORMATS[name].what} ({number}, for less than a quarter of them).",
            hint=f"Choose one: --from folders or --from {name}.",
        )
    known = "; ".join(each.what for each in list(FORMATS.values())[1:])
    if source.only:
        raise DatasetError(
            f"{source.place} is not an annotation file in a known format: {known}.",
            hint="Name the folder that holds the photos.",
        )
    pair = folder_pair(source.files)
    if pair and label_by == "shapes":
        return "masks"
    if pair:
        raise DatasetError(
            f"{source.place} may be images and their masks, {pair[0]}/ and "
            f"{pair[1]}/ with {pair[2]} names in common, or two class folders.",
            hint="Choose one: --from masks or --from folders.",
        )
    if in_folders:
        return "folders"
    hint = "Put the photos of each class into a folder of its name."
    tables = [file for file in source.files if file.lower().endswith((".csv", ".tsv"))]
    if tables:
        hint += (
            f" If {tables[0]} is a table of labels, name its columns: "
            "--column path=NAME --column label=NAME."
        )
    raise NoLabels(
        f"{source.place} holds {len(source.files)} file(s), {images} of them named "
        "as images, but neither class folders (SRC/<class>/photo.jpg, "
        f"SRC/train/<class>/photo.jpg) nor annotations in a known format: {known}.",
        hint=hint,
    )
