"""A folder of photos in, a data set directory out.

sources -> facts -> labelling -> duplicates -> copies -> split -> manifest
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tlkit.dataset import labelling, sources, split
from tlkit.dataset.copies import Outcome, decide
from tlkit.dataset.duplicates import find
from tlkit.dataset.facts import Facts, examine
from tlkit.dataset.hashing import Hasher
from tlkit.dataset.labelling import MIN_SIZE, Labelling, upright_page
from tlkit.dataset.manifest import INFO, Manifest
from tlkit.dataset.output import Prepared, check_place, write
from tlkit.dataset.review import review
from tlkit.dataset.similar import ABOVE, Features, find_similar
from tlkit.dataset.sources import Page, Reading, Rejection, Scan, Source
from tlkit.dataset.sources.page import in_natural_order, natural_key
from tlkit.dataset.turned import find_turned
from tlkit.errors import DatasetError, UsageError, unknown_name
from tlkit.files import replaced_directory
from tlkit.progress import Progress, Silent, track
from tlkit.workers import in_order

VAL = 0.15
TEST = 0.15
# Fewer pictures are read sooner than processes are started.
FEW = 32
SILENT = Silent()


@dataclass(frozen=True)
class Options:
    """What was asked for, as `prepare` takes it."""

    source: str = "auto"
    labelling: Labelling = field(default_factory=Labelling)
    reading: Reading = field(default_factory=Reading)
    val: float | None = None
    test: float | None = None
    seed: int = 0
    keep_conflicts: bool = False
    near: bool = True
    turned: bool = False
    similar: str = ""
    similar_above: float = ABOVE

    def check(self, workers: int | None) -> None:
        """Refuse what cannot be meant, before anything slow starts.

        Args:
            workers: Number of processes, or None.

        Raises:
            UsageError: A wrong name or number.
        """
        known = ("auto", *sources.SOURCES)
        if self.source not in known:
            error = unknown_name("source", self.source, known)
            raise error
        self.labelling.check()
        for side, share in (("val", self.val), ("test", self.test)):
            if share is not None and not 0 <= share < 1:
                raise UsageError(
                    f"{side} is a share of the pictures, at least 0 and below 1. "
                    f"Received: {share}."
                )
        val = VAL if self.val is None else self.val
        test = TEST if self.test is None else self.test
        if val + test >= 1:
            raise UsageError(
                f"val and test leave nothing for train: {val} + {test} is not below 1."
            )
        if self.seed < 0:
            raise UsageError(f"seed is at least 0. Received: {self.seed}.")
        if self.turned and not self.near:
            raise UsageError(
                "Turned copies are near copies: --turned and --no-near exclude each "
                "other."
            )
        if not 0 < self.similar_above <= 1:
            raise UsageError(
                "similar_above is a cosine above 0, 1 at most. Received: "
                f"{self.similar_above}."
            )
        if workers is not None and workers < 0:
            raise UsageError(f"workers is at least 0. Received: {workers}.")


def prepare(
    src: Path | str,
    out: Path | str,
    *,
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
    keep_conflicts: bool = False,
    near: bool = True,
    turned: bool = False,
    similar: Features | None = None,
    similar_above: float = ABOVE,
    workers: int | None = None,
    overwrite: bool = False,
    progress: Progress = SILENT,
) -> Manifest:
    """Check, deduplicate and split labelled photos; they stay as and where they are.

    Args:
        src: A folder of photos, or an annotation file beside them.
        out: The data set directory to make, outside of `src`.
        source: "auto", or how they are labelled, one of sources.SOURCES.
        label_by: "image" for one example a picture, "shapes" to make each shape an
            example of its own; None for pictures, if any of them has a label.
        multi_label: Keep several labels of a picture.
        pad: Margin around a shape on each side, as a share of its longer side.
        min_size: Shapes of fewer pixels across are left out.
        attribute: For VIA, the attribute that is the label.
        separator: For tables, what stands between several labels.
        columns: For tables, the columns that are "path", "label", "split" or "group".
        limit: Of generated pictures, at most so many a class.
        allow_outside: Read what links and annotations name outside of `src`.
        val: Share of the pictures that chooses the epoch, 0.15 unless the source has
            such a folder or both other ones.
        test: Share that is held back, 0.15 unless the source has a val or test folder.
        seed: Another seed, another split.
        keep_conflicts: Keep pictures that stand under two labels.
        near: Look for near copies, too; takes a few seconds to load.
        turned: Look for near copies that are turned by quarters or mirrored, too.
        similar: Look for pictures that show nearly the same, too, by such features,
            as `tlkit.embedder` has them; 20,000 pictures at most.
        similar_above: Cosine of the features of two such pictures, at least.
        workers: Processes that read pictures, 0 for none; one a processor where it is
            None and there is enough to read.
        overwrite: Replace an earlier data set directory.
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
        labelling=Labelling(label_by, multi_label, pad, min_size),
        reading=Reading(
            attribute=attribute,
            separator=separator,
            columns=tuple(sorted((columns or {}).items())),
            limit=limit,
            allow_outside=allow_outside,
        ),
        val=val,
        test=test,
        seed=seed,
        keep_conflicts=keep_conflicts,
        near=near,
        turned=turned,
        similar=_name_of(similar),
        similar_above=similar_above,
    )
    options.check(workers)
    root, place = check_place(Path(src), Path(out), overwrite=overwrite)
    with replaced_directory(
        place, marker=INFO, overwrite=overwrite, what="data set directory"
    ) as draft:
        prepared = _prepare(root, options, similar, workers, progress)
        write(draft, place, prepared)
    return Manifest.read(place)


