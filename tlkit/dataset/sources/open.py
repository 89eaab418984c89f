"""What a reader is given: a folder that was walked, and how to read it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tlkit.dataset.records import Rejected
from tlkit.dataset.sources.archive import unpack
from tlkit.dataset.sources.archive_members import archive_kind
from tlkit.dataset.sources.image_paths import Images
from tlkit.dataset.sources.walk import Found, walk
from tlkit.progress import Progress, Silent

if TYPE_CHECKING:
    import pandas
from tlkit.imaging.safe_read import Unusable, read_json

# Files of drawings; images are made of them.
DRAWINGS = ".ndjson"


@dataclass(frozen=True)
class ReaderOptions:
    """How a source is to be read, where it could be read in several ways.

    Attributes:
        attribute: For VIA, the attribute that is the label; None for the only one.
        separator: For tables, what stands between several labels; None for one label.
        columns: For tables, the column that is "path", "label", "split" or "group";
            those left out are known by their names.
        limit: Of generated images, at most so many a class; None for all.
        allow_outside: Whether links and names may lead out of the source.
    """

    attribute: str | None = None
    separator: str | None = None
    columns: tuple[tuple[str, str], ...] = ()
    limit: int | None = None
    allow_outside: bool = False


@dataclass(frozen=True)
class Source:
    """A source, walked once.

    Attributes:
        root: The folder that all paths are relative to.
        found: The files in it.
        only: The one annotation file that was asked for; "" for all of them.
        reading: How to read it.
        workers: Number of processes; None decides by the amount.
        progress: Where to report.
        frame: A DataFrame that says what tables in the folder would; None for these.
        made: Where readers that draw images put them; None where nothing may be put.
        named: What the user named, where that was unpacked.
        own: What convert wrote about its work in the folder; not among the files.
    """

    root: Path
    found: Found
    only: str = ""
    reading: ReaderOptions = field(default_factory=ReaderOptions)
    workers: int | None = None
    progress: Progress = field(default_factory=Silent)
    frame: pandas.DataFrame | None = None
    made: Path | None = None
    named: Path | None = None
    own: frozenset[str] = frozenset()

    @property
    def place(self) -> Path:
        """What was named as the source: the folder, the file in it, the archive."""
        return self.named or self.root / self.only

    @property
    def files(self) -> tuple[str, ...]:
        """POSIX paths relative to the root, in natural order."""
        return self.found.files

    @property
    def rejected(self) -> tuple[Rejected, ...]:
        """What the walk could not use."""
        return self.found.rejected

    def ending(self, *suffixes: str) -> list[str]:
        """Annotation files by their suffix."""
        files = (self.only,) if self.only else self.files
        return [file for file in files if file.lower().endswith(suffixes)]

    def images(self) -> Images:
        """An index of the files by what may name them."""
        outside = self.reading.allow_outside
        return Images(self.root, self.files, allow_outside=outside)


def open_source(
    place: Path,
    *,
    reading: ReaderOptions | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
    frame: pandas.DataFrame | None = None,
    made: Path | None = None,
    leave: Collection[Path] = (),
) -> Source:
    """Walk a source."""
    reading, progress = reading or ReaderOptions(), progress or Silent()
    root, only, named = place, "", None
    left: list[Rejected] = []
    if made is not None and archive_kind(place):
        root, left = unpack(place, made, progress)
        named = place
    elif not place.is_dir():
        root, only = place.parent, place.name
    if only.lower().endswith(DRAWINGS):
        found = Found((only,), ())  # nothing beside it matters
    else:
        found = walk(root, allow_outside=reading.allow_outside, leave=leave)
    own = own_files(root, found.files) - {only}
    files = tuple(file for file in found.files if file not in own)
    return Source(
        root=root,
        found=Found(files, (*found.rejected, *left)),
        only=only,
        reading=reading,
        workers=workers,
        progress=progress,
        frame=frame,
        made=made,
        named=named,
        own=own,
    )


RECORD = "convert.json"
LOST, REJECTED, NAMES = "lost.csv", "rejected.csv", "names.csv"
KEYS = {"source", "format", "files"}


def own_files(root: Path, there: Collection[str]) -> frozenset[str]:
    """Which files at the root of a source convert wrote about its work."""
    if RECORD not in there:
        return frozenset()
    try:
        content = read_json(root / RECORD)
    except Unusable:
        return frozenset()
    if not isinstance(content, dict) or not content.keys() >= KEYS:
        return frozenset()
    files = content["files"]
    told = [RECORD, *(files if isinstance(files, list) else ())]
    own = (RECORD, LOST, REJECTED, NAMES)
    return frozenset(name for name in own if name in told and name in there)
