"""Thumbnails: images as small JPEGs inside a page."""

from __future__ import annotations

import base64
import functools
import io
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from tlkit.imaging.decode import decode
from tlkit.imaging.resize import crop, reduction
from tlkit.imaging.safe_read import Unusable, read_bytes
from tlkit.progress import Progress, track
from tlkit.workers import in_order

Box = tuple[int, int, int, int]

# Long side in pixels and JPEG quality, tried in turn until an image is small enough.
ATTEMPTS = ((224, 80), (224, 60), (176, 55), (128, 50), (64, 40))
# Of all images together; a third comes on top as base64.
MAX_BYTES = 6_000_000
MAX_BYTES_EACH = 20_000
# Fewer images are drawn sooner than processes are started.
FEW = 32


@dataclass
class Thumbnail:
    """An image of a page; `src` is a data URL once drawn, "" if it cannot be shown."""

    path: str  # Relative to the source root.
    box: Box | None  # The part to show; None for the whole image.
    alt: str
    src: str = ""


class PageImages:
    """The images of a page: collected while it is built, then drawn all at once."""

    def __init__(self) -> None:
        self._by_path: dict[str, list[Thumbnail]] = defaultdict(list)

    def add(self, path: str, box: Box | None, alt: str) -> Thumbnail:
        """Add an image.

        Args:
            path: Relative to the source root.
            box: The part to show; None for the whole image.
            alt: Its description.

        Returns:
            The thumbnail; `draw` fills its `src`.
        """
        thumbnail = Thumbnail(path, box, alt)
        self._by_path[path].append(thumbnail)
        return thumbnail

    def draw(self, root: Path, workers: int | None, progress: Progress) -> None:
        """Draw all images.

        Args:
            root: The source root.
            workers: Number of processes; None decides by the amount.
            progress: Receiver of reports.
        """
        jobs = [
            (path, tuple(one.box for one in each))
            for path, each in self._by_path.items()
        ]
        total = sum(map(len, self._by_path.values()))
        if not total:
            return
        if workers is None and len(jobs) < FEW:
            workers = 0
        limit = min(MAX_BYTES // total, MAX_BYTES_EACH)
        drawn = in_order(
            functools.partial(draw_parts, root, limit), jobs, workers=workers
        )
        tracked = track(drawn, progress, "Drawing the page", len(jobs))
        for each, contents in zip(self._by_path.values(), tracked, strict=True):
            for thumbnail, content in zip(each, contents, strict=True):
                if content:
                    code = base64.b64encode(content).decode()
                    thumbnail.src = f"data:image/jpeg;base64,{code}"


def draw_parts(
    root: Path, max_bytes: int, job: tuple[str, tuple[Box | None, ...]]
) -> list[bytes]:
    """Draw parts of one image small; runs in worker processes."""
    path, boxes = job
    whole = functools.partial(reduction, size=ATTEMPTS[0][0], resize="pad")
    try:
        data = read_bytes(root / path)
        # Boxes are in pixels of the whole image.
        reduce = None if any(boxes) else whole
        pixels = decode(data, reduce=reduce).pixels
    except Unusable:
        return [b""] * len(boxes)
    return [_jpeg(pixels, box, max_bytes) for box in boxes]


def _jpeg(pixels: np.ndarray, box: Box | None, max_bytes: int) -> bytes:
    try:
        part = pixels if box is None else crop(pixels, box)
    except ValueError:  # the file has changed since
        return b""
    image = Image.fromarray(np.ascontiguousarray(part))
    content = b""
    for side, quality in ATTEMPTS:
        image.thumbnail((side, side), Image.Resampling.BILINEAR, reducing_gap=3.0)
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=quality, optimize=True)
        content = buffer.getvalue()
        if len(content) <= max_bytes:
            break
    return content
