"""Where labelled pictures come from: one reader a layout, all yield a Scan."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tlkit.dataset.sources import folders, labelme
from tlkit.dataset.sources.annotation import Annotation, Rejection, Scan
from tlkit.dataset.sources.walk import walk
from tlkit.errors import DatasetError
from tlkit.progress import Progress

__all__ = ["SOURCES", "Annotation", "Rejection", "Scan", "detect", "read"]

# So much of each end of a JSON is looked at; labelme's own keys stand at the ends, the
# picture, which may be large, between them.
GLANCE = 1 << 16


def _read_folders(
    root: Path, *, label_by: str, workers: int | None, progress: Progress
) -> Scan:
    del label_by, workers, progress  # folders say it all by their names
    return folders.read(root)


def _read_labelme(
    root: Path, *, label_by: str, workers: int | None, progress: Progress
) -> Scan:
    return labelme.read(root, label_by, workers=workers, progress=progress)


SOURCES: dict[str, Callable[..., Scan]] = {
    "folders": _read_folders,
    "labelme": _read_labelme,
}


def read(
    root: Path, source: str, *, label_by: str, workers: int | None, progress: Progress
) -> Scan:
    """Read a source.

    Args:
        root: The source root.
        source: One of SOURCES.
        label_by: Where labelme's labels are, "image" or "shapes".
        workers: Number of processes; None decides by the amount.
        progress: Where to report.

    Returns:
        What it holds.
    """
    reader = SOURCES[source]
    return reader(root, label_by=label_by, workers=workers, progress=progress)


def detect(src: Path, label_by: str = "image") -> str:
    """Recognise the layout of a source.

    Args:
        src: The source root.
        label_by: What is to be labelled by; only labelme annotations have "shapes", so
            that a few of them do.

    Returns:
        One of SOURCES.

    Raises:
        DatasetError: It is none of them, or one cannot tell which.
    """
    files = walk(src).files
    jsons = [file for file in files if file.lower().endswith(".json")]
    annotated = sum(_looks_like_labelme(src / file) for file in jsons)
    pictures = sum(file.lower().endswith(labelme.SUFFIXES) for file in files)
    filed = sum("/" in file for file in set(files) - set(jsons))
    meant = label_by == "shapes" or 4 * annotated >= pictures or not filed
    if annotated and meant:
        return "labelme"
    if annotated:
        raise DatasetError(
            f"{src} may be class folders ({pictures} pictures) or labelme annotations "
            f"({annotated} JSON files, for less than a quarter of them).",
            hint="Say which: --from folders or --from labelme.",
        )
    if filed > 0:
        return "folders"
    raise DatasetError(
        f"{src} holds {len(files)} file(s), {pictures} of them named as pictures, but "
        "neither class folders (SRC/<class>/photo.jpg, SRC/train/<class>/photo.jpg) "
        "nor labelme annotations (JSON with shapes or flags).",
        hint="Put the photos of each class into a folder of its name.",
    )


def _looks_like_labelme(path: Path) -> bool:
    if not path.is_file():
        return False
    try:
        with path.open("rb") as file:
            start = file.read(GLANCE)
            file.seek(max(path.stat().st_size - GLANCE, 0))
            text = start + file.read(GLANCE)
    except OSError:
        return False
    picture = b'"imagePath"' in text or b'"imageData"' in text
    return picture and (b'"shapes"' in text or b'"flags"' in text)
