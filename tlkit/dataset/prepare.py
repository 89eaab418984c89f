"""A folder of photos in, a data set directory out.

sources -> survey -> duplicates -> upright -> groups -> labeling -> previous -> copies
-> accounts -> split -> output, report
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tlkit.dataset import formats as sources
from tlkit.dataset.annotate.corrections import Correction, corrected, gathered, kept
from tlkit.dataset.annotations.orient import orient_records, unclear_orientation
from tlkit.dataset.duplicates.find import Pair, find
from tlkit.dataset.duplicates.resolve import decide
from tlkit.dataset.duplicates.rotated import find_turned
from tlkit.dataset.duplicates.similar import ABOVE, Features, find_similar
from tlkit.dataset.formats import ParsedSource, ReaderOptions, Source
from tlkit.dataset.formats.table_cells import place_frame
from tlkit.dataset.inspection.cache import ImageCache, open_image_cache
from tlkit.dataset.inspection.image_info import ImageInfo
from tlkit.dataset.inspection.run import survey
from tlkit.dataset.manifest import INFO, Manifest
from tlkit.dataset.options import Options, fractions
from tlkit.dataset.output.accounting import accounted, check_labels, check_lost
from tlkit.dataset.output.write import IMAGES, Prepared, check_place, write
from tlkit.dataset.quality.messages import review
from tlkit.dataset.records import in_natural_order
from tlkit.dataset.report.report import write_report
from tlkit.dataset.splitting.assign import sides_of
from tlkit.dataset.splitting.examples import MIN_SIZE, Labeling, label, settled
from tlkit.dataset.splitting.groups import grouped
from tlkit.dataset.splitting.keep import read_previous, settle
from tlkit.errors import UsageError
from tlkit.files import replaced_directory
from tlkit.progress import SILENT, Progress

if TYPE_CHECKING:
    import pandas


def prepare(
    src: Path | str | pandas.DataFrame,
    out: Path | str,
    *,
    root: Path | str | None = None,
    source: str = "auto",
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
    turned: bool = False,
    similar: Features | None = None,
    similar_above: float = ABOVE,
    corrections: Path | str | None = None,
    workers: int | None = None,
    overwrite: bool = False,
    progress: Progress = SILENT,
) -> Manifest:
    """Check, deduplicate and split labeled photos; they stay as and where they are.

    Args:
        src: A folder of photos, an annotation file beside them, a zip or tar of
            these, a file of drawings, or a DataFrame of paths and labels.
        out: The data set directory to make, outside of the folder of photos.
        root: For a DataFrame, the folder that its paths start from; the working
            directory unless given.
        source: "auto", or how they are labeled, one of sources.FORMATS.
        label_by: "image" for one example an image, "shapes" to make each shape an
            example of its own; None for images, if any of them has a label.
        multi_label: Keep several labels of an image.
        pad: Margin around a shape on each side, as a share of its longer side.
        min_size: Shapes of fewer pixels across are left out.
        attribute: For VIA, the attribute that is the label.
        separator: For tables, what stands between several labels.
        columns: For tables, the columns that are "path", "label", "split" or "group".
        limit: Of generated images, at most so many a class.
        allow_outside: Read what links and annotations name outside of `src`.
        val: Share of the images that chooses the epoch, 0.15 unless the source has
            such a folder or both other ones.
        test: Share that is held back, 0.15 unless the source has a val or test folder.
        seed: Another seed, another split.
        group_by: Images to keep on one side: "folder", "burst", a column, or a
            regular expression, see `groups`.
        keep_conflicts: Keep images that stand under two labels.
        near: Look for near copies, too.
        turned: Look for near copies that are turned by quarters or mirrored, too.
        similar: Look for images that show nearly the same, too, by such features,
            as `tlkit.embedder` has them; 20,000 images at most.
        similar_above: Cosine of the features of two such images, at least.
        corrections: A work folder of `annotate`, to take in what was changed there.
        workers: Processes that read images, 0 for none; one a processor where it is
            None and there is enough to read.
        overwrite: Draw the split again where `out` is an earlier data set; else all
            that it has keeps its side.
        progress: Where to report.

    Returns:
        The manifest, as read back from the directory.

    Raises:
        DatasetError: The source cannot be used; nothing was written.
        UsageError: A wrong option, or a place that must not be written to.

    Example:
        manifest = prepare("photos", "data", test=0)
    """
    options = Options(
        source=source,
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
        turned=turned,
        similar=_name_of(similar),
        similar_above=similar_above,
        corrections=None if corrections is None else str(Path(corrections).resolve()),
    )
    options.check(workers)
    frame = None
    if not isinstance(src, (str, Path)):
        frame, src = place_frame(src, root, options.reading)
    named, place = check_place(Path(src), Path(out))
    with replaced_directory(
        place, marker=INFO, overwrite=True, what="data set directory"
    ) as draft:
        opened = sources.open_source(
            named,
            options=options.reading,
            workers=workers,
            progress=progress,
            frame=frame,
            made=draft / IMAGES,
            leave={draft, place},
        )
        again = None if overwrite else place
        prepared = _prepare(opened, again, options, similar, workers, progress)
        write(draft, place, prepared)
        write_report(draft, prepared, workers=workers, progress=progress)
    return Manifest.read(place)


def _prepare(
    source: Source,
    earlier: Path | None,
    options: Options,
    similar: Features | None,
    workers: int | None,
    progress: Progress,
) -> Prepared:
    kind, parsed, options, made = _read(source, earlier, options, progress)
    previous = earlier and read_previous(
        earlier, source.place, dataclasses.asdict(options)
    )
    root = parsed.root or source.root
    paths = in_natural_order({record.path for record in parsed.records})
    with open_image_cache(source.place) as image_cache:
        info, unreadable = survey(
            root, paths, image_cache, workers=workers, progress=progress
        )
        pairs = _pairs(root, info, image_cache, options, similar, progress)
    known = {fact.path: fact for fact in info}
    if line := unclear_orientation(parsed.records, known):
        progress.warn(line)
        parsed = dataclasses.replace(parsed, warnings=(*parsed.warnings, line))
    records, unfit = orient_records(parsed.records, known, unreadable)
    records = grouped(records, info, options.group_by, progress)
    candidates, unlabeled = label(records, known, options.labeling)
    shares = {s: v for s in ("val", "test") if (v := getattr(options, s)) is not None}
    if previous:
        candidates = settle(candidates, previous, list(shares), progress)
    outcome = decide(candidates, info, pairs, keep_conflicts=options.keep_conflicts)
    rejected = accounted(
        parsed, outcome, [*parsed.rejected, *unreadable, *unfit, *unlabeled]
    )
    check_labels(source.place, kind, parsed, outcome, rejected, options.labeling)
    check_lost(candidates, outcome)
    prepared = Prepared(
        root=root,
        origin=source.place,
        kind=kind,
        options=options,
        parsed=parsed,
        records=records,
        info=info,
        outcome=outcome,
        sides=sides_of(outcome.kept, shares, options.seed),
        rejected=rejected,
        corrections=made,
    )
    review(prepared, progress)
    return prepared


def _read(
    source: Source, earlier: Path | None, options: Options, progress: Progress
) -> tuple[str, ParsedSource, Options, dict[str, Correction]]:
    # what kind of source it is, what it says, all that was left open, decided, and
    # what was corrected
    kind = _recognize(source, options)
    parsed = sources.read(source, kind)
    progress.note(parsed.note)
    for line in parsed.warnings:
        progress.warn(line)
    how = settled(parsed.records, options.labeling)
    before = kept(earlier) if earlier else {}
    place = Path(options.corrections) if options.corrections else None
    made, lines = gathered(parsed, before, place, progress)
    parsed = corrected(parsed, made, how) if made else parsed
    parsed = dataclasses.replace(parsed, warnings=(*parsed.warnings, *lines))
    shares = fractions(source.place, parsed.records, options)
    decided = dataclasses.replace(
        options, labeling=how, val=shares.get("val"), test=shares.get("test")
    )
    return kind, parsed, decided, made


def _pairs(
    root: Path,
    info: Sequence[ImageInfo],
    image_cache: ImageCache,
    options: Options,
    similar: Features | None,
    progress: Progress,
) -> list[Pair]:
    progress.start("Looking for copies")
    pairs = find(info, image_cache if options.near else None)
    if options.turned:
        pairs += find_turned(info, pairs, image_cache)
    if similar:
        above = options.similar_above
        pairs += find_similar(root, info, pairs, features=similar, above=above)
    return pairs


def _name_of(similar: Features | None) -> str:
    # for dataset.json
    name = getattr(similar, "name", None) or getattr(similar, "__name__", "features")
    return str(name) if similar else ""


def _recognize(source: Source, options: Options) -> str:
    by = options.labeling.label_by
    kind = options.source
    if source.frame is not None:
        kind = "csv"
    if kind == "auto":
        kind = sources.detect(source, by)
    if kind == "folders" and (by == "shapes" or options.labeling.multi_label):
        raise UsageError(
            "Class folders give each image one label, and no shapes "
            f"(--label-by shapes, --multi-label); {source.place} is read as these.",
            hint="Leave it away, or say by --from how the photos are annotated.",
        )
    return kind
