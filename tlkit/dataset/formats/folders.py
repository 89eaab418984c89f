"""Reader of class folders: the name of the folder is the label.

    SRC/<class>/**                                              no split given
    SRC/{train,val,valid,validation,test}/<class>/**            the split is kept

The second is meant only if every folder in SRC has such a name, so that a class may be
called "train", and if these hold folders again.
"""

from __future__ import annotations

from pathlib import Path

from tlkit.dataset.formats.common import has_split_folders, top_split
from tlkit.dataset.records import ImageRecord, ParsedSource, Rejected, is_label
from tlkit.dataset.sources.open import Source
from tlkit.dataset.sources.walk import folders, shown


def read(source: Source) -> ParsedSource:
    """Read the images in class folders."""
    by_split = has_split_folders(source.root)
    rejected = list(source.rejected)
    records = []
    for path in source.files:
        above = path.split("/")[by_split:-1]
        if not above:
            rejected.append(Rejected(path, "no-class-folder", "In no class folder."))
        elif path.lower().endswith(".json"):
            # Elsewhere a JSON stands for the image inside of it.
            detail = "A JSON file; class folders have no use for it."
            rejected.append(Rejected(path, "not-an-image", detail))
        elif not is_label(above[0]):
            rejected.append(Rejected(path, "bad-label", "Control characters."))
        else:
            split = top_split(path) if by_split else None
            records.append(ImageRecord(path, labels=(above[0],), split=split))
    splits = sorted({record.split for record in records if record.split})
    given = f" with a given {'/'.join(splits)} split" if by_split else ""
    return ParsedSource(
        files=source.files,
        records=tuple(records),
        rejected=tuple(rejected),
        note=f"Read as class folders{given}.",
        warnings=tuple(_empty_classes(source.root, by_split, records)),
    )


def _empty_classes(root: Path, by_split: bool, records: list[ImageRecord]) -> list[str]:
    filled = {"/".join(r.path.split("/")[: 1 + by_split]) for r in records}
    names = list(folders(root))
    if by_split:
        names = [f"{split}/{name}" for split in names for name in folders(root / split)]
    return [
        f"{shown(name)}: an empty folder."
        if is_label(name.split("/")[-1])
        else f"{shown(name)!a}: the name of this folder cannot be a label. Rename "
        "it, or all of its images stay out."
        for name in names
        if name not in filled
    ]
