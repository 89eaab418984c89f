"""What convert did in, the files that tell of it out.

names.csv       under which name each picture is written
lost.csv        what the format cannot hold, one row a field
rejected.csv    what is not in it, one row a file or object
convert.json    where it came from, and every file that was written
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tlkit.dataset.manifest import write_table
from tlkit.dataset.sources import Rejection
from tlkit.dataset.sources.converted import LOST, NAMES, RECORD, REJECTED
from tlkit.dataset.sources.page import in_natural_order
from tlkit.dataset.writers.sheet import Loss
from tlkit.errors import UsageError


@dataclass(frozen=True)
class Converted:
    """What was written.

    Attributes:
        directory: Where.
        format: One of writers.WRITERS.
        pictures: How many.
        objects: How many of each class, those that nothing bears included.
        names: Under which name each picture is written, by its file in the source; both
            POSIX, relative to their folders.
        label_by: What prepare can be told to label by, "shapes" or "image"; "" where
            it would find fewer than two classes.
        task: What Ultralytics can be told to learn, "detect" or "segment"; "" for other
            formats.
        losses: What the format cannot hold, as in lost.csv.
        rejected: What is not in it, as in rejected.csv.
    """

    directory: Path
    format: str
    pictures: int
    objects: Mapping[str, int]
    names: Mapping[str, str] = field(repr=False)
    label_by: str
    task: str
    losses: tuple[Loss, ...] = field(repr=False)
    rejected: tuple[Rejection, ...] = field(repr=False)

    def write(self, draft: Path, src: Path) -> None:
        """Write the files that tell of it.

        Args:
            draft: Where everything else is written already.
            src: What was converted.
        """
        write_table(draft / NAMES, ("file", "name"), list(self.names.items()))
        rows = [(r.file, r.reason, r.detail) for r in self.rejected]
        write_table(draft / REJECTED, ("file", "reason", "detail"), rows)
        lost = [dataclasses.astuple(loss) for loss in self.losses]
        write_table(draft / LOST, ("file", "object", "field", "detail"), lost)
        content = {
            "source": str(src.resolve()),
            "format": self.format,
            "files": in_natural_order(_files(draft)),
        }
        text = json.dumps(content, indent=2)
        (draft / RECORD).write_text(text + "\n", encoding="utf-8", newline="\n")


def check_own(place: Path) -> None:
    """Refuse to replace what convert did not write.

    Args:
        place: The folder that would be replaced.

    Raises:
        UsageError: It is one that convert made, and holds other files as well.
    """
    if not (place / RECORD).is_file():
        return
    if foreign := in_natural_order(_files(place) - _written(place)):
        raise UsageError(
            f"{place} holds files that convert did not write: "
            f"{', '.join(foreign[:5])}. It is left alone.",
            hint="Move them away, or choose another --out.",
        )


def _written(place: Path) -> set[str]:
    try:
        files = json.loads((place / RECORD).read_text(encoding="utf-8"))["files"]
        return {RECORD, *files}
    except (OSError, ValueError, KeyError, TypeError):
        return set()


def _files(folder: Path) -> set[str]:
    return {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if not path.is_dir()
    }
