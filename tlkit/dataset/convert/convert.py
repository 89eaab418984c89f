"""Annotated images in, the same in another program's format out: nothing is guessed.

source or data set -> facts -> sheets -> copies and annotations, converted
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tlkit.dataset import formats as sources
from tlkit.dataset.annotations.orient import orient_record, unclear_orientation
from tlkit.dataset.convert import losses as lost
from tlkit.dataset.convert.records import Loss, Sheets, make_sheets
from tlkit.dataset.convert.writers import WRITERS
from tlkit.dataset.formats import ImageRecord, ReaderOptions, Rejected
from tlkit.dataset.formats.dataset_dir import Collection, of_dataset, of_source
from tlkit.dataset.inspection.cache import open_image_cache
from tlkit.dataset.inspection.image_info import ImageInfo
from tlkit.dataset.inspection.run import survey
from tlkit.dataset.manifest import INFO, write_table
from tlkit.dataset.output.write import check_place
from tlkit.dataset.records import IGNORED, in_natural_order, natural_key
from tlkit.dataset.sources.archive import archive_kind
from tlkit.dataset.sources.open import DRAWINGS, LOST, NAMES, RECORD, REJECTED
from tlkit.dataset.splitting.examples import Labeling, label
from tlkit.errors import TlkitError, UsageError, unknown_name
from tlkit.files import replaced_directory
from tlkit.imaging import safe_read as contents
from tlkit.imaging.safe_read import Unusable
from tlkit.progress import Progress, Silent, track

IMAGES = ("copy", "none")
SILENT = Silent()


def convert(
    src: Path | str,
    out: Path | str,
    *,
    to: str,
    source: str = "auto",
    images: str = "copy",
    attribute: str | None = None,
    allow_outside: bool = False,
    workers: int | None = None,
    overwrite: bool = False,
    progress: Progress = SILENT,
) -> Converted:
    """Write annotated images in another format; they stay as and where they are.

    Coordinates are those of the upright image, turned by its EXIF tag.

    Args:
        src: What prepare takes, or a data set directory that it wrote: then its
            images, with its split.
        out: The folder to make, outside of `src`.
        to: The format, one of writers.WRITERS.
        source: "auto", or how the images are annotated, one of sources.FORMATS.
        images: "copy", or "none" for annotations alone.
        attribute: For VIA, the attribute that is the label.
        allow_outside: Read what links and annotations name outside of `src`.
        workers: Processes that read images, 0 for none; one a processor where it is
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
    _check_options(to, source, images)
    src, place = _check_place(Path(src), Path(out), overwrite=overwrite)
    reading = ReaderOptions(attribute=attribute, allow_outside=allow_outside)
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
            if images == "copy":
                rejected += _copy(made, found.root, draft, to, progress)
        converted = _written(draft, place, to, made, found.classes, rejected)
        _warn(made, converted, progress)
        converted.write(draft, src)
    return converted


def _check_options(to: str, source: str, images: str) -> None:
    known = ("auto", *sources.FORMATS)
    for what, name, names in (
        ("format to write (to)", to, WRITERS),
        ("source", source, known),
        ("way with images", images, IMAGES),
    ):
        if name not in names:
            error = unknown_name(what, name, names)
            raise error


def _check_place(src: Path, out: Path, *, overwrite: bool) -> tuple[Path, Path]:
    root, place = check_place(src, out)
    whole = archive_kind(root) or root.name.lower().endswith(DRAWINGS)
    if root.is_file() and not whole:
        # Among the images beside an annotation file, copies would be mixed up with
        # them the next time.
        check_place(src.parent, out)
    _check_apart(root, place, src)
    if overwrite:
        check_own(place)
    return root, place


def _check_apart(root: Path, place: Path, src: Path) -> None:
    if place == root or place in root.parents:
        raise UsageError(
            f"The images of {src} lie within {place}, which would be replaced.",
            hint="Choose another --out.",
        )


def _sheets(
    found: Collection, workers: int | None, progress: Progress
) -> tuple[Sheets, list[Rejected]]:
    paths = in_natural_order({record.path for record in found.records})
    with open_image_cache(found.origin or found.root) as image_cache:
        read, rejected = survey(
            found.root, paths, image_cache, workers=workers, progress=progress
        )
    rejected += found.rejected
    info: dict[str, ImageInfo] = {}
    for fact in read:
        if found.digests.get(fact.path, fact.sha256) != fact.sha256:
            rejected.append(_changed(fact.path))
        else:
            info[fact.path] = fact
    if found.origin and (line := unclear_orientation(found.records, info)):
        progress.warn(line)
    records = []
    for record in found.records:
        if record.path in info:
            turned = orient_record(record, info[record.path])
            if isinstance(turned, ImageRecord):
                records.append(turned)
            else:
                rejected.append(turned)
    made = make_sheets(records, info)
    drawn = zip(made.sheets, made.info, strict=True)
    if number := sum(f.orientation != 1 for s, f in drawn if s.record.objects):
        progress.note(
            f"{number} images are turned by their EXIF tag. Coordinates are those of "
            "the upright image: read them with a program that turns it, too."
        )
    return made, rejected + made.rejected


