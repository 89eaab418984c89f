"""An earlier data set in, the sides of its pictures out: they keep them.

A picture is known again by its content or, where that was changed, by its path.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tlkit.dataset.candidate import Candidate
from tlkit.dataset.manifest import INFO, Manifest
from tlkit.errors import UsageError
from tlkit.progress import Progress

# Options that another split would come from.
DECISIVE = ("seed", "val", "test", "group_by")


@dataclass(frozen=True)
class Previous:
    """What a data set directory says that is to be made again.

    Attributes:
        by_content: The side of a picture, and its path, by its sha256.
        by_path: The side of a picture by its path.
    """

    by_content: Mapping[str, tuple[str, str]]
    by_path: Mapping[str, str]

    def side(self, path: str, sha256: str, present: Container[str]) -> str | None:
        """Look a picture up.

        Args:
            path: Relative to the source root.
            sha256: Of the encoded picture.
            present: The paths that there are now.

        Returns:
            Its side; None for a new picture, a copy of one that is still in its place
            included.
        """
        side, original = self.by_content.get(sha256, (None, ""))
        if side and (path in self.by_path or original not in present):
            return side
        return self.by_path.get(path)


def read_previous(
    place: Path, origin: Path, options: Mapping[str, Any]
) -> Previous | None:
    """Read the data set that stands where the new one is to be.

    Args:
        place: The data set directory.
        origin: What was named as the source of the new one.
        options: Of the new one, as dataset.json has them.

    Returns:
        What it says; None where there is none.

    Raises:
        DatasetError: It was changed since it was written.
        UsageError: It was made from other photos, or split by other options.
    """
    if not (place / INFO).is_file():
        return None
    earlier = Manifest.read(place, find_source=False)
    source = earlier.info["source"]
    named = Path(source.get("origin") or source["path"])
    # What was moved together with its photos is found elsewhere than it says; photos
    # that are no longer where they were are taken to be these.
    together = (place / str(source.get("relative", ""))).resolve()
    if origin not in {named, together} and named.exists():
        raise UsageError(
            f"{place} was prepared from {named}, not from {origin}.",
            hint="Choose another --out, or add --overwrite to replace it.",
        )
    before = earlier.info.get("options", {})
    changed = [name for name in DECISIVE if before.get(name) != options[name]]
    if changed:
        raise UsageError(
            f"{place} was split by other options: "
            + ", ".join(f"{n} was {before.get(n)}, is {options[n]}" for n in changed)
            + ".",
            hint="Leave them as they were to keep every picture on its side, or add "
            "--overwrite to draw the split anew.",
        )
    return Previous(
        by_content={e.sha256: (e.split, e.path) for e in earlier.examples},
        by_path={e.path: e.split for e in earlier.examples},
    )


def settle(
    candidates: Iterable[Candidate],
    previous: Previous,
    drawn: Sequence[str],
    progress: Progress,
) -> list[Candidate]:
    """Give candidates the sides that they had.

    Args:
        candidates: What is labelled.
        previous: The earlier data set.
        drawn: The sides that are drawn; a side that the source gives wins otherwise.
        progress: Where to report.

    Returns:
        The same, with their earlier sides.

    Raises:
        UsageError: None of them was there before.
    """
    candidates = list(candidates)
    present = {candidate.path for candidate in candidates}
    free = {"train", *drawn}
    settled = []
    new = 0
    for candidate in candidates:
        side = previous.side(candidate.path, candidate.facts.sha256, present)
        new += side is None
        if side in free and candidate.split in {None, "train"}:
            candidate = replace(candidate, earlier=side)
        settled.append(candidate)
    if settled and new == len(settled):
        raise UsageError(
            f"None of the {new} examples is in the data set that stands in its place.",
            hint="Choose another --out, or add --overwrite to replace it.",
        )
    progress.note(
        f"{new} of {len(settled)} examples are of new pictures, the others keep their "
        "side."
    )
    return settled
