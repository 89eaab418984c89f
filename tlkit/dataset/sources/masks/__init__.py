"""Masks of ids in, pages out: one thing for each id of a picture.

PixelAnnotationTool writes three beside X.jpg: X_watershed_mask.png, the ids that count;
X_mask.png, the strokes they grew from, which count where there is no other; and
X_color_mask.png, for the eye. Its config.json names the ids.

Where masks are asked for, those in a folder "masks", "labels" or the like count, too,
for the picture of the same name in "images" or the like beside it (`pairs`).

0 is where nothing was marked. So is 255, the line that the watershed draws between
areas, unless the config names it.
"""

from __future__ import annotations

import functools
import posixpath
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tlkit.dataset.contents import UnreadableImage
from tlkit.dataset.geometry import mask_shape
from tlkit.dataset.sources.folders import is_split
from tlkit.dataset.sources.ids import read_ids
from tlkit.dataset.sources.masks.config import CONFIG_HINT, Config, read_config
from tlkit.dataset.sources.masks.pairs import (
    folder_pair,
    kind_of,
    picture_folders,
    picture_of,
)
from tlkit.dataset.sources.page import SPLIT_NAMES, Page, Rejection, Scan, Thing
from tlkit.dataset.sources.pictures import SUFFIXES
from tlkit.dataset.sources.source import Source
from tlkit.progress import track
from tlkit.workers import in_order

BORDER = 255
# A mask without config that has more values is a photo, or of something else.
MAX_IDS = 100
# Fewer masks are read sooner than processes are started.
FEW = 32

__all__ = ["claims", "folder_pair", "read"]


@dataclass(frozen=True)
class Masks:
    """The masks of a source.

    Attributes:
        of: For each that counts, its picture.
        spare: Colours and strokes, which nothing is read of.
        rejected: Those that lead to no picture.
    """

    of: Mapping[str, str]
    spare: frozenset[str]
    rejected: tuple[Rejection, ...]


def claims(source: Source) -> int:
    """How many files are named as PixelAnnotationTool's masks of pictures beside them.

    Args:
        source: What was walked.

    Returns:
        Their number, without those of colours.
    """
    beside = _beside(source.files)
    kinds = (kind_of(file) for file in source.files)
    return sum(kind != "color" and stem in beside for stem, kind in kinds if kind)


def read(source: Source) -> Scan:
    """List what the masks in a folder say.

    Args:
        source: What was walked.

    Returns:
        A page for each mask that leads to a picture.

    Raises:
        DatasetError: The names of the ids contradict each other.
    """
    config = read_config(source)
    masks = _sorted(source)
    by_split = is_split(source.root, of_classes=False)
    names = list(masks.of.items())
    workers = 0 if source.workers is None and len(names) < FEW else source.workers
    parse = functools.partial(_page, source.root, config, by_split)
    pages: list[Page] = []
    rejected = [*source.rejected, *config.rejected, *masks.rejected]
    results = in_order(parse, names, workers=workers)
    for found in track(results, source.progress, "Reading masks", len(names)):
        for each in found:
            if isinstance(each, Page):
                pages.append(each)
            else:
                rejected.append(each)
    warnings = []
    if pages and not config.names:
        warnings.append(f"Ids without names are called 'id 1' and so on. {CONFIG_HINT}")
    return Scan(
        files=source.files,
        pages=tuple(pages),
        rejected=tuple(rejected),
        note=f"Read as masks of ids, {len(pages)} of them.",
        warnings=tuple(warnings),
        named={picture: mask for mask, picture in masks.of.items()},
        consumed=masks.spare | config.files,
    )


def _beside(files: Iterable[str]) -> dict[str, str]:
    """The pictures by what their masks are named after, where that is one."""
    by_name = defaultdict(set)
    for file in files:
        if file.lower().endswith(SUFFIXES) and not kind_of(file)[1]:
            folder, name = posixpath.split(file)
            by_name[posixpath.splitext(file)[0]].add(file)
            # The tool leaves away all behind the first dot.
            by_name[posixpath.join(folder, name.split(".")[0])].add(file)
    return {stem: found.pop() for stem, found in by_name.items() if len(found) == 1}


def _sorted(source: Source) -> Masks:
    beside = _beside(source.files)
    folders = picture_folders(source.files)
    kinds: dict[str, dict[str, str]] = defaultdict(dict)
    of: dict[str, str] = {}
    rejected = []
    spare = set()
    for file in source.files:
        stem, kind = kind_of(file)
        if kind:
            kinds[stem][kind] = file
        elif picture := picture_of(file, beside, folders):
            of[file] = picture
    for stem, found in kinds.items():
        mask = found.get("watershed") or found.get("strokes")
        picture = beside.get(stem)
        if mask and not picture:
            picture = picture_of(mask, beside, folders, stem)
        for file in found.values():
            if picture and file == mask:
                of[mask] = picture
            elif picture and mask:
                spare.add(file)
            elif mask:
                detail = "Not exactly one picture of its name lies beside it."
                rejected.append(Rejection(file, "picture-missing", detail))
            else:
                detail = "Colours tell no ids: save the watershed mask beside it."
                rejected.append(Rejection(file, "colour-mask", detail))
    if source.only in of:
        of = {source.only: of[source.only]}
    return Masks(of, frozenset(spare), tuple(rejected))


def _page(
    root: Path, config: Config, by_split: bool, pair: tuple[str, str]
) -> list[Page | Rejection]:
    file, picture = pair
    try:
        ids = read_ids(root / file)
    except UnreadableImage as error:
        hint = " Use the watershed mask." if error.reason == "colour-mask" else ""
        return [Rejection(file, error.reason, error.detail + hint)]
    present = [int(i) for i in np.unique(ids) if i]
    if BORDER not in config.names:
        present = [i for i in present if i != BORDER]
    side = SPLIT_NAMES.get(picture.split("/")[0].lower()) if by_split else None
    if by_split and (side is None or "/" not in picture):
        detail = "Beside the folders of the split, not in them."
        return [Rejection(file, "no-split", detail)]
    unknown: list[int] = []
    if config.names:
        unknown = [i for i in present if i not in config.names]
        present = [i for i in present if config.names.get(i)]
    elif len(present) > MAX_IDS:
        detail = f"{len(present)} different values: hardly a mask of classes."
        return [Rejection(file, "too-many-ids", detail)]
    things = tuple(
        Thing(
            label=config.names.get(i, f"id {i}"),
            shapes=(mask_shape(ids == i),),
            attributes={"id": i},
        )
        for i in present
    )
    size = ids.shape[1], ids.shape[0]
    page = Page(picture, file=file, things=things, split=side, size=size)
    if not unknown:
        return [page]
    some = ", ".join(map(str, unknown[:10]))
    detail = f"Ids that the config has no name for: {some}."
    return [page, Rejection(file, "unknown-id", detail)]
