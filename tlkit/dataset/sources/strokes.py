"""The strokes of a drawing in, an image of them out.

Google's rule for its simplified drawings holds for all: moved to 0, and scaled so that
the longer side is 255. They are then drawn as black strokes on white, antialiased:

    SIDE x SIDE pixels, one gray channel; the longer side of the drawing fills all but
    MARGIN on both sides, counted to the middle of the strokes; the shorter one is
    centered; strokes end round and are OpenCV's antialiased lines of thickness STROKE,
    which come out a little more than 7 pixels wide
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tlkit.errors import DatasetError
from tlkit.imaging.safe_read import Unusable

SIDE, MARGIN, STROKE = 256, 16, 6
# Fractions of a pixel are given to the drawing routine as so many bits.
BITS = 6
FARTHEST = 1e9

Strokes = list[np.ndarray]


def scaled(drawing: Any) -> Strokes:
    """Bring the strokes of a drawing to where they are drawn."""
    try:
        strokes = [np.array([s[0], s[1]], np.float64).T for s in drawing]
        points = np.concatenate(strokes)
    except (TypeError, ValueError, IndexError, KeyError, OverflowError) as error:
        detail = "its drawing is no list of strokes [[x, ...], [y, ...]]"
        raise Unusable("not-a-drawing", detail) from error
    if (
        points.shape[1:] != (2,)
        or not len(points)
        or not (abs(points) < FARTHEST).all()
    ):
        raise Unusable("not-a-drawing", "its strokes have no points, or no finite ones")
    low, high = points.min(0), points.max(0)
    longer = float((high - low).max())
    # A single dot stays a dot.
    scale = (SIDE - 2 * MARGIN) / longer if longer > 0 else 0.0
    # The center of the image, counted from the middle of its first pixel.
    center = (SIDE - 1) / 2
    return [
        np.round(((stroke - (low + high) / 2) * scale + center) * (1 << BITS))
        .astype(np.int32)
        .reshape(-1, 1, 2)
        for stroke in strokes
        if len(stroke)
    ]


def render(strokes: Strokes) -> np.ndarray:
    """Draw strokes."""
    import cv2

    image = np.full((SIDE, SIDE), 255, np.uint8)
    for stroke in strokes:
        # A lone point is drawn as a line to itself.
        line = stroke if len(stroke) > 1 else stroke.repeat(2, axis=0)
        cv2.polylines(image, [line], False, 0, STROKE, cv2.LINE_AA, BITS)
    return image


def write_image(path: Path, strokes: Strokes) -> None:
    """Draw strokes to a PNG file."""
    import cv2

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as file:
            file.write(cv2.imencode(".png", render(strokes))[1].tobytes())
    except FileExistsError as error:
        raise Unusable("id-twice", "something of its name is there") from error
    except OSError as error:
        raise DatasetError(f"{path} cannot be written: {error.strerror}.") from error
