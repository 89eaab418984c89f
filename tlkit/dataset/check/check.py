"""A finished split in, by whomever it was made, a verdict on it out: does it leak?

Nothing is changed. Compared are images, not file names: the same bytes or pixels,
near copies as `duplicates` finds them, and turned ones where asked for.
"""

from __future__ import annotations

import dataclasses
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tlkit.dataset.check.leaks import COPIES, Copies, Finding, parted_groups, rank
from tlkit.dataset.check.members import UNSPLIT, Member, Members, files_of, members_of
from tlkit.dataset.duplicates.find import find
from tlkit.dataset.duplicates.rotated import find_turned
from tlkit.dataset.formats import Rejected
from tlkit.dataset.inspection.cache import open_image_cache
from tlkit.dataset.inspection.image_info import ImageInfo
from tlkit.dataset.inspection.run import survey
from tlkit.dataset.manifest import SPLITS, write_table
from tlkit.dataset.records import in_natural_order
from tlkit.errors import DatasetError, UsageError
from tlkit.progress import Progress, Silent

EDITED = "Its digest is not the one in dataset.json."
SILENT = Silent()


@dataclass(frozen=True)
class Checked:
    """The verdict on a split.

    Attributes:
        compared: How many images were compared.
        findings: What should not be; copies across sides first.
        remarks: What one may want to know besides.
    """

    compared: int
    findings: tuple[Finding, ...]
    remarks: tuple[str, ...]

    @property
    def clean(self) -> bool:
        """Whether nothing was found."""
        return not self.findings

    @property
    def verdict(self) -> tuple[str, ...]:
        """The same in words, a sentence each."""
        copies = [f for f in self.findings if f.kind in COPIES]
        straddling = Counter((f.side, f.twin_side) for f in copies)
        lines = [
            f"{_images(n)} of {side} {_are(n)} of {_those_of(other)}."
            for (side, other), n in sorted(
                straddling.items(), key=lambda item: [-rank(side) for side in item[0]]
            )
        ]
        if not lines:
            compared = f"{_images(self.compared)} compared"
            lines = [f"No copy straddles the split: {compared}."]
        number = Counter(f.kind for f in self.findings)
        parted = len({f.detail for f in self.findings if f.kind == "group"})
        for count, words in (
            (parted, "group(s) on several sides of the split."),
            (number["conflict"], "image(s) under two labels."),
            (number["missing"], "file(s) missing."),
            (number["unreadable"], "file(s) that cannot be read any more."),
            (number["changed"], "file(s) changed since prepare."),
        ):
            if count:
                lines.append(f"{count} {words}")
        return tuple(lines)

    def write(self, path: Path) -> None:
        """Write the findings as a CSV file.

        Args:
            path: Where to; only a file written so before is replaced.

        Raises:
            UsageError: It cannot be written, or there is another file.
        """
        columns = [column.name for column in dataclasses.fields(Finding)]
        try:
            if path.exists():
                with path.open("rb") as file:
                    ours = file.readline(200) == f"{','.join(columns)}\n".encode()
                if not ours:
                    raise UsageError(
                        f"{path} is not from tlkit check. It is left alone.",
                        hint="Choose another --out.",
                    )
            write_table(path, columns, map(dataclasses.astuple, self.findings))
        except OSError as error:
            raise UsageError(f"{path} cannot be written: {error.strerror}.") from error


