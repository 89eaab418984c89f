"""Where labeled images come from: one reader a format, all yield a Scan."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from tlkit.dataset.formats import coco, folders, labelme, masks, table, via, voc, yolo
from tlkit.dataset.records import Annotation, ImageRecord, ParsedSource, Rejected
from tlkit.dataset.sources import drawings
from tlkit.dataset.sources.image_paths import SUFFIXES
from tlkit.dataset.sources.open import ReaderOptions, Source, open_source
from tlkit.errors import DatasetError, UsageError

__all__ = [
    "SOURCES",
    "Annotation",
    "ImageRecord",
    "ParsedSource",
    "ReaderOptions",
    "Rejected",
    "Source",
    "detect",
    "open_source",
    "read",
]


@dataclass(frozen=True)
class Format:
    """A way in which images are labeled.

    Attributes:
        read: The reader.
        claims: How many files of a source look like this format's; cheap. None for what
            is read where nothing else claims it.
        what: What it is, for messages.
        takes: What of Reading has a meaning for it.
        hint: What to do where it gives too few labels; "" for the usual.
    """

    read: Callable[[Source], ParsedSource]
    claims: Callable[[Source], int] | None
    what: str
    takes: tuple[str, ...] = ()
    hint: str = ""


SOURCES = {
    "folders": Format(folders.read, None, "class folders (SRC/<class>/photo.jpg)"),
    "labelme": Format(labelme.read, labelme.claims, "labelme JSON files"),
    "yolo": Format(yolo.read, yolo.claims, "YOLO label files"),
    "voc": Format(voc.read, voc.claims, "Pascal VOC annotations"),
    "coco": Format(coco.read, coco.claims, "COCO JSON files"),
    "via": Format(
        via.read,
        via.claims,
        "VGG Image Annotator files (JSON or CSV)",
        takes=("attribute",),
    ),
    "masks": Format(masks.read, masks.claims, "masks of PixelAnnotationTool"),
    "csv": Format(
        table.read,
        table.claims,
        "tables (CSV) of paths and labels",
        takes=("separator", "columns"),
    ),
    "quickdraw": Format(
        drawings.read,
        drawings.claims,
        "Quick, Draw! drawings",
        takes=("limit",),
        hint="Put the .ndjson files of two words or more into one folder.",
    ),
}


def read(source: Source, name: str) -> ParsedSource:
    """Read a source."""
    for option in ("attribute", "separator", "columns", "limit"):
        if getattr(source.reading, option) and option not in SOURCES[name].takes:
            takers = [n for n, each in SOURCES.items() if option in each.takes]
            raise UsageError(
                f"--{option.removesuffix('s')} is for {' and '.join(takers)}; "
                f"{source.place} is read as {name}.",
                hint="Leave it away, or say by --from how the photos are labeled.",
            )
    parsed = SOURCES[name].read(source)
    return replace(parsed, consumed=parsed.consumed | source.own)


def detect(source: Source, label_by: str | None = None) -> str:
    """Recognise the format of a source."""
    claimed = {
        name: number
        for name, each in SOURCES.items()
        if each.claims and (number := each.claims(source))
    }
    if len(claimed) > 1:
        found = ", ".join(f"{SOURCES[name].what} ({n})" for name, n in claimed.items())
        raise DatasetError(
            f"{source.place} holds annotations in several formats: {found}.",
            hint="Say which: "
            + " or ".join(f"--from {name}" for name in claimed)
            + ".",
        )
    images = sum(file.lower().endswith(SUFFIXES) for file in source.files)
    filed = sum("/" in f for f in source.files if not f.lower().endswith(".json"))
    for name, number in claimed.items():
        # A format that has one file for all images says so by claiming them all.
        meant = label_by == "shapes" or 4 * number >= images or not filed
        if meant or source.only:
            return name
        raise DatasetError(
            f"{source.place} may be class folders ({images} images) or hold "
            f"{SOURCES[name].what} ({number}, for less than a quarter of them).",
            hint=f"Say which: --from folders or --from {name}.",
        )
    known = "; ".join(each.what for each in list(SOURCES.values())[1:])
    if source.only:
        raise DatasetError(
            f"{source.place} is no file of annotations in a known format: {known}.",
            hint="Name the folder that holds the photos.",
        )
    pair = masks.folder_pair(source.files)
    if pair and label_by == "shapes":
        return "masks"
    if pair:
        raise DatasetError(
            f"{source.place} may be images and their masks, {pair.images}/ and "
            f"{pair.masks}/ with {pair.common} names in common, or two class folders.",
            hint="Say which: --from masks or --from folders.",
        )
    if filed:
        return "folders"
    raise DatasetError(
        f"{source.place} holds {len(source.files)} file(s), {images} of them named "
        "as images, but neither class folders (SRC/<class>/photo.jpg, "
        f"SRC/train/<class>/photo.jpg) nor annotations in a known format: {known}.",
        hint="Put the photos of each class into a folder of its name.",
    )
