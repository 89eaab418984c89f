"""An example, and its pixels."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tlkit.dataset.records import BETWEEN, Box, natural_key
from tlkit.imaging.decode import decode
from tlkit.imaging.resize import crop, decode_resized
from tlkit.imaging.safe_read import Unusable, read_bytes

SPLITS = ("train", "val", "test")
AGAIN = "Run tlkit prepare again with --overwrite."
RESTORE = "Restore it, or run tlkit prepare again with --overwrite."


@dataclass(frozen=True)
class Example:
    """One image to classify, or a box of one; `prepare` fills it in step by step.

    Attributes:
        id: Unique in its manifest; the same for the same path, box, shape and label.
        path: POSIX, relative to the source root. A JSON holds its image inside.
        sha256: Of the encoded image.
        width: Of the whole image, upright, in pixels.
        height: Likewise.
        labels: One; in a multi-label data set one or several, in natural order.
        split: One of SPLITS. In prepare "" until it is drawn, or what the source gives.
        group: Examples of one group are in the same split.
        box: x0, y0, x1, y1 in pixels of the upright image, x1 and y1 exclusive; None
            for the whole image.
        shape: What was drawn, as JSON; "" where nothing was.
        annotation: The annotation file, relative to the source root; "" for none.
        shown: In prepare, the file that the user would look at.
        existing: In prepare, the split is that of the existing data set.
    """

    id: str
    path: str
    sha256: str
    width: int
    height: int
    labels: tuple[str, ...]
    split: str = ""
    group: str = ""
    box: Box | None = None
    shape: str = ""
    annotation: str = ""
    shown: str = field(default="", compare=False, repr=False)
    existing: bool = field(default=False, compare=False, repr=False)

    @property
    def label(self) -> str:
        """The label; of several, all of them with "|" between."""
        return BETWEEN.join(self.labels)

    @property
    def key(self) -> tuple[object, ...]:
        """The sort key of a manifest: by path in natural order, then by box."""
        return natural_key(self.path), self.box or (), self.labels, self.shape


def read_example(
    source: Path, example: Example, *, size: int | None = None, resize: str = "squash"
) -> np.ndarray:
    """Read the pixels of an example.

    Args:
        source: The source root.
        example: What to read.
        size: Side of the square to fit it to, pixels; None leaves it as it is.
        resize: One of RESIZES.

    Returns:
        uint8 [size, size, 3], or [H, W, 3] of the image or of its box.

    Raises:
        Unusable: It cannot be read, or is not what it was at prepare.
    """
    file = str(source / example.path)
    try:
        data = read_bytes(source / example.path)
    except Unusable as error:
        raise Unusable(
            error.reason, error.detail, file=error.file, hint=RESTORE
        ) from error
    if hashlib.sha256(data).hexdigest() != example.sha256:
        detail = "It is not the image it was when the data set was prepared."
        raise Unusable("changed", detail, file=file, hint=AGAIN)
    try:
        if size is not None:
            return decode_resized(data, size, resize, example.box)
        pixels = decode(data).pixels
    except Unusable as error:
        raise Unusable(error.reason, error.detail, file=file) from error
    return pixels if example.box is None else crop(pixels, example.box)