def check(
    dataset: Path | str,
    *,
    against: Path | str | None = None,
    turned: bool = False,
    allow_outside: bool = False,
    workers: int | None = None,
    progress: Progress = SILENT,
) -> Checked:
    """Look for leaks in a finished split; nothing is changed.

    Args:
        dataset: What prepare wrote, or any folder with folders train, val or test, or
            with annotations that tell the sides.
        against: Another folder of images, such as a test set of one's own, that is
            to have nothing in common with the data set.
        turned: Look for turned and mirrored copies, too.
        allow_outside: Follow links out of these folders.
        workers: Processes that read images, 0 for none; None for one a processor.
        progress: Where to report.

    Returns:
        The verdict.

    Raises:
        DatasetError: There is no such data set, or it has no sides to compare.
        UsageError: A wrong option.

    Example:
        assert check("data", against="my test photos").clean
    """
    if workers is not None and workers < 0:
        raise UsageError(f"workers is at least 0. Received: {workers}.")
    own = members_of(Path(dataset), allow_outside=allow_outside)
    if against is None and {member.side for member in own.members} == {UNSPLIT}:
        raise DatasetError(
            f"{dataset} has no sides: expected folders named train, val or test, or "
            "annotations that tell them.",
            hint="Name another folder to compare it with: --against FOLDER.",
        )
    parts = [own]
    if against is not None:
        other = files_of(Path(against), str(against), allow_outside=allow_outside)
        parts.append(_foreign(other, own))
    root = _common(parts)
    placed = [
        (member, (part.root.resolve() / member.file).relative_to(root).as_posix())
        for part in parts
        for member in part.members
    ]
    paths = list(dict.fromkeys(path for _, path in placed))
    with open_image_cache(root) as image_cache:
        info, unread = survey(
            root, paths, image_cache, workers=workers, progress=progress
        )
        progress.start("Looking for copies")
        pairs = find(info, image_cache)
        if turned:
            pairs += find_turned(info, pairs, image_cache)
    index = {fact.path: i for i, fact in enumerate(info)}
    copies = Copies([(m, index[path]) for m, path in placed if path in index], pairs)
    results = {r.file: r for r in unread} | {fact.path: fact for fact in info}
    images = [(member, results[path]) for member, path in placed]
    return Checked(
        compared=len(info),
        findings=(
            *copies.across(),
            *parted_groups(own.members),
            *copies.conflicts(),
            *(Finding("changed", file, detail=EDITED) for file in own.edited),
            *_changed(images),
        ),
        remarks=(
            *(line for part in parts for line in part.remarks),
            *_absent(own),
            *_unread(images),
        ),
    )


def _common(parts: Sequence[Members]) -> Path:
    try:
        return Path(os.path.commonpath([part.root.resolve() for part in parts]))
    except ValueError as error:  # Windows
        raise UsageError(
            f"{parts[0].root} and {parts[1].root} are on different drives.",
            hint="Copy one of them to the drive of the other.",
        ) from error


def _foreign(other: Members, own: Members) -> Members:
    # A folder of the data set itself would be found to be a copy of itself.
    held = {(own.root / member.file).resolve() for member in own.members}
    left = tuple(
        m for m in other.members if (other.root / m.file).resolve() not in held
    )
    remarks = other.remarks
    if number := len(other.members) - len(left):
        line = f"{number} file(s) are the data set's own and not compared with it."
        remarks = (*remarks, line)
    return Members(other.root, left, remarks=remarks)


def _changed(
    images: Iterable[tuple[Member, ImageInfo | Rejected]],
) -> Iterator[Finding]:
    for member, found in images:
        if not member.sha256 or found.sha256 == member.sha256:
            continue
        kind, detail = "changed", ""
        if isinstance(found, Rejected) and not found.sha256:
            kind = "missing" if found.reason == "missing" else "unreadable"
            detail = found.detail
        yield Finding(kind, member.file, member.side, member.label, detail=detail)


def _absent(part: Members) -> Iterator[str]:
    labels = {name for names in part.labels.values() for name in names}
    for label in in_natural_order(labels):
        missing = [s for s in SPLITS if label not in part.labels.get(s, {label})]
        if missing:
            yield f"{label}: no image in {' and '.join(missing)}."


def _unread(images: Iterable[tuple[Member, ImageInfo | Rejected]]) -> Iterator[str]:
    files = [
        member.file
        for member, found in images
        if isinstance(found, Rejected) and not member.sha256
    ]
    if files:
        named = ", ".join(files[:3]) + (", ..." if len(files) > 3 else "")
        yield f"{len(files)} file(s), {named}: no images that can be read."


def _images(number: int) -> str:
    return f"{number:,} image{'' if number == 1 else 's'}"


def _those_of(side: str) -> str:
    return "images of the data set" if side == UNSPLIT else f"{side} images"


def _are(number: int) -> str:
    return "is a copy" if number == 1 else "are copies"
