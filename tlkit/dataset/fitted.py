"""Bytes in, uint8 [size, size, 3] out: how a picture comes to the network.

The same as decoding it whole and fitting that, but a JPEG much larger than `size` is
decoded at 1/2, 1/4 or 1/8 of its scale, which its blocks allow for little work. That
changes the fitted pixels a little, see SPARE.
"""

from __future__ import annotations

import functools

import numpy as np

from tlkit.dataset import images

REDUCTIONS = (2, 4, 8)
# A reduced picture is at least this many times the target, so that the antialiasing of
# `images.fit` still does most of the work. Of photos, 99 % of the fitted values then
# come within 2 levels of 255 of those from the whole picture; with 2 in place of 3 it
# is 4 levels, with 4 still 2 (tests/benchmarks/RESULTS.md).
SPARE = 3


def decode_fitted(
    data: bytes, size: int, resize: str, box: tuple[int, int, int, int] | None = None
) -> np.ndarray:
    """Decode a picture and bring it to a square.

    Args:
        data: The content of a picture file.
        size: Side of the square, pixels.
        resize: One of images.RESIZES.
        box: Only this part: x0, y0, x1, y1 in pixels of the upright picture. It is
            cut out of the whole picture, as its edges seldom fall on whole pixels of
            a reduced one.

    Returns:
        uint8 [size, size, 3].

    Raises:
        UnreadableImage: It cannot be used; `reason` says why in a word.
        ValueError: Nothing of the box lies within the picture.
    """
    if box is not None:
        pixels = images.crop(images.decode(data).pixels, box)
    else:
        rule = functools.partial(reduction, size=size, resize=resize)
        pixels = images.decode(data, reduce=rule).pixels
    return images.fit(pixels, size, resize)


def reduction(width: int, height: int, size: int, resize: str) -> int:
    """How many times smaller a JPEG may be decoded.

    Args:
        width: Of the whole picture, pixels; upright or not makes no difference.
        height: The same.
        size: Side of the square it will be fitted to, pixels.
        resize: One of images.RESIZES.

    Returns:
        1, 2, 4 or 8.
    """
    allowed = (by for by in REDUCTIONS if may_reduce(width, height, by, size, resize))
    return max(allowed, default=1)


def may_reduce(width: int, height: int, by: int, size: int, resize: str) -> bool:
    """Whether a JPEG may be decoded that many times smaller; 4 implies 2, 8 implies 4.

    Enough must be left of what becomes `size`: of the long side for pad, of the short
    one else. All edges of what is fitted must fall on pixels of the reduced picture,
    or it would be shifted by up to half a fitted pixel.

    Args:
        width: Of the whole picture, pixels.
        height: The same.
        by: One of REDUCTIONS.
        size: Side of the square it will be fitted to, pixels.
        resize: One of images.RESIZES.

    Returns:
        A bool; a bool tensor where width and height are integer tensors, as operators
        alone are used: serving asks in the graph.
    """
    gap = abs(width - height)
    twice = width + height + (gap if resize == "pad" else -gap)
    edges = width % by + height % by + (gap // 2 % by if resize == "crop" else 0)
    return (twice >= 2 * SPARE * size * by) & (edges == 0)
