"""Class folders in, annotations out: the name of the folder is the label.

    SRC/<class>/**                                              no split given
    SRC/{train,val,valid,validation,test}/<class>/**            the split is kept

The second is meant only if every folder in SRC has such a name, so that a class may be
called "train", and if these hold folders again.
"""

from __future__ import annotations

from pathlib import Path

from tlkit.dataset.records import (
    SPLIT_NAMES,
    ImageRecord,
    ParsedSource,
    Rejected,
    is_label,
)
from tlkit.dataset.sources.open import Source
from tlkit.dataset.sources.walk import folders, shown
from tlkit.errors import DatasetError


def read(source: Source) -> ParsedSource:
    """List what lies in class folders."""
    by_split = is_split(source.root)
    rejected = list(source.rejected)
    records = []
    for path in source.files:
        above = path.split("/")[:-1]
        split = SPLIT_NAMES[above.pop(0).lower()] if by_split and above else None
        if not above:
            rejected.append(Rejected(path, "no-class-folder", "In no class folder."))
        elif path.lower().endswith(".json"):
            # Elsewhere a JSON stands for the image inside of it.
            detail = "A JSON file; class folders have no use for it."
            rejected.append(Rejected(path, "not-an-image", detail))
        elif not is_label(above[0]):
            rejected.append(Rejected(path, "bad-label", "Control characters."))
        else:
            records.append(ImageRecord(path, labels=(above[0],), split=split))
    sides = sorted({record.split for record in records if record.split})
    given = f" with a given {'/'.join(sides)} split" if by_split else ""
    return ParsedSource(
        files=source.files,
        records=tuple(records),
        rejected=tuple(rejected),
        note=f"Read as class folders{given}.",
        warnings=tuple(_empty_classes(source.root, by_split, records)),
    )


def is_split(root: Path, *, of_classes: bool = True) -> bool:
    """Whether the folders in a source are the sides of a split."""
    names = list(folders(root))
    sides = [name for name in names if name.lower() in SPLIT_NAMES]
    nested = any(any(folders(root / name)) for name in sides)
    if names and len(sides) == len(names):
        if nested or (len(sides) > 1 and not of_classes):
            return True
        if len(sides) > 1:
            raise DatasetError(
                f"{root} holds {', '.join(names)}, but no class folders in them.",
                hint="Expected SRC/train/<class>/photo.jpg, or SRC/<class>/photo.jpg.",
            )
    if len(sides) > 1 and nested:
        others = ", ".join(name for name in names if name not in sides)
        raise DatasetError(
            f"{root} holds {', '.join(sides)}, as a split does, and besides {others}.",
            hint="Move what is not a side of the split elsewhere, or, if these are all "
            "classes, rename the ones that are called like sides.",
        )
    return False


def _empty_classes(root: Path, by_split: bool, records: list[ImageRecord]) -> list[str]:
    filled = {"/".join(p.path.split("/")[: 2 if by_split else 1]) for p in records}
    names = [
        f"{side}/{name}" for side in folders(root) for name in folders(root / side)
    ]
    classes = names if by_split else list(folders(root))
    bare = [name for name in classes if name not in filled]
    return [
        f"{shown(name)}: an empty folder."
        if is_label(name.split("/")[-1])
        else f"{shown(name)!a}: the name of this folder cannot be a label. Rename "
        "it, or all of its images stay out."
        for name in bare
    ]
