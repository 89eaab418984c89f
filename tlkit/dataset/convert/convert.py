"""Annotated images written in another program's format; nothing is guessed."""

from __future__ import annotations

import hashlib
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from tlkit.dataset.annotations.orient import orient_records, unclear_orientation
from tlkit.dataset.convert.converted import Converted, check_own
from tlkit.dataset.convert.dropped import IGNORED_FIELD
from tlkit.dataset.convert.inputs import AnnotatedImages, read_dataset, read_source
from tlkit.dataset.convert.records import DroppedField, OutputImage, make_images
from tlkit.dataset.convert.writers import WRITERS
from tlkit.dataset.dataset_files import INFO
from tlkit.dataset.formats import FORMATS
from tlkit.dataset.inspection.cache import open_image_cache
from tlkit.dataset.inspection.run import inspect_images
from tlkit.dataset.output.write import check_place
from tlkit.dataset.records import (
    IGNORED,
    ImageInfo,
    Rejected,
    in_natural_order,
    natural_key,
)
from tlkit.dataset.sources.archive import archive_kind
from tlkit.dataset.sources.open import DRAWINGS, RECORD, ReaderOptions
from tlkit.dataset.splitting.examples import Labeling, label
from tlkit.errors import TlkitError, UsageError, unknown_name
from tlkit.files import replaced_directory
from tlkit.imaging.safe_read import Unusable, read_bytes
from tlkit.progress import SILENT, Progress, track

IMAGES = ("copy", "none")


def convert(
    source: Path | str,
    out: Path | str,
    *,
    to: str,
    format: str = "auto",
    images: str = "copy",
    attribute: str | None = None,
    separator: str | None = None,
    columns: Mapping[str, str] | None = None,
    limit: int | None = None,
    allow_outside: bool = False,
    workers: int | None = None,
    overwrite: bool = False,
    progress: Progress = SILENT,
) -> Converted:
    """Write annotated images in another format; they stay as and where they are.

    Coordinates are pixels of the image oriented by its EXIF tag.

    Args:
        source: What prepare takes, or a data set directory that it wrote: then its
            images, with its split.
        out: The folder to make, outside of `source`.
        to: The format to write: "labelme", "coco", "yolo" or "voc".
        format: How the images are annotated, one of formats.FORMATS, or "auto".
        images: "copy", or "none" for annotations alone.
        attribute: For VIA, the attribute that is the label.
        separator: For tables, what stands between several labels.
        columns: For tables, the columns that are "path", "label", "split" or "group".
        limit: Of generated images, at most so many per class.
        allow_outside: Read what links and annotations name outside of `source`.
        workers: Processes that read images, 0 for none; None for one per processor
            where there is enough to read.
        overwrite: Replace an earlier converted folder.
        progress: Where to report.

    Returns:
        What was written, and what was dropped.

    Raises:
        DatasetError: The source cannot be used; nothing was written.
        UsageError: An invalid option, or a place that must not be written to.

    Example:
        convert("photos", "coco", to="coco")
    """
    _check_names(to, format, images)
    root, place = _check_places(Path(source), Path(out), overwrite=overwrite)
    options = ReaderOptions(
        attribute=attribute,
        separator=separator,
        columns=tuple(sorted((columns or {}).items())),
        limit=limit,
        allow_outside=allow_outside,
    )
    with replaced_directory(
        place, marker=RECORD, overwrite=overwrite, what="folder that convert made"
    ) as draft:
        # Images in an archive, or drawn, are needed only until they are copied.
        with tempfile.TemporaryDirectory(prefix=".", dir=draft) as unpacked:
            if (root / INFO).is_file():
                found = read_dataset(root)
                _check_apart(found.root, place, root)
            else:
                made = Path(unpacked)
                found = read_source(root, format, options, made, workers, progress)
            info, rejected = _inspect(found, workers, progress)
            _report_orientation(found, info, progress)
            known = [record for record in found.records if record.path in info]
            records, unfit = orient_records(known, info, ())
            written, dropped, unusable = make_images(records, info)
            rejected += [*unfit, *unusable]
            if images == "copy":
                written, gone = _copy(written, info, found.root, draft, to, progress)
                rejected += gone
        labels = _labels(written, found.classes)
        names = {image.name for image in written}
        dropped = [each for each in dropped if each.file in names]
        dropped += WRITERS[to].write(draft, written, labels)
        label_by = _label_by(written, info, to)
        converted = _summary(place, to, written, labels, label_by, dropped, rejected)
        _warn(written, converted, progress)
        converted.write(draft, root)
    return converted


def _summary(
    place: Path,
    to: str,
    images: Sequence[OutputImage],
    labels: Sequence[str],
    label_by: str,
    dropped: Sequence[DroppedField],
    rejected: Sequence[Rejected],
) -> Converted:
    writer = WRITERS[to]
    counts = Counter(obj.label for image in images for obj in image.record.objects)
    return Converted(
        directory=place,
        format=to,
        images=len(images),
        objects={name: counts[name] for name in labels},
        names={image.record.path: writer.image_path(image) for image in images},
        label_by=label_by,
        task=writer.task(images),
        dropped=tuple(sorted(dropped, key=lambda d: (natural_key(d.file), d.obj))),
        rejected=tuple(
            sorted(set(rejected), key=lambda r: (natural_key(r.file), r.detail))
        ),
    )


