"""Parts that readers share: the split of a source, masks of IDs, capped rejections."""

from __future__ import annotations

import io
import warnings
from collections import Counter, defaultdict
from collections.abc import (
    Collection,
    Iterable,
    Mapping,
)
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from tlkit.dataset.records import (
    SPLIT_NAMES,
    ImageRecord,
    Rejected,
    in_natural_order,
)
from tlkit.dataset.sources.walk import folders
from tlkit.errors import DatasetError
from tlkit.imaging.decode import MAX_PIXELS
from tlkit.imaging.safe_read import Unusable, read_bytes


class NoLabels(DatasetError):
    """The images of a source have no labels in any format."""


def split_by_lists(
    lists: Mapping[str, Collection[str]], images: Collection[str], named_by: str
) -> tuple[dict[str, str], list[str]]:
    """Return the split of each image that is in just one list, and warnings."""
    known = set(images)
    held = {split: known.intersection(paths) for split, paths in lists.items()}
    # Data sets made to try a program out list the same images as train and val.
    for one, other in combinations(held, 2):
        if held[one] and held[one] == held[other]:
            line = f"{named_by}: {one} and {other} are the same {len(held[one])} "
            return {}, [line + "image(s), so that no split is taken from it."]
    number = Counter(path for paths in held.values() for path in paths)
    by_image = {
        path: split
        for split, paths in held.items()
        for path in paths
        if number[path] == 1
    }
    some = {
        "are in several splits, and are taken as in none": [
            path for path in number if number[path] > 1
        ],
        "are in no split": known - set(number) if number else (),
    }
    return by_image, [
        f"{named_by}: {len(paths)} of {len(known)} images {what}, such as "
        f"{in_natural_order(paths)[0]}."
        for what, paths in some.items()
        if paths
    ]


def split_of_folders(path: str) -> str | None:
    """Return the split that the folders above an image name, if they name just one."""
    above = path.lower().split("/")[:-1]
    splits = {SPLIT_NAMES[name] for name in above if name in SPLIT_NAMES}
    return splits.pop() if len(splits) == 1 else None


def lists_of_folders(paths: Iterable[str]) -> dict[str, set[str]]:
    """Return the images of each split that folders name."""
    lists: dict[str, set[str]] = defaultdict(set)
    for path in paths:
        if split := split_of_folders(path):
            lists[split].add(path)
    return lists


def top_split(path: str) -> str | None:
    """Return the split that the first folder of a path names."""
    top, _, name = path.partition("/")
    return SPLIT_NAMES.get(top.lower()) if name else None


def has_split_folders(root: Path, *, of_classes: bool = True) -> bool:
    """Return whether the folders in a source are splits, and hold class folders."""
    names = list(folders(root))
    splits = [name for name in names if name.lower() in SPLIT_NAMES]
    nested = any(any(folders(root / name)) for name in splits)
    if names and len(splits) == len(names):
        if nested or (len(splits) > 1 and not of_classes):
            return True
        if len(splits) > 1:
            raise NoLabels(
                f"{root} holds {', '.join(names)}, but no class folders in them.",
                hint="Expected SRC/train/<class>/photo.jpg, or SRC/<class>/photo.jpg.",
            )
    if len(splits) > 1 and nested:
        others = ", ".join(name for name in names if name not in splits)
        raise DatasetError(
            f"{root} holds the splits {', '.join(splits)}, but also {others}.",
            hint="Move the folders that are not splits elsewhere. If all are classes, "
            "rename those that are named like splits.",
        )
    return False


def split_by_folders(
    root: Path, records: Collection[ImageRecord]
) -> tuple[list[ImageRecord], list[Rejected]]:
    """Set the split of annotated images where the folders of a source are splits."""
    if not has_split_folders(root, of_classes=False):
        return list(records), []
    kept, outside = [], []
    for record in records:
        if split := top_split(record.shown):
            kept.append(replace(record, split=split))
        else:
            detail = "Next to the folders of the split, not in them."
            outside.append(Rejected(record.shown, "no-split", detail))
    return kept, outside


def read_ids(path: Path) -> np.ndarray:
    """Read a mask of IDs; integers [height, width]."""
    values = read_values(path)
    if values.ndim == 2:
        return values
    colors = values[..., :3] if values.shape[2] >= 3 else values[..., :1]
    if (colors != colors[..., :1]).any():
        detail = "Its channels differ: it shows colors, not IDs."
        raise Unusable("color-mask", detail)
    return colors[..., 0]


def read_values(path: Path) -> np.ndarray:
    """Read the values of a PNG, without palette or conversion."""
    data = read_bytes(path, embedded=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of large images, which are rejected here
        try:
            with Image.open(io.BytesIO(data), formats=("PNG",)) as image:
                width, height = image.size
                if width * height > MAX_PIXELS:
                    detail = f"{width} x {height} pixels; {MAX_PIXELS:,} are allowed."
                    raise Unusable("too-many-pixels", detail)
                values = np.asarray(image)
        except UnidentifiedImageError as error:
            detail = "Not a PNG; other formats blur IDs."
            raise Unusable("not-png", detail) from error
        except Image.DecompressionBombError as error:
            detail = f"More pixels than the {MAX_PIXELS:,} that are allowed."
            raise Unusable("too-many-pixels", detail) from error
        except (OSError, SyntaxError, ValueError) as error:
            raise Unusable("damaged", f"{error}.") from error
    return values.astype(np.uint8) if values.dtype == bool else values


# Of each kind of fault, so many are listed for a file, and the number of the others.
MANY = 100


class Faults:
    """The faults within one file, long lists cut."""

    def __init__(self, file: str) -> None:
        self.file = file
        self._listed: list[Rejected] = []
        self._numbers: Counter[str] = Counter()

    def add(self, reason: str, detail: str) -> None:
        """Note a fault; the detail is a sentence without its period."""
        self._numbers[reason] += 1
        if self._numbers[reason] <= MANY:
            self._listed.append(Rejected(self.file, reason, f"{detail}."))

    def rejections(self) -> list[Rejected]:
        """Return one row per listed fault, and one per kind for the others."""
        return self._listed + [
            Rejected(self.file, reason, f"And {number - MANY:,} more of this kind.")
            for reason, number in self._numbers.items()
            if number > MANY
        ]