def _prepare(
    root: Path,
    options: Options,
    similar: Features | None,
    workers: int | None,
    progress: Progress,
) -> Prepared:
    source = sources.open_source(
        root, reading=options.reading, workers=workers, progress=progress
    )
    kind = _recognise(source, options)
    scan = sources.read(source, kind)
    progress.note(scan.note)
    for line in scan.warnings:
        progress.warn(line)
    how = labelling.settled(scan.pages, options.labelling)
    fractions = _fractions(source.root, scan.pages, options)
    paths = in_natural_order({page.path for page in scan.pages})
    hashing = (options.near or similar is not None) and len(paths) > 1
    with Hasher() if hashing else contextlib.nullcontext() as hasher:
        facts, unreadable = _examine(source.root, paths, workers, progress)
        progress.start("Looking for copies")
        pairs = find(facts, hasher if options.near else None)
        if hasher and options.turned:
            pairs += find_turned(facts, pairs, hasher)
        if hasher and similar:
            above = options.similar_above
            pairs += find_similar(
                source.root, facts, pairs, hasher, features=similar, above=above
            )
    known = {fact.path: fact for fact in facts}
    pages, unfit = _readable(scan.pages, known, unreadable)
    candidates, unlabelled = labelling.label(pages, known, how)
    outcome = decide(candidates, facts, pairs, keep_conflicts=options.keep_conflicts)
    rejected = [*scan.rejected, *unreadable, *unfit, *unlabelled, *outcome.rejected]
    rejected += _unaccounted(scan, outcome, rejected)
    rejected = sorted(set(rejected), key=lambda r: (natural_key(r.file), r.detail))
    _check_labels(source, kind, outcome, rejected, how)
    prepared = Prepared(
        root=source.root,
        kind=kind,
        options=dataclasses.replace(
            options,
            labelling=how,
            val=fractions.get("val"),
            test=fractions.get("test"),
        ),
        scan=dataclasses.replace(scan, pages=tuple(pages)),
        facts=facts,
        outcome=outcome,
        sides=_sides(outcome, fractions, options.seed),
        rejected=rejected,
    )
    review(prepared, progress)
    return prepared


def _name_of(similar: Features | None) -> str:
    # for dataset.json
    name = getattr(similar, "name", None) or getattr(similar, "__name__", "features")
    return str(name) if similar else ""


def _recognise(source: Source, options: Options) -> str:
    by = options.labelling.label_by
    kind = options.source
    if kind == "auto":
        kind = sources.detect(source, by)
    if kind == "folders" and (by == "shapes" or options.labelling.multi_label):
        raise UsageError(
            "Class folders give each picture one label, and no shapes "
            f"(--label-by shapes, --multi-label); {source.place} is read as these.",
            hint="Leave it away, or say by --from how the photos are annotated.",
        )
    return kind


def _fractions(root: Path, pages: Iterable[Page], options: Options) -> dict[str, float]:
    """The shares to draw for val and test, but for a side that the source gives."""
    given = {page.split for page in pages} - {None}
    for side, share in (("val", options.val), ("test", options.test)):
        if share is not None and side in given:
            raise UsageError(
                f"{root} has a {side} folder of its own, so no share can be given.",
                hint=f"Leave --{side} away, or merge the folder into train.",
            )
    if given and "train" not in given:
        sides = " and ".join(sorted(map(str, given)))
        raise DatasetError(f"{root} holds {sides}, but no train folder.")
    usual = {"val": VAL, "test": 0.0 if "val" in given else TEST}
    asked = {"val": options.val, "test": options.test}
    return {
        side: usual[side] if share is None else share
        for side, share in asked.items()
        if side not in given
    }


