"""The split of an existing data set, which its images keep.

An image is recognized by its content or, where that was changed, by its path.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tlkit.dataset.dataset_files import INFO
from tlkit.dataset.example import Example
from tlkit.dataset.manifest import Manifest
from tlkit.errors import UsageError
from tlkit.progress import Progress

# Options that another split would come from.
DECISIVE = ("seed", "val", "test", "group_by")


@dataclass(frozen=True)
class ExistingSplit:
    """The split of the data set directory that is to be made again."""

    # Its split and its path, by the sha256 of an image.
    by_content: Mapping[str, tuple[str, str]]
    by_path: Mapping[str, str]

    def of(self, path: str, sha256: str, present: Container[str]) -> str | None:
        """Return the split of an image, None for a new one."""
        split, original = self.by_content.get(sha256, (None, ""))
        if split and (path in self.by_path or original not in present):
            return split
        return self.by_path.get(path)


def read_existing_split(
    place: Path, origin: Path, options: Mapping[str, Any]
) -> ExistingSplit | None:
    """Read the split of the data set where the new one is to be, if there is one."""
    if not (place / INFO).is_file():
        return None
    existing = Manifest.read(place, find_source=False)
    source = existing.info["source"]
    recorded = Path(source.get("origin") or source["path"])
    # What was moved together with its photos is found elsewhere than recorded; photos
    # that are no longer where they were are taken to be these.
    together = (place / str(source.get("relative", ""))).resolve()
    if origin not in {recorded, together} and recorded.exists():
        raise UsageError(
            f"{place} was prepared from {recorded}, not from {origin}.",
            hint="Choose another --out, or add --overwrite to replace it.",
        )
    before = existing.info["options"]
    changed = [name for name in DECISIVE if before[name] != options[name]]
    if changed:
        raise UsageError(
            f"{place} was split by other options: "
            + ", ".join(f"{n} was {before[n]}, is {options[n]}" for n in changed)
            + ".",
            hint="Leave them as they were to keep every image in its split, or add "
            "--overwrite to draw the split again.",
        )
    return ExistingSplit(
        by_content={e.sha256: (e.split, e.path) for e in existing.examples},
        by_path={e.path: e.split for e in existing.examples},
    )


def keep_split(
    examples: Sequence[Example],
    existing: ExistingSplit,
    drawn: Iterable[str],
    progress: Progress,
) -> list[Example]:
    """Give examples the split that they had, where the source gives no other one."""
    present = {example.path for example in examples}
    free = {"train", *drawn}
    placed = []
    new = 0
    for example in examples:
        split = existing.of(example.path, example.sha256, present)
        new += split is None
        if split in free and example.split in {"", "train"}:
            example = replace(example, split=split, existing=True)
        placed.append(example)
    if placed and new == len(placed):
        raise UsageError(
            f"None of the {new} examples is in the existing data set.",
            hint="Choose another --out, or add --overwrite to replace it.",
        )
    progress.note(
        f"{new} of {len(placed)} examples are of new images, the others keep their "
        "split."
    )
    return placed
