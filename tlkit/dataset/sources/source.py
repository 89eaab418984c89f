"""What a reader is given: a folder that was walked, and how to read it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tlkit.dataset.sources.archive import unpack
from tlkit.dataset.sources.archive.members import archive_kind
from tlkit.dataset.sources.converted import own_files
from tlkit.dataset.sources.page import Rejection
from tlkit.dataset.sources.pictures import Pictures
from tlkit.dataset.sources.walk import Found, walk
from tlkit.progress import Progress, Silent

if TYPE_CHECKING:
    import pandas

# Files of drawings; pictures are made of them.
DRAWINGS = ".ndjson"


@dataclass(frozen=True)
class Reading:
    """How a source is to be read, where it could be read in several ways.

    Attributes:
        attribute: For VIA, the attribute that is the label; None for the only one.
        separator: For tables, what stands between several labels; None for one label.
        columns: For tables, the column that is "path", "label", "split" or "group";
            those left out are known by their names.
        limit: Of generated pictures, at most so many a class; None for all.
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
        made: Where readers that draw pictures put them; None where nothing may be put.
        named: What the user named, where that was unpacked.
        own: What convert wrote about its work in the folder; not among the files.
    """

    root: Path
    found: Found
    only: str = ""
    reading: Reading = field(default_factory=Reading)
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
    def rejected(self) -> tuple[Rejection, ...]:
        """What the walk could not use."""
        return self.found.rejected

    def ending(self, *suffixes: str) -> list[str]:
        """Annotation files by their suffix.

        Args:
            *suffixes: As in ".json", in lower case.

        Returns:
            Their paths; the one that was asked for where only that one was.
        """
        files = (self.only,) if self.only else self.files
        return [file for file in files if file.lower().endswith(suffixes)]

    def pictures(self) -> Pictures:
        """An index of the files by what may name them."""
        outside = self.reading.allow_outside
        return Pictures(self.root, self.files, allow_outside=outside)


def open_source(
    place: Path,
    *,
    reading: Reading | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
    frame: pandas.DataFrame | None = None,
    made: Path | None = None,
    leave: Collection[Path] = (),
) -> Source:
    """Walk a source.

    Args:
        place: A folder, an archive of one, or an annotation file that is to be read
            alone; the folder it lies in is the root then.
        reading: How to read it.
        workers: Number of processes; None decides by the amount.
        progress: Where to report.
        frame: A DataFrame that says what tables in the folder would.
        made: Where pictures from archives and drawings are put.
        leave: Folders that do not belong to the source wherever they lie.

    Returns:
        The source.

    Raises:
        DatasetError: It is an archive that cannot be unpacked.
    """
    reading, progress = reading or Reading(), progress or Silent()
    root, only, named = place, "", None
    left: list[Rejection] = []
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
