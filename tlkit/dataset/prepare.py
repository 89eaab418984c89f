"""The preparation of a data set: labeled photos are checked, deduplicated and split."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from tlkit.dataset import formats
from tlkit.dataset.annotate.corrections import (
    Correction,
    apply,
    gather,
    recorded_corrections,
    write_corrections,
)
from tlkit.dataset.annotations.orient import orient_records, unclear_orientation
from tlkit.dataset.dataset_files import INFO
from tlkit.dataset.duplicates.find import find_duplicates
from tlkit.dataset.duplicates.pairs import Pair
from tlkit.dataset.duplicates.resolve import resolve
from tlkit.dataset.duplicates.similar import MIN_COSINE, Features
from tlkit.dataset.formats.table_cells import place_frame
from tlkit.dataset.inspection.cache import open_image_cache
from tlkit.dataset.inspection.run import inspect_images
from tlkit.dataset.manifest import Manifest
from tlkit.dataset.options import Options, fractions
from tlkit.dataset.output.accounting import accounted, check_labels, check_lost
from tlkit.dataset.output.write import IMAGES, Prepared, check_place, write
from tlkit.dataset.quality.messages import review
from tlkit.dataset.records import ImageInfo, ParsedSource, Rejected, in_natural_order
from tlkit.dataset.report.report import write_report
from tlkit.dataset.sources.open import ReaderOptions, Source, open_source
from tlkit.dataset.splitting.assign import split_examples
from tlkit.dataset.splitting.examples import (
    MIN_SIZE,
    Labeling,
    choose_label_by,
    label,
)
from tlkit.dataset.splitting.groups import grouped
from tlkit.dataset.splitting.keep import keep_split, read_existing_split
from tlkit.errors import UsageError
from tlkit.files import replaced_directory
from tlkit.progress import SILENT, Progress

if TYPE_CHECKING:
    import pandas


def prepare(
    source: Path | str | pandas.DataFrame,
    out: Path | str,
    *,
    root: Path | str | None = None,
    format: str = "auto",
    label_by: str | None = None,
    multi_label: bool = False,
    pad: float = 0.0,
    min_size: int = MIN_SIZE,
    attribute: str | None = None,
    separator: str | None = None,
    columns: Mapping[str, str] | None = None,
    limit: int | None = None,
    allow_outside: bool = False,
    val: float | None = None,
    test: float | None = None,
    seed: int = 0,
    group_by: str | None = None,
    keep_conflicts: bool = False,
    near: bool = True,
    rotated: bool = False,
    similar: Features | None = None,
    similar_above: float = MIN_COSINE,
    corrections: Path | str | None = None,
    workers: int | None = None,
    overwrite: bool = False,
    progress: Progress = SILENT,
) -> Manifest:
    """Check, deduplicate and split labeled photos; they stay as and where they are.

    Args:
        source: A folder of photos, an annotation file next to them, a zip or tar of
            these, a file of drawings, or a DataFrame of paths and labels.
        out: The data set directory to make, outside of the folder of photos.
        root: For a DataFrame, the folder that its paths start from; the working
            directory unless given.
        format: "auto", or how the photos are labeled, one of formats.FORMATS.
        label_by: "image" for one example per image, "shapes" to make each shape an
            example of its own; None for images, if any of them has a label.
        multi_label: Keep several labels of an image.
        pad: Margin around a shape at each edge, as a share of its longer side.
        min_size: Shapes of fewer pixels across are left out.
        attribute: For VIA, the attribute that is the label.
        separator: For tables, what stands between several labels.
        columns: For tables, the columns that are "path", "label", "split" or "group".
        limit: Of generated images, at most so many per class.
        allow_outside: Read what links and annotations name outside of `source`.
        val: Share of the images that the epoch is selected on, 0.15 unless the source
            has such a folder or both other ones.
        test: Share that is held back, 0.15 unless the source has a val or test folder.
        seed: Another seed, another split.
        group_by: Images to keep in one split: "folder", "burst", a column, or a
            regular expression, see `groups`.
        keep_conflicts: Keep images that are under two labels.
        near: Look for near-duplicates, too.
        rotated: Look for near-duplicates that are rotated by quarters or flipped, too.
        similar: Look for images that show nearly the same, too, by such features,
            for example those of `tlkit.embedder`; 20,000 images at most.
        similar_above: Least cosine of the features of two such images.
        corrections: An annotation folder of `annotate`, to take in what was changed
            there.
        workers: Processes that read images, 0 for none; one per processor where it is
            None and there is enough to read.
        overwrite: Draw the split again where `out` is an existing data set; else all
            that it has keeps its split.
        progress: Where to report.

    Returns:
        The manifest, as read back from the directory.

    Raises:
        DatasetError: The source cannot be used; nothing was written.
        UsageError: An invalid option, or a place that must not be written to.

    Example:
        manifest = prepare("photos", "data", test=0)
    """
    options = Options(
        format=format,
        labeling=Labeling(label_by, multi_label, pad, min_size),
        reading=ReaderOptions(
            attribute=attribute,
            separator=separator,
            columns=tuple(sorted((columns or {}).items())),
            limit=limit,
            allow_outside=allow_outside,
        ),
        val=val,
        test=test,
        seed=seed,
        group_by=group_by,
        keep_conflicts=keep_conflicts,
        near=near,
        rotated=rotated,
        similar_above=similar_above,
        corrections=None if corrections is None else str(Path(corrections).resolve()),
        **_described(similar),
    )
    options.check(workers)
    frame = None
    if not isinstance(source, (str, Path)):
        frame, source = place_frame(source, root, options.reading)
    named, place = check_place(Path(source), Path(out))
    with replaced_directory(
        place, marker=INFO, overwrite=True, what="data set directory"
    ) as draft:
        opened = open_source(
            named,
            options=options.reading,
            workers=workers,
            progress=progress,
            frame=frame,
            made=draft / IMAGES,
            leave={draft, place},
        )
        existing = None if overwrite else place
        source_format, parsed, options, made = _read(opened, existing, options)
        prepared = _prepare(opened, existing, source_format, parsed, options, similar)
        review(prepared, progress)
        write(draft, place, prepared)
        write_corrections(draft, made)
        write_report(draft, prepared, workers=workers, progress=progress)
    return Manifest.read(place)


def _prepare(
    source: Source,
    existing: Path | None,
    source_format: str,
    parsed: ParsedSource,
    options: Options,
    similar: Features | None,
) -> Prepared:
    """Inspect, label, deduplicate and split what was read."""
    split = existing and read_existing_split(
        existing, source.place, dataclasses.asdict(options)
    )
    images, unreadable, pairs = _inspect(source, parsed, options, similar)
    info = {image.path: image for image in images}
    if line := unclear_orientation(parsed.records, info):
        source.progress.warn(line)
        parsed = dataclasses.replace(parsed, warnings=(*parsed.warnings, line))
    records, unfit = orient_records(parsed.records, info, unreadable)
    records = grouped(records, images, options.group_by, source.progress)
    examples, unlabeled = label(records, info, options.labeling)
    if split:
        examples = keep_split(examples, split, options.shares, source.progress)
    dedup = resolve(examples, images, pairs, keep_conflicts=options.keep_conflicts)
    rejected = accounted(
        parsed, dedup, [*parsed.rejected, *unreadable, *unfit, *unlabeled]
    )
    check_labels(source.place, source_format, parsed, dedup, rejected, options.labeling)
    check_lost(examples, dedup)
    examples = split_examples(dedup.examples, options.shares, options.seed)
    return Prepared(
        root=parsed.root or source.root,
        origin=source.place,
        format=source_format,
        options=options,
        parsed=parsed,
        records=records,
        info=images,
        dedup=dedup,
        examples=sorted(examples, key=lambda example: example.key),
        rejected=rejected,
    )


def _read(
    source: Source, existing: Path | None, options: Options
) -> tuple[str, ParsedSource, Options, dict[str, Correction]]:
    """Recognize and parse the source, take corrections in, decide what is open."""
    source_format = _recognize(source, options)
    parsed = formats.read(source, source_format)
    source.progress.note(parsed.note)
    for line in parsed.warnings:
        source.progress.warn(line)
    how = choose_label_by(parsed.records, options.labeling)
    before = recorded_corrections(existing) if existing else {}
    place = Path(options.corrections) if options.corrections else None
    made, lines = gather(parsed, before, place, source.progress)
    parsed = apply(parsed, made, how) if made else parsed
    parsed = dataclasses.replace(parsed, warnings=(*parsed.warnings, *lines))
    shares = fractions(source.place, parsed.records, options)
    options = dataclasses.replace(
        options, labeling=how, val=shares.get("val"), test=shares.get("test")
    )
    return source_format, parsed, options, made


def _inspect(
    source: Source, parsed: ParsedSource, options: Options, similar: Features | None
) -> tuple[list[ImageInfo], list[Rejected], list[Pair]]:
    """Read the images and look for duplicates among them."""
    root = parsed.root or source.root
    paths = in_natural_order({record.path for record in parsed.records})
    with open_image_cache(source.place) as image_cache:
        images, unreadable = inspect_images(
            root, paths, image_cache, workers=source.workers, progress=source.progress
        )
        source.progress.start("Looking for duplicates")
        pairs = find_duplicates(
            root,
            images,
            image_cache,
            near=options.near,
            rotated=options.rotated,
            similar=similar,
            similar_above=options.similar_above,
        )
    return images, unreadable, pairs


def _described(similar: Features | None) -> dict[str, str]:
    """Return what the features are of, for dataset.json and the rerun command."""
    if similar is None:
        return {}
    name = getattr(similar, "name", None) or getattr(similar, "__name__", "features")
    return {
        "similar": str(name),
        "similar_backbone": getattr(similar, "backbone", ""),
        "similar_weights": getattr(similar, "weights", ""),
    }


def _recognize(source: Source, options: Options) -> str:
    """Return the format of a source."""
    by = options.labeling.label_by
    found = options.format
    if source.frame is not None:
        found = "csv"
    if found == "auto":
        found = formats.detect(source, by)
    if found == "folders" and (by == "shapes" or options.labeling.multi_label):
        raise UsageError(
            "Class folders give each image one label, and no shapes "
            f"(--label-by shapes, --multi-label); {source.place} is read as these.",
            hint="Remove the option, or name the annotation format with --from.",
        )
    return found
