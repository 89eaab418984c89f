"""Class folders in, annotations out: the name of the folder is the label.

    SRC/<class>/**                                              no split given
    SRC/{train,val,valid,validation,test}/<class>/**            the split is kept

The second is meant only if every folder in SRC has such a name, so that a class may be
called "train", and if these hold folders again.
"""

from __future__ import annotations

from pathlib import Path

from tlkit.dataset.sources.page import SPLIT_NAMES, Page, Rejection, Scan, is_label
from tlkit.dataset.sources.source import Source
from tlkit.dataset.sources.walk import folders, shown
from tlkit.errors import DatasetError


def read(source: Source) -> Scan:
    """List what lies in class folders.

    Args:
        source: What was walked.

    Returns:
        One page for each file in a class folder, whatever its suffix: whether it is a
        picture is told by its content, later.

    Raises:
        DatasetError: One cannot tell whether folders are classes or sides of a split.
    """
    by_split = is_split(source.root)
    rejected = list(source.rejected)
    pages = []
    for path in source.files:
        above = path.split("/")[:-1]
        split = SPLIT_NAMES[above.pop(0).lower()] if by_split and above else None
        if not above:
            rejected.append(Rejection(path, "no-class-folder", "In no class folder."))
        elif path.lower().endswith(".json"):
            # Elsewhere a JSON stands for the picture inside of it.
            detail = "A JSON file; class folders have no use for it."
            rejected.append(Rejection(path, "not-an-image", detail))
        elif not is_label(above[0]):
            rejected.append(Rejection(path, "bad-label", "Control characters."))
        else:
            pages.append(Page(path, labels=(above[0],), split=split))
    sides = sorted({page.split for page in pages if page.split})
    given = f" with a given {'/'.join(sides)} split" if by_split else ""
    return Scan(
        files=source.files,
        pages=tuple(pages),
        rejected=tuple(rejected),
        note=f"Read as class folders{given}.",
        warnings=tuple(_empty_classes(source.root, by_split, pages)),
    )


def is_split(root: Path, *, of_classes: bool = True) -> bool:
    """Whether the folders in a source are the sides of a split.

    Args:
        root: The source root.
        of_classes: Whether they would hold class folders; pictures that are annotated
            may lie right in them.

    Returns:
        Whether all of them are named as sides and any of them holds folders, or need
        not.

    Raises:
        DatasetError: It looks like a split, yet not quite, so that a guess could train
            on classes named "train" and "test".
    """
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


def _empty_classes(root: Path, by_split: bool, pages: list[Page]) -> list[str]:
    filled = {"/".join(p.path.split("/")[: 2 if by_split else 1]) for p in pages}
    names = [
        f"{side}/{name}" for side in folders(root) for name in folders(root / side)
    ]
    classes = names if by_split else list(folders(root))
    bare = [name for name in classes if name not in filled]
    return [
        f"{shown(name)}: an empty folder."
        if is_label(name.split("/")[-1])
        else f"{shown(name)!a}: the name of this folder cannot be a label. Rename "
        "it, or all of its pictures stay out."
        for name in bare
    ]
