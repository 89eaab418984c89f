"""Annotated pictures in, the same in another program's format out: nothing is guessed.

source or data set -> facts -> sheets -> copies and annotations, converted
"""

from __future__ import annotations

import hashlib
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from tlkit.dataset import contents, sources
from tlkit.dataset.collection import Collection, of_dataset, of_source
from tlkit.dataset.contents import UnreadableImage
from tlkit.dataset.converted import Converted, check_own
from tlkit.dataset.facts import Facts
from tlkit.dataset.labelling import Labelling, label
from tlkit.dataset.ledger import open_ledger
from tlkit.dataset.manifest import INFO
from tlkit.dataset.output import check_place
from tlkit.dataset.sheets import Sheets, make_sheets
from tlkit.dataset.sources import Page, Reading, Rejection
from tlkit.dataset.sources.archive.members import archive_kind
from tlkit.dataset.sources.converted import RECORD
from tlkit.dataset.sources.page import IGNORED, in_natural_order, natural_key
from tlkit.dataset.sources.source import DRAWINGS
from tlkit.dataset.survey import survey
from tlkit.dataset.upright import upright_page
from tlkit.dataset.writers import WRITERS, lost
from tlkit.errors import TlkitError, UsageError, unknown_name
from tlkit.files import replaced_directory
from tlkit.progress import Progress, Silent, track

PICTURES = ("copy", "none")
SILENT = Silent()


def convert(
    src: Path | str,
    out: Path | str,
    *,
    to: str,
    source: str = "auto",
    pictures: str = "copy",
    attribute: str | None = None,
    allow_outside: bool = False,
    workers: int | None = None,
    overwrite: bool = False,
    progress: Progress = SILENT,
) -> Converted:
    """Write annotated pictures in another format; they stay as and where they are.

    Coordinates are those of the upright picture, turned by its EXIF tag.

    Args:
        src: What prepare takes, or a data set directory that it wrote: then its
            pictures, with its split.
        out: The folder to make, outside of `src`.
        to: The format, one of writers.WRITERS.
        source: "auto", or how the pictures are annotated, one of sources.SOURCES.
        pictures: "copy", or "none" for annotations alone.
        attribute: For VIA, the attribute that is the label.
        allow_outside: Read what links and annotations name outside of `src`.
        workers: Processes that read pictures, 0 for none; one a processor where it is
            None and there is enough to read.
        overwrite: Replace an earlier converted folder.
        progress: Where to report.

    Returns:
        What was written, and what was lost.

    Raises:
        DatasetError: The source cannot be used; nothing was written.
        UsageError: A wrong option, or a place that must not be written to.

    Example:
        convert("photos", "coco", to="coco")
    """
    _check_options(to, source, pictures)
    src, place = _check_place(Path(src), Path(out), overwrite=overwrite)
    reading = Reading(attribute=attribute, allow_outside=allow_outside)
    with replaced_directory(
        place, marker=RECORD, overwrite=overwrite, what="folder that convert made"
    ) as draft:
        # What is in an archive, or drawn, is needed only until it is copied.
        with tempfile.TemporaryDirectory(prefix=".", dir=draft) as aside:
            if (src / INFO).is_file():
                found = of_dataset(src)
                _check_apart(found.root, place, src)
            else:
                opened = Path(aside)
                found = of_source(src, source, reading, opened, workers, progress)
            made, rejected = _sheets(found, workers, progress)
            if pictures == "copy":
                rejected += _copy(made, found.root, draft, to, progress)
        converted = _written(draft, place, to, made, found.classes, rejected)
        _warn(made, converted, progress)
        converted.write(draft, src)
    return converted


def _check_options(to: str, source: str, pictures: str) -> None:
    known = ("auto", *sources.SOURCES)
    for what, name, names in (
        ("format to write (to)", to, WRITERS),
        ("source", source, known),
        ("way with pictures", pictures, PICTURES),
    ):
        if name not in names:
            error = unknown_name(what, name, names)
            raise error


def _check_place(src: Path, out: Path, *, overwrite: bool) -> tuple[Path, Path]:
    root, place = check_place(src, out)
    whole = archive_kind(root) or root.name.lower().endswith(DRAWINGS)
    if root.is_file() and not whole:
        # Among the pictures beside an annotation file, copies would be mixed up with
        # them the next time.
        check_place(src.parent, out)
    _check_apart(root, place, src)
    if overwrite:
        check_own(place)
    return root, place


def _check_apart(root: Path, place: Path, src: Path) -> None:
    if place == root or place in root.parents:
        raise UsageError(
            f"The pictures of {src} lie within {place}, which would be replaced.",
            hint="Choose another --out.",
        )


