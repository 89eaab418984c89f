"""THE resize policy: from bytes to the square uint8 [size, size, 3] of the network.

The result is that of decoding the whole image and resizing it. But a JPEG much larger
than `size` is decoded at 1/2, 1/4 or 1/8 of its scale, which its blocks allow for
little work. That changes the resized pixels a little, see SPARE.
"""

from __future__ import annotations

import functools

import numpy as np
from PIL import Image

from tlkit.imaging.decode import decode

RESIZES = ("squash", "crop", "pad")
# ImageNet's mean color: near zero after any backbone's preprocessing.
PAD_COLOR = (124, 116, 104)
REDUCTIONS = (2, 4, 8)
# A reduced image is at least this many times the target, so that the antialiasing of
# `fit` still does most of the work. Of photos, 99 % of the resized values then
# come within 2 levels of 255 of those from the whole image; with 2 in place of 3 it
# is 4 levels, with 4 still 2 (tests/benchmarks/RESULTS.md).
SPARE = 3


def decode_resized(
    data: bytes, size: int, resize: str, box: tuple[int, int, int, int] | None = None
) -> np.ndarray:
    """Decode an image and bring it to a square.

    Args:
        data: The content of an image file.
        size: Side of the square, pixels.
        resize: One of RESIZES.
        box: Only this part: x0, y0, x1, y1 in pixels of the oriented image. It is cut
            out of the whole image, as its edges seldom fall on whole pixels of a
            reduced one.

    Returns:
        uint8 [size, size, 3].

    Raises:
        Unusable: It cannot be used; `reason` is a word for why.
        ValueError: Nothing of the box lies within the image.
    """
    if box is not None:
        pixels = crop(decode(data).pixels, box)
    else:
        rule = functools.partial(reduction, size=size, resize=resize)
        pixels = decode(data, reduce=rule).pixels
    return fit(pixels, size, resize)


def reduction(width: int, height: int, size: int, resize: str) -> int:
    """Return how many times smaller a JPEG may be decoded.

    Args:
        width: Of the whole image, pixels; oriented or not makes no difference.
        height: The same.
        size: Side of the square it will be resized to, pixels.
        resize: One of RESIZES.

    Returns:
        1, 2, 4 or 8.
    """
    allowed = (by for by in REDUCTIONS if may_reduce(width, height, by, size, resize))
    return max(allowed, default=1)


def may_reduce(width: int, height: int, by: int, size: int, resize: str) -> bool:
    """Return whether a JPEG may be decoded that many times smaller.

    4 implies 2, and 8 implies 4. Enough must be left of what becomes `size`: of the
    long side for pad, of the short one else. All edges of the resized part must fall
    on pixels of the reduced image, or it would shift by up to half a resized pixel.

    Args:
        width: Of the whole image, pixels.
        height: The same.
        by: One of REDUCTIONS.
        size: Side of the square it will be resized to, pixels.
        resize: One of RESIZES.

    Returns:
        A bool; a bool tensor where width and height are integer tensors: exported
        models call it in the graph, so it uses operators alone.
    """
    gap = abs(width - height)
    twice = width + height + (gap if resize == "pad" else -gap)
    edges = width % by + height % by + (gap // 2 % by if resize == "crop" else 0)
    return (twice >= 2 * SPARE * size * by) & (edges == 0)


def fit(pixels: np.ndarray, size: int, resize: str) -> np.ndarray:
    """Bring an image to a square, antialiased.

    All three end in Pillow's BILINEAR resize: a separable triangle filter whose support
    is widened by the scale when shrinking, pixel centers at i + 0.5, first horizontal,
    then vertical, each pass rounded to uint8.

    With s = min(H, W) and integer division:

    - squash: the whole image to [size, size].
    - crop: the square box of side s at left (W - s) // 2, top (H - s) // 2, then
      resized; pixels outside of the box have no influence.
    - pad: the long side becomes size, the short side
      max(1, (2 * short * size + long) // (2 * long)), which rounds halves up; placed
      at left (size - w) // 2, top (size - h) // 2 on PAD_COLOR.

    Args:
        pixels: uint8 [H, W, 3].
        size: Side of the square in pixels.
        resize: One of RESIZES.

    Returns:
        uint8 [size, size, 3].

    Raises:
        ValueError: `resize` is not one of RESIZES.
    """
    height, width = pixels.shape[:2]
    if resize == "squash":
        return _scale(pixels, size, size)
    if resize == "crop":
        side = min(height, width)
        left, top = (width - side) // 2, (height - side) // 2
        return _scale(pixels[top : top + side, left : left + side], size, size)
    if resize == "pad":
        long = max(height, width)
        w, h = (max(1, (2 * n * size + long) // (2 * long)) for n in (width, height))
        square = np.full((size, size, 3), PAD_COLOR, np.uint8)
        left, top = (size - w) // 2, (size - h) // 2
        square[top : top + h, left : left + w] = _scale(pixels, w, h)
        return square
    raise ValueError(f"resize must be one of {', '.join(RESIZES)}, got {resize!r}.")


def _scale(pixels: np.ndarray, width: int, height: int) -> np.ndarray:
    image = Image.fromarray(np.ascontiguousarray(pixels))
    return np.array(image.resize((width, height), Image.Resampling.BILINEAR))


def crop(pixels: np.ndarray, box: tuple[int, int, int, int]) -> np.ndarray:
    """Cut a box out of an image.

    Args:
        pixels: uint8 [H, W, 3].
        box: x0, y0, x1, y1 in pixels, x1 and y1 outside; clipped to the image.

    Returns:
        uint8 [h, w, 3], a view.

    Raises:
        ValueError: Nothing of the box lies within the image.
    """
    height, width = pixels.shape[:2]
    x0, y0 = max(box[0], 0), max(box[1], 0)
    x1, y1 = min(box[2], width), min(box[3], height)
    if x0 >= x1 or y0 >= y1:
        raise ValueError(f"{box} lies outside of an image of {width} x {height}.")
    return pixels[y0:y1, x0:x1]
