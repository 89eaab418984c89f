"""The folder that convert made: its summary, and the files that are its own."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tlkit.dataset.convert.records import DroppedField
from tlkit.dataset.dataset_files import write_table
from tlkit.dataset.records import Rejected, in_natural_order
from tlkit.dataset.sources.open import DROPPED, RECORD, REJECTED, RENAMED
from tlkit.errors import UsageError
from tlkit.files import write_json
from tlkit.imaging.safe_read import Unusable, read_json


@dataclass(frozen=True)
class Converted:
    """The result of a conversion.

    Attributes:
        directory: The folder.
        format: One of writers.WRITERS.
        images: Number of images written.
        objects: Number of objects by class; 0 for classes without any.
        names: Path of each image's copy, by its path in the source; both POSIX,
            relative to their folders.
        label_by: What prepare can label by, "shapes" or "image"; "" where it would find
            fewer than two classes.
        task: What Ultralytics can learn, "detect" or "segment"; "" for other formats.
        dropped: What the format cannot hold, as in dropped_fields.csv.
        rejected: What was left out, as in rejected.csv.
    """

    directory: Path
    format: str
    images: int
    objects: Mapping[str, int]
    names: Mapping[str, str] = field(repr=False)
    label_by: str
    task: str
    dropped: tuple[DroppedField, ...] = field(repr=False)
    rejected: tuple[Rejected, ...] = field(repr=False)

    def write(self, draft: Path, source: Path) -> None:
        """Write the lists of names, dropped fields and rejections, and convert.json."""
        write_table(draft / RENAMED, ("file", "name"), list(self.names.items()))
        rows = [(r.file, r.reason, r.detail) for r in self.rejected]
        write_table(draft / REJECTED, ("file", "reason", "detail"), rows)
        lost = [dataclasses.astuple(each) for each in self.dropped]
        write_table(draft / DROPPED, ("file", "object", "field", "detail"), lost)
        content = {
            "source": str(source.resolve()),
            "format": self.format,
            "files": in_natural_order(_files(draft)),
        }
        write_json(draft / RECORD, content)


def check_own(place: Path) -> None:
    """Refuse to replace what convert did not write."""
    if not (place / RECORD).is_file():
        return
    try:
        own = {RECORD, *read_json(place / RECORD)["files"]}
    except (Unusable, KeyError, TypeError):
        own = set()
    if foreign := in_natural_order(_files(place) - own):
        raise UsageError(
            f"{place} holds files that convert did not write: "
            f"{', '.join(foreign[:5])}. It is left alone.",
            hint="Move them away, or choose another --out.",
        )


def _files(folder: Path) -> set[str]:
    return {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if not path.is_dir()
    }
