"""What lists say of train, val and test in, one side an image out."""

from __future__ import annotations

import io
import warnings
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping
from itertools import combinations
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from tlkit.dataset.records import SPLIT_NAMES, Rejected, in_natural_order
from tlkit.imaging.decode import MAX_PIXELS
from tlkit.imaging.safe_read import Unusable, read_bytes


def settle(
    sides: Mapping[str, Collection[str]], images: Collection[str], told_by: str
) -> tuple[dict[str, str], list[str]]:
    """Give each image the side that it was given.

    An image in two of the lists has none, and where two of the lists are the same one,
    as in data sets made to try a program out, there is no split at all.

    Args:
        sides: Images by side; there may be more than there are pages for.
        images: Those that have pages.
        told_by: Where the lists come from, for messages.

    Returns:
        The side by image, and what the user should know.
    """
    known = set(images)
    held = {side: known.intersection(paths) for side, paths in sides.items()}
    for one, other in combinations(held, 2):
        if held[one] and held[one] == held[other]:
            line = f"{told_by}: {one} and {other} are the same {len(held[one])} "
            return {}, [line + "image(s), so that no split is taken from it."]
    number = Counter(path for paths in held.values() for path in paths)
    single = {
        path: side
        for side, paths in held.items()
        for path in paths
        if number[path] == 1
    }
    warnings = []
    if several := [path for path in number if number[path] > 1]:
        what = "are on several sides of the split, and are taken as on none"
        warnings.append(_line(told_by, several, known, what))
    if number and (left := known - set(number)):
        what = "are on no side of the split"
        warnings.append(_line(told_by, left, known, what))
    return single, warnings


def _line(
    told_by: str, some: Collection[str], known: Collection[str], what: str
) -> str:
    example = in_natural_order(some)[0]
    return f"{told_by}: {len(some)} of {len(known)} images {what}, as {example}."


def side_by_folder(path: str) -> str | None:
    """Tell a side by the folders that an image lies in."""
    folders = path.lower().split("/")[:-1]
    sides = {SPLIT_NAMES[name] for name in folders if name in SPLIT_NAMES}
    return sides.pop() if len(sides) == 1 else None


def read_ids(path: Path) -> np.ndarray:
    """Read a mask of ids."""
    values = read_values(path)
    if values.ndim == 2:
        return values
    colors = values[..., :3] if values.shape[2] >= 3 else values[..., :1]
    if (colors != colors[..., :1]).any():
        detail = "Its channels differ, so it shows colors and no ids."
        raise Unusable("color-mask", detail)
    return colors[..., 0]


def read_values(path: Path) -> np.ndarray:
    """Read what a PNG holds, without palette or conversion."""
    data = read_bytes(path, embedded=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of large images; they are refused here
        try:
            with Image.open(io.BytesIO(data), formats=("PNG",)) as image:
                width, height = image.size
                if width * height > MAX_PIXELS:
                    detail = f"{width} x {height} pixels; {MAX_PIXELS:,} are allowed."
                    raise Unusable("too-many-pixels", detail)
                values = np.asarray(image)
        except UnidentifiedImageError as error:
            detail = "No PNG; other formats blur ids."
            raise Unusable("not-png", detail) from error
        except Image.DecompressionBombError as error:
            detail = f"More pixels than the {MAX_PIXELS:,} that are allowed."
            raise Unusable("too-many-pixels", detail) from error
        except (OSError, SyntaxError, ValueError) as error:
            raise Unusable("damaged", f"{error}.") from error
    return values.astype(np.uint8) if values.dtype == bool else values


# A file of many faults is listed by so many of each kind, and the number of others.
MANY = 100


class Faults:
    """What is wrong within one file.

    Args:
        file: Its path, relative to the source root.
    """

    def __init__(self, file: str) -> None:
        self.file = file
        self._told: list[Rejected] = []
        self._numbers: dict[str, int] = defaultdict(int)

    def add(self, reason: str, detail: str) -> None:
        """Note a fault."""
        self._numbers[reason] += 1
        if self._numbers[reason] <= MANY:
            self._told.append(Rejected(self.file, reason, f"{detail}."))

    def rejections(self) -> list[Rejected]:
        """All that were noted, long lists cut."""
        return self._told + [
            Rejected(self.file, reason, f"And {number - MANY:,} more of this kind.")
            for reason, number in self._numbers.items()
            if number > MANY
        ]
