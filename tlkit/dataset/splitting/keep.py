"""An earlier data set in, the sides of its images out: they keep them.

An image is known again by its content or, where that was changed, by its path.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tlkit.dataset.manifest import INFO, Manifest
from tlkit.dataset.splitting.examples import Candidate
from tlkit.errors import UsageError
from tlkit.progress import Progress

# Options that another split would come from.
DECISIVE = ("seed", "val", "test", "group_by")


@dataclass(frozen=True)
class Previous:
    """What a data set directory says that is to be made again.

    Attributes:
        by_content: The side of an image, and its path, by its sha256.
        by_path: The side of an image by its path.
    """

    by_content: Mapping[str, tuple[str, str]]
    by_path: Mapping[str, str]

    def side(self, path: str, sha256: str, present: Container[str]) -> str | None:
        """Look an image up."""
        side, original = self.by_content.get(sha256, (None, ""))
        if side and (path in self.by_path or original not in present):
            return side
        return self.by_path.get(path)


def read_previous(
    place: Path, origin: Path, options: Mapping[str, Any]
) -> Previous | None:
    """Read the data set that stands where the new one is to be."""
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
            hint="Leave them as they were to keep every image on its side, or add "
            "--overwrite to draw the split again.",
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
    """Give candidates the sides that they had."""
    candidates = list(candidates)
    present = {candidate.path for candidate in candidates}
    free = {"train", *drawn}
    settled = []
    new = 0
    for candidate in candidates:
        side = previous.side(candidate.path, candidate.info.sha256, present)
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
        f"{new} of {len(settled)} examples are of new images, the others keep their "
        "side."
    )
    return settled