def _sheets(
    found: Collection, workers: int | None, progress: Progress
) -> tuple[Sheets, list[Rejection]]:
    paths = in_natural_order({page.path for page in found.pages})
    with open_ledger(found.origin or found.root) as ledger:
        read, rejected = survey(
            found.root, paths, ledger, workers=workers, progress=progress
        )
    rejected += found.rejected
    facts: dict[str, Facts] = {}
    for fact in read:
        if found.digests.get(fact.path, fact.sha256) != fact.sha256:
            rejected.append(_changed(fact.path))
        else:
            facts[fact.path] = fact
    pages = []
    for page in found.pages:
        if page.path in facts:
            turned = upright_page(page, facts[page.path])
            if isinstance(turned, Page):
                pages.append(turned)
            else:
                rejected.append(turned)
    made = make_sheets(pages, facts)
    drawn = zip(made.sheets, made.facts, strict=True)
    if number := sum(f.orientation != 1 for s, f in drawn if s.page.things):
        progress.note(
            f"{number} pictures are turned by their EXIF tag. Coordinates are those of "
            "the upright picture: read them with a program that turns it, too."
        )
    return made, rejected + made.rejected


def _changed(path: str) -> Rejection:
    return Rejection(path, "changed", "It is not the picture it was before.")


def _copy(
    made: Sheets, root: Path, draft: Path, to: str, progress: Progress
) -> list[Rejection]:
    """Copy the pictures; sheets of those that have gone meanwhile are taken out."""
    rejected = []
    kept = []
    both = list(zip(made.sheets, made.facts, strict=True))
    for sheet, fact in track(both, progress, "Copying pictures", len(both)):
        try:
            data = contents.read_bytes(root / fact.path)
        except UnreadableImage as error:
            rejected.append(Rejection(fact.path, error.reason, error.detail))
            continue
        if hashlib.sha256(data).hexdigest() != fact.sha256:
            rejected.append(_changed(fact.path))
            continue
        kept.append(sheet)
        target = draft / WRITERS[to].place(sheet)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
        except OSError as error:
            message = f"{target} cannot be written: {error.strerror}."
            raise TlkitError(message) from error
    made.sheets = kept
    return rejected


def _written(
    draft: Path,
    place: Path,
    to: str,
    made: Sheets,
    classes: Sequence[str],
    rejected: list[Rejection],
) -> Converted:
    """Write the annotations, and say what was written."""
    labels = _labels(made, classes)
    writer = WRITERS[to]
    losses = writer.write(draft, made.sheets, labels)
    names = {sheet.name for sheet in made.sheets}
    losses += [loss for loss in made.losses if loss.name in names]
    losses.sort(key=lambda loss: (natural_key(loss.name), loss.thing))
    ordered = sorted(set(rejected), key=lambda r: (natural_key(r.file), r.detail))
    counts = Counter(t.label for s in made.sheets for t in s.page.things)
    return Converted(
        directory=place,
        format=to,
        pictures=len(made.sheets),
        objects={label: counts[label] for label in labels},
        names={s.page.path: writer.place(s) for s in made.sheets},
        label_by=_label_by(made, to),
        task=writer.task(made.sheets) if writer.task else "",
        losses=tuple(losses),
        rejected=tuple(ordered),
    )


def _labels(made: Sheets, classes: Sequence[str]) -> list[str]:
    told = {label for sheet in made.sheets for label in sheet.page.labels}
    borne = {thing.label for sheet in made.sheets for thing in sheet.page.things}
    others = (told - set(IGNORED)) | borne
    labels = [*dict.fromkeys(classes), *in_natural_order(others - set(classes))]
    # Those that nothing should learn come last: so the others count from the first on.
    return sorted(labels, key=IGNORED.__contains__)


def _label_by(made: Sheets, to: str) -> str:
    """What leads to classes, as prepare itself would decide."""
    known = {fact.path: fact for fact in made.facts}
    pages = [sheet.page for sheet in made.sheets]
    for way in ("shapes", *(["image"] if WRITERS[to].labels else [])):
        candidates, _ = label(pages, known, Labelling(way))
        if len({name for each in candidates for name in each.labels}) > 1:
            return way
    return ""


def _warn(made: Sheets, converted: Converted, progress: Progress) -> None:
    to = converted.format
    number = sum(bool(sheet.page.labels) for sheet in made.sheets)
    if number and not any(converted.objects.values()) and to != "labelme":
        keeps = "only tlkit reads them there" if WRITERS[to].labels else "left out"
        progress.warn(
            f"Nothing is drawn on any picture, and {to} has no place for labels of "
            f"whole pictures, as {number} have: {keeps}. --to labelme keeps them."
        )
    if number := sum(loss.field == lost.IGNORED for loss in converted.losses):
        progress.warn(
            f"{number} object(s) are marked to be ignored ({', '.join(IGNORED)}), for "
            f"which {to} has no word: what trains on this learns them as any other. "
            "lost.csv lists them; take them out before."
        )
