"""Sources: a folder, a file in it, an archive or a DataFrame, walked once."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from tlkit.dataset.records import Rejected
from tlkit.dataset.sources.archive import archive_kind, unpack
from tlkit.dataset.sources.image_paths import Images
from tlkit.dataset.sources.walk import WalkResult, walk
from tlkit.errors import UsageError
from tlkit.imaging.safe_read import Unusable, read_json
from tlkit.progress import Progress, Silent, track
from tlkit.workers import in_order

if TYPE_CHECKING:
    import pandas

T = TypeVar("T")
R = TypeVar("R")

# Files of drawings; images are made of them.
DRAWINGS = ".ndjson"
# Fewer files are read sooner than processes are started.
FEW = 256


@dataclass(frozen=True)
class ReaderOptions:
    """Choices of the user where a source could be read in several ways."""

    attribute: str | None = None  # of VIA, the one that is the label
    separator: str | None = None  # of tables, between several labels in a cell
    columns: tuple[tuple[str, str], ...] = ()  # of tables, (role, name) pairs
    limit: int | None = None  # of drawings per class
    allow_outside: bool = False  # links and names may lead out of the source

    def __post_init__(self) -> None:
        """Check what cannot be meant for any source."""
        if self.separator == "":
            raise UsageError(
                "separator must be one character at least, got ''.",
                hint="Remove it where each row has one label.",
            )
        if self.limit is not None and self.limit < 1:
            raise UsageError(f"limit must be >= 1, got {self.limit}.")


@dataclass(frozen=True)
class Source:
    """A source, walked once; paths are relative to its root."""

    root: Path
    files: tuple[str, ...]  # in natural order, annotation files and images
    rejected: tuple[Rejected, ...] = ()  # by the walk
    only: str = ""  # the one annotation file that was named; "" for all of them
    options: ReaderOptions = field(default_factory=ReaderOptions)
    workers: int | None = None  # processes; None decides by the amount
    progress: Progress = field(default_factory=Silent)
    frame: pandas.DataFrame | None = None  # in place of tables in the folder
    made: Path | None = None  # where images may be drawn to
    named: Path | None = None  # the archive that was unpacked
    own: frozenset[str] = frozenset()  # records of `convert`, not among the files

    @property
    def place(self) -> Path:
        """The path that the user named: the folder, the file in it, the archive."""
        return self.named or self.root / self.only

    def ending(self, *suffixes: str) -> list[str]:
        """Return the annotation files that end with one of some suffixes."""
        files = (self.only,) if self.only else self.files
        return [file for file in files if file.lower().endswith(suffixes)]

    def images(self) -> Images:
        """Return an index of the files by the names that annotations may give them."""
        outside = self.options.allow_outside
        return Images(self.root, self.files, allow_outside=outside)

    def map(
        self,
        call: Callable[[T], R],
        tasks: Sequence[T],
        what: str = "Reading annotations",
        few: int = FEW,
    ) -> Iterator[R]:
        """Call a function on tasks, in processes where they are not few, in order."""
        workers = self.workers
        if workers is None and len(tasks) < few:
            workers = 0
        results = in_order(call, tasks, workers=workers)
        return track(results, self.progress, what, len(tasks))


def open_source(
    place: Path,
    *,
    options: ReaderOptions | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
    frame: pandas.DataFrame | None = None,
    made: Path | None = None,
    leave: Collection[Path] = (),
) -> Source:
    """Walk a folder, or the folder of a file or an archive unpacked to `made`."""
    options, progress = options or ReaderOptions(), progress or Silent()
    root, only, named = place, "", None
    left: list[Rejected] = []
    if made is not None and archive_kind(place):
        root, left = unpack(place, made, progress)
        named = place
    elif not place.is_dir():
        root, only = place.parent, place.name
    if only.lower().endswith(DRAWINGS):
        found = WalkResult((only,), ())  # the files around it do not matter
    else:
        found = walk(root, allow_outside=options.allow_outside, leave=leave)
    own = own_files(root, found.files) - {only}
    return Source(
        root=root,
        files=tuple(file for file in found.files if file not in own),
        rejected=(*found.rejected, *left),
        only=only,
        options=options,
        workers=workers,
        progress=progress,
        frame=frame,
        made=made,
        named=named,
        own=own,
    )


RECORD = "convert.json"
DROPPED, REJECTED = "dropped_fields.csv", "rejected.csv"
RENAMED = "renamed_files.csv"
KEYS = {"source", "format", "files"}


def own_files(root: Path, there: Collection[str]) -> frozenset[str]:
    """Return the files at the root of a source in which `convert` records its work."""
    if RECORD not in there:
        return frozenset()
    try:
        content = read_json(root / RECORD)
    except Unusable:
        return frozenset()
    if not isinstance(content, dict) or not content.keys() >= KEYS:
        return frozenset()
    files = content["files"]
    listed = {RECORD, *(files if isinstance(files, list) else ())}
    own = {RECORD, DROPPED, REJECTED, RENAMED}
    return frozenset(own & listed & set(there))
