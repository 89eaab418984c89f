"""Images wanted on the page in, each of them as small JPEG inside of it out."""

from __future__ import annotations

import base64
import functools
import io
from collections import defaultdict
from pathlib import Path
from xml.etree.ElementTree import Element

import numpy as np
from PIL import Image

from tlkit.imaging.decode import decode
from tlkit.imaging.resize import crop, reduction
from tlkit.imaging.safe_read import Unusable, read_bytes
from tlkit.progress import Progress, track
from tlkit.reports.html import node
from tlkit.workers import in_order

Box = tuple[int, int, int, int]

# Long side in pixels and JPEG quality, tried in turn until an image is small enough.
ATTEMPTS = ((224, 80), (224, 60), (176, 55), (128, 50), (64, 40))
# Of all images together; a third comes on top as base64.
MAX_BYTES = 6_000_000
MAX_BYTES_EACH = 20_000
# Fewer images are drawn sooner than processes are started.
FEW = 32


class Thumbnails:
    """Collects which images are wanted while the page is built, then draws them."""

    def __init__(self) -> None:
        self._wanted: dict[str, list[tuple[Box | None, Element]]] = defaultdict(list)

    def image(self, path: str, box: Box | None, alt: str) -> Element:
        """Ask for an image.

        Args:
            path: Relative to the source root.
            box: The part of it; None for the whole.
            alt: What it is, for those who do not see it.

        Returns:
            An img; it has no content before `draw`.
        """
        image = node("img", alt=alt, decoding="async")
        self._wanted[path].append((box, image))
        return image

    def draw(self, root: Path, workers: int | None, progress: Progress) -> None:
        """Draw all images that were asked for.

        Args:
            root: The source root.
            workers: Number of processes; None decides by the amount.
            progress: Where to report.
        """
        jobs = [
            (path, tuple(box for box, _ in wanted))
            for path, wanted in self._wanted.items()
        ]
        total = sum(map(len, self._wanted.values()))
        if not total:
            return
        if workers is None and len(jobs) < FEW:
            workers = 0
        each = min(MAX_BYTES // total, MAX_BYTES_EACH)
        drawn = in_order(
            functools.partial(thumbnails, root, each), jobs, workers=workers
        )
        wanted = self._wanted.values()
        task = "Drawing the page"
        for asked, tiles in zip(
            wanted, track(drawn, progress, task, len(jobs)), strict=True
        ):
            for (_, image), content in zip(asked, tiles, strict=True):
                _fill(image, content)


def thumbnails(
    root: Path, max_bytes: int, job: tuple[str, tuple[Box | None, ...]]
) -> list[bytes]:
    """Draw parts of one image small; runs in worker processes."""
    path, boxes = job
    whole = functools.partial(reduction, size=ATTEMPTS[0][0], resize="pad")
    try:
        data = read_bytes(root / path)
        # What lies in a box is told in pixels of the whole image.
        reduce = None if any(boxes) else whole
        pixels = decode(data, reduce=reduce).pixels
    except Unusable:
        return [b""] * len(boxes)
    return [_jpeg(pixels, box, max_bytes) for box in boxes]


def _jpeg(pixels: np.ndarray, box: Box | None, max_bytes: int) -> bytes:
    try:
        part = pixels if box is None else crop(pixels, box)
    except ValueError:  # it is no longer the image it was
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


def _fill(image: Element, content: bytes) -> None:
    if content:
        code = base64.b64encode(content).decode()
        image.set("src", f"data:image/jpeg;base64,{code}")
        return
    alt = image.get("alt", "")
    image.tag = "span"
    image.attrib.clear()
    image.set("class", "missing")
    image.set("title", alt)
    image.text = "cannot be shown"