def _changed(path: str) -> Rejected:
    return Rejected(path, "changed", "It is not the image it was before.")


def _copy(
    made: Sheets, root: Path, draft: Path, to: str, progress: Progress
) -> list[Rejected]:
    """Copy the images; sheets of those that have gone meanwhile are taken out."""
    rejected = []
    kept = []
    both = list(zip(made.sheets, made.info, strict=True))
    for sheet, fact in track(both, progress, "Copying images", len(both)):
        try:
            data = contents.read_bytes(root / fact.path)
        except Unusable as error:
            rejected.append(Rejected(fact.path, error.reason, error.detail))
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
    rejected: list[Rejected],
) -> Converted:
    """Write the annotations, and say what was written."""
    labels = _labels(made, classes)
    writer = WRITERS[to]
    losses = writer.write(draft, made.sheets, labels)
    names = {sheet.name for sheet in made.sheets}
    losses += [loss for loss in made.losses if loss.name in names]
    losses.sort(key=lambda loss: (natural_key(loss.name), loss.obj))
    ordered = sorted(set(rejected), key=lambda r: (natural_key(r.file), r.detail))
    counts = Counter(t.label for s in made.sheets for t in s.record.objects)
    return Converted(
        directory=place,
        format=to,
        images=len(made.sheets),
        objects={label: counts[label] for label in labels},
        names={s.record.path: writer.place(s) for s in made.sheets},
        label_by=_label_by(made, to),
        task=writer.task(made.sheets) if writer.task else "",
        losses=tuple(losses),
        rejected=tuple(ordered),
    )


def _labels(made: Sheets, classes: Sequence[str]) -> list[str]:
    told = {label for sheet in made.sheets for label in sheet.record.labels}
    borne = {obj.label for sheet in made.sheets for obj in sheet.record.objects}
    others = (told - set(IGNORED)) | borne
    labels = [*dict.fromkeys(classes), *in_natural_order(others - set(classes))]
    # Those that nothing should learn come last: so the others count from the first on.
    return sorted(labels, key=IGNORED.__contains__)


def _label_by(made: Sheets, to: str) -> str:
    """What leads to classes, as prepare itself would decide."""
    known = {fact.path: fact for fact in made.info}
    records = [sheet.record for sheet in made.sheets]
    for way in ("shapes", *(["image"] if WRITERS[to].labels else [])):
        candidates, _ = label(records, known, Labeling(way))
        if len({name for each in candidates for name in each.labels}) > 1:
            return way
    return ""


def _warn(made: Sheets, converted: Converted, progress: Progress) -> None:
    to = converted.format
    number = sum(bool(sheet.record.labels) for sheet in made.sheets)
    if number and not any(converted.objects.values()) and to != "labelme":
        keeps = "only tlkit reads them there" if WRITERS[to].labels else "left out"
        progress.warn(
            f"Nothing is drawn on any image, and {to} has no place for labels of "
            f"whole images, as {number} have: {keeps}. --to labelme keeps them."
        )
    if number := sum(loss.field == lost.IGNORED for loss in converted.losses):
        progress.warn(
            f"{number} object(s) are marked to be ignored ({', '.join(IGNORED)}), for "
            f"which {to} has no word: what trains on this learns them as any other. "
            "lost.csv lists them; take them out before."
        )


@dataclass(frozen=True)
class Converted:
    """What was written.

    Attributes:
        directory: Where.
        format: One of writers.WRITERS.
        images: How many.
        objects: How many of each class, those that nothing bears included.
        names: Under which name each image is written, by its file in the source; both
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
    images: int
    objects: Mapping[str, int]
    names: Mapping[str, str] = field(repr=False)
    label_by: str
    task: str
    losses: tuple[Loss, ...] = field(repr=False)
    rejected: tuple[Rejected, ...] = field(repr=False)

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
    """Refuse to replace what convert did not write."""
    if not (place / RECORD).is_file():
        return
    if foreign := in_natural_order(_files(place) - _written_by(place)):
        raise UsageError(
            f"{place} holds files that convert did not write: "
            f"{', '.join(foreign[:5])}. It is left alone.",
            hint="Move them away, or choose another --out.",
        )


def _written_by(place: Path) -> set[str]:
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