def _examine(
    root: Path, paths: Sequence[str], workers: int | None, progress: Progress
) -> tuple[list[Facts], list[Rejection]]:
    if workers is None and len(paths) < FEW:
        workers = 0
    results = in_order(functools.partial(examine, root), paths, workers=workers)
    facts: list[Facts] = []
    unreadable: list[Rejection] = []
    for result in track(results, progress, "Reading pictures", len(paths)):
        if isinstance(result, Facts):
            facts.append(result)
        else:
            unreadable.append(result)
    return facts, unreadable


def _readable(
    pages: Iterable[Page],
    known: Mapping[str, Facts],
    unreadable: Iterable[Rejection],
) -> tuple[list[Page], list[Rejection]]:
    """The pages of pictures that could be read, upright."""
    faults = {rejection.file: rejection for rejection in unreadable}
    readable: list[Page] = []
    rejected = []
    for page in pages:
        if page.path in known:
            turned = upright_page(page, known[page.path])
            if isinstance(turned, Page):
                readable.append(turned)
            else:
                rejected.append(turned)
        elif page.shown != page.path:
            fault = faults[page.path]
            detail = f"Its picture {page.path}: {fault.detail}"
            rejected.append(Rejection(page.shown, fault.reason, detail))
    return readable, rejected


def _unaccounted(
    scan: Scan, outcome: Outcome, rejected: Iterable[Rejection]
) -> list[Rejection]:
    # Nothing is dropped unlisted: what neither serves nor was refused is listed here.
    reasons: dict[str, Rejection] = {}
    for rejection in rejected:
        reasons.setdefault(rejection.file, rejection)
    used = {c.path for c, _ in outcome.kept} | scan.consumed
    used |= {c.annotation for c, _ in outcome.kept}
    lines = []
    for file in scan.files:
        if file in used or file in reasons:
            continue
        named_by = scan.named.get(file, "")
        why = reasons.get(named_by)
        if why is not None:
            detail = f"Its annotation {named_by}: {why.detail}"
            lines.append(Rejection(file, why.reason, detail))
        elif named_by:
            detail = f"{named_by} holds a copy of the picture inside, which is used."
            lines.append(Rejection(file, "embedded-copy", detail))
        else:
            lines.append(Rejection(file, "unlabelled", "No annotation leads to it."))
    return lines


def _check_labels(
    source: Source,
    kind: str,
    outcome: Outcome,
    rejected: Sequence[Rejection],
    how: Labelling,
) -> None:
    labels = in_natural_order({label for c, _ in outcome.kept for label in c.labels})
    if len(labels) > 1:
        return
    root = source.place
    found = f"only one, {labels[0]!r}" if labels else "none"
    lines = [f"{root}: expected pictures of two classes or more, found {found}."]
    for reason, number in Counter(r.reason for r in rejected).most_common():
        example = next(r for r in rejected if r.reason == reason)
        lines.append(
            f"  {number} rejected as {reason}, as {example.file}: {example.detail}"
        )
    raise DatasetError("\n".join(lines), hint=_hint(root, kind, labels, rejected, how))


def _hint(
    root: Path,
    kind: str,
    labels: Sequence[str],
    rejected: Iterable[Rejection],
    how: Labelling,
) -> str:
    """What to do where too few labels were found."""
    reasons = {rejection.reason for rejection in rejected}
    if kind != "folders":
        if "several-labels" in reasons:
            return (
                "Pictures have several labels: --multi-label keeps them, --label-by "
                "shapes makes a crop of each shape."
            )
        if how.label_by == "shapes":
            return "Draw shapes, or label whole pictures and say --label-by image."
        return "Label the pictures, or draw shapes and say --label-by shapes."
    if labels and (root / labels[0]).is_dir():
        inner = [entry.name for entry in (root / labels[0]).iterdir() if entry.is_dir()]
        if len(inner) > 1:
            return f"Are the classes in {root / labels[0]}?"
    return "Put the photos of each class into a folder of its name."


def _sides(outcome: Outcome, fractions: Mapping[str, float], seed: int) -> list[str]:
    given = [c.split for c, _ in outcome.kept]
    pool = [i for i, side in enumerate(given) if side in {None, "train"}]
    drawn = split.assign(
        [outcome.kept[i][0].labels for i in pool],
        [outcome.kept[i][1] for i in pool],
        fractions,
        seed,
    )
    sides = [side or "train" for side in given]
    for i, side in zip(pool, drawn, strict=True):
        sides[i] = side
    labels = {label for c, _ in outcome.kept for label in c.labels}
    kept = zip(outcome.kept, sides, strict=True)
    trained = {n for (c, _), side in kept if side == "train" for n in c.labels}
    if missing := in_natural_order(labels - trained):
        raise DatasetError(
            f"No pictures to train on for {', '.join(missing)}: only val or test has "
            "any.",
            hint="Look for a spelling that differs between the folders, or for copies "
            "that were removed from train.",
        )
    return sides
