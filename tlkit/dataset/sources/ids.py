"""A PNG in, the id of each pixel out: its values, or of a palette the indices."""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from tlkit.dataset.contents import UnreadableImage, read_bytes
from tlkit.dataset.images import MAX_PIXELS


def read_ids(path: Path) -> np.ndarray:
    """Read a mask of ids.

    Args:
        path: The file.

    Returns:
        Integers [H, W].

    Raises:
        UnreadableImage: It cannot be read, is no PNG or too large, or its channels
            differ: then it shows colours and no ids.
    """
    values = read_values(path)
    if values.ndim == 2:
        return values
    colours = values[..., :3] if values.shape[2] >= 3 else values[..., :1]
    if (colours != colours[..., :1]).any():
        detail = "Its channels differ, so it shows colours and no ids."
        raise UnreadableImage("colour-mask", detail)
    return colours[..., 0]


def read_values(path: Path) -> np.ndarray:
    """Read what a PNG holds, without palette or conversion.

    Args:
        path: The file.

    Returns:
        Integers [H, W], or [H, W, channels].

    Raises:
        UnreadableImage: It cannot be read, is no PNG or too large.
    """
    data = read_bytes(path, embedded=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of large pictures; they are refused here
        try:
            with Image.open(io.BytesIO(data), formats=("PNG",)) as image:
                width, height = image.size
                if width * height > MAX_PIXELS:
                    detail = f"{width} x {height} pixels; {MAX_PIXELS:,} are allowed."
                    raise UnreadableImage("too-many-pixels", detail)
                values = np.asarray(image)
        except UnidentifiedImageError as error:
            detail = "No PNG; other formats blur ids."
            raise UnreadableImage("not-png", detail) from error
        except Image.DecompressionBombError as error:
            detail = f"More pixels than the {MAX_PIXELS:,} that are allowed."
            raise UnreadableImage("too-many-pixels", detail) from error
        except (OSError, SyntaxError, ValueError) as error:
            raise UnreadableImage("damaged", f"{error}.") from error
    return values.astype(np.uint8) if values.dtype == bool else values