def _check_names(to: str, format: str, images: str) -> None:
    for what, name, names in (
        ("format to write (to)", to, tuple(WRITERS)),
        ("format", format, ("auto", *FORMATS)),
        ("value of images", images, IMAGES),
    ):
        if name not in names:
            error = unknown_name(what, name, names)
            raise error


def _check_places(source: Path, out: Path, *, overwrite: bool) -> tuple[Path, Path]:
    root, place = check_place(source, out)
    alone = archive_kind(root) or root.name.lower().endswith(DRAWINGS)
    if root.is_file() and not alone:
        # Copies next to the images of an annotation file would be taken for these
        # the next time.
        check_place(source.parent, out)
    _check_apart(root, place, source)
    if overwrite:
        check_own(place)
    return root, place


def _check_apart(root: Path, place: Path, source: Path) -> None:
    if place == root or place in root.parents:
        raise UsageError(
            f"The images of {source} lie within {place}, which would be replaced.",
            hint="Choose another --out.",
        )


def _inspect(
    found: AnnotatedImages, workers: int | None, progress: Progress
) -> tuple[dict[str, ImageInfo], list[Rejected]]:
    paths = in_natural_order({record.path for record in found.records})
    with open_image_cache(found.origin or found.root) as image_cache:
        images, rejected = inspect_images(
            found.root, paths, image_cache, workers=workers, progress=progress
        )
    rejected += found.rejected
    info = {}
    for image in images:
        if found.checksums.get(image.path, image.sha256) != image.sha256:
            rejected.append(_changed(image.path))
        else:
            info[image.path] = image
    return info, rejected


def _changed(path: str) -> Rejected:
    return Rejected(path, "changed", "It is not the image it was before.")


def _report_orientation(
    found: AnnotatedImages, info: Mapping[str, ImageInfo], progress: Progress
) -> None:
    # Records of a data set are oriented already; only a source has an origin.
    if found.origin and (line := unclear_orientation(found.records, info)):
        progress.warn(line)
    annotated = {record.path for record in found.records if record.objects}
    oriented = sum(info[p].orientation != 1 for p in annotated & info.keys())
    if oriented:
        progress.note(
            f"{oriented} image(s) are rotated or flipped by their EXIF tag. "
            "Coordinates are those of the oriented image: read them with a program "
            "that applies the tag."
        )


def _copy(
    images: Sequence[OutputImage],
    info: Mapping[str, ImageInfo],
    root: Path,
    draft: Path,
    to: str,
    progress: Progress,
) -> tuple[list[OutputImage], list[Rejected]]:
    """Copy the images; return those copied, and those gone or changed meanwhile."""
    copied, rejected = [], []
    for image in track(images, progress, "Copying images", len(images)):
        path = image.record.path
        try:
            data = read_bytes(root / path)
        except Unusable as error:
            rejected.append(Rejected(path, error.reason, error.detail))
            continue
        if hashlib.sha256(data).hexdigest() != info[path].sha256:
            rejected.append(_changed(path))
            continue
        copied.append(image)
        target = draft / WRITERS[to].image_path(image)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
        except OSError as error:
            message = f"{target} cannot be written: {error.strerror}."
            raise TlkitError(message) from error
    return copied, rejected


def _labels(images: Sequence[OutputImage], classes: Sequence[str]) -> list[str]:
    """Return all classes: those that are listed, then the others, marks last."""
    of_images = {name for image in images for name in image.record.labels}
    of_objects = {obj.label for image in images for obj in image.record.objects}
    others = (of_images - set(IGNORED)) | of_objects
    labels = [*dict.fromkeys(classes), *in_natural_order(others - set(classes))]
    # Classes that nothing should learn come last, so that the others count from 0 on.
    return sorted(labels, key=IGNORED.__contains__)


def _label_by(
    images: Sequence[OutputImage], info: Mapping[str, ImageInfo], to: str
) -> str:
    """Return what leads to two classes or more, as prepare itself would decide."""
    records = [image.record for image in images]
    for way in ("shapes", *(["image"] if WRITERS[to].image_labels else [])):
        examples, _ = label(records, info, Labeling(way))
        if len({name for example in examples for name in example.labels}) > 1:
            return way
    return ""


def _warn(
    images: Sequence[OutputImage], converted: Converted, progress: Progress
) -> None:
    to = converted.format
    number = sum(bool(image.record.labels) for image in images)
    if number and not any(converted.objects.values()) and to != "labelme":
        kept = WRITERS[to].image_labels
        fate = "only tlkit reads them there" if kept else "left out"
        progress.warn(
            f"Nothing is drawn on any image, and {to} has no place for labels of "
            f"whole images, as {number} have: {fate}. --to labelme keeps them."
        )
    if number := sum(field.field == IGNORED_FIELD for field in converted.dropped):
        progress.warn(
            f"{number} object(s) are marked to be ignored ({', '.join(IGNORED)}), "
            f"which {to} cannot express: what trains on this learns them as any other. "
            "dropped_fields.csv lists them; remove them before."
        )
