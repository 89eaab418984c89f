"""A folder of photos in, a data set directory out.

sources -> facts -> labelling -> duplicates -> copies -> split -> manifest
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from tlkit.dataset import groups, labelling, sources, split
from tlkit.dataset.copies import Outcome, decide
from tlkit.dataset.corrections import apply
from tlkit.dataset.duplicates import find
from tlkit.dataset.facts import Facts
from tlkit.dataset.labelling import MIN_SIZE, Candidate, Labelling, upright_page
from tlkit.dataset.ledger import open_ledger
from tlkit.dataset.manifest import INFO, Manifest
from tlkit.dataset.output import PICTURES, Prepared, check_place, write
from tlkit.dataset.previous import read_previous, settle
from tlkit.dataset.report import write_report
from tlkit.dataset.review import review
from tlkit.dataset.similar import ABOVE, Features, find_similar
from tlkit.dataset.sources import Page, Reading, Rejection, Scan, Source
from tlkit.dataset.sources.page import in_natural_order, natural_key
from tlkit.dataset.sources.table.frame import placed
from tlkit.dataset.survey import survey
from tlkit.dataset.turned import find_turned
from tlkit.errors import DatasetError, UsageError, unknown_name
from tlkit.files import replaced_directory
from tlkit.progress import Progress, Silent

if TYPE_CHECKING:
    import pandas

VAL = 0.15
TEST = 0.15
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
    group_by: str | None = None
    keep_conflicts: bool = False
    near: bool = True
    turned: bool = False
    similar: str = ""
    similar_above: float = ABOVE
    corrections: str | None = None

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
        if self.reading.limit is not None and self.reading.limit < 1:
            raise UsageError(f"limit is at least 1. Received: {self.reading.limit}.")
        if workers is not None and workers < 0:
            raise UsageError(f"workers is at least 0. Received: {workers}.")


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
    """Check, deduplicate and split labelled photos; they stay as and where they are.

    Args:
        src: A folder of photos, an annotation file beside them, a zip or tar of
            these, a file of drawings, or a DataFrame of paths and labels.
        out: The data set directory to make, outside of the folder of photos.
        root: For a DataFrame, the folder that its paths start from; the working
            directory unless given.
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
        group_by: Pictures to keep on one side: "folder", "burst", a column, or a
            regular expression, see `groups`.
        keep_conflicts: Keep pictures that stand under two labels.
        near: Look for near copies, too.
        turned: Look for near copies that are turned by quarters or mirrored, too.
        similar: Look for pictures that show nearly the same, too, by such features,
            as `tlkit.embedder` has them; 20,000 pictures at most.
        similar_above: Cosine of the features of two such pictures, at least.
        corrections: A work folder of `annotate`, to take in what was changed there.
        workers: Processes that read pictures, 0 for none; one a processor where it is
            None and there is enough to read.
        overwrite: Draw the split anew where `out` is an earlier data set; otherwise all
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
        frame, src = placed(src, root, options.reading)
    named, place = check_place(Path(src), Path(out))
    with replaced_directory(
        place, marker=INFO, overwrite=True, what="data set directory"
    ) as draft:
        opened = sources.open_source(
            named,
            reading=options.reading,
            workers=workers,
            progress=progress,
            frame=frame,
            made=draft / PICTURES,
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
    kind = _recognise(source, options)
    scan = sources.read(source, kind)
    progress.note(scan.note)
    for line in scan.warnings:
        progress.warn(line)
    how = labelling.settled(scan.pages, options.labelling)
    if options.corrections is not None:
        scan = apply(scan, Path(options.corrections), how, progress)
    fractions = _fractions(source.place, scan.pages, options)
    options = dataclasses.replace(
        options,
        labelling=how,
        val=fractions.get("val"),
        test=fractions.get("test"),
    )
    previous = earlier and read_previous(
        earlier, source.place, dataclasses.asdict(options)
    )
    root = scan.root or source.root
    paths = in_natural_order({page.path for page in scan.pages})
    near = options.near and len(paths) > 1
    with open_ledger(source.place) as ledger:
        facts, unreadable = survey(
            root,
            paths,
            ledger,
            workers=workers,
            progress=progress,
        )
        progress.start("Looking for copies")
        pairs = find(facts, ledger if near else None)
        if near and options.turned:
            pairs += find_turned(facts, pairs, ledger)
    if similar:
        above = options.similar_above
        pairs += find_similar(root, facts, pairs, features=similar, above=above)
    known = {fact.path: fact for fact in facts}
    pages, unfit = _readable(scan.pages, known, unreadable)
    pages = _grouped(pages, facts, options, progress)
    candidates, unlabelled = labelling.label(pages, known, how)
    if previous:
        candidates, new = settle(candidates, previous, list(fractions))
        progress.note(
            f"{new} of {len(candidates)} examples are of new pictures, the others keep "
            "their side."
        )
    outcome = decide(candidates, facts, pairs, keep_conflicts=options.keep_conflicts)
    rejected = [*scan.rejected, *unreadable, *unfit, *unlabelled, *outcome.rejected]
    rejected += _unaccounted(scan, outcome, rejected)
    rejected = sorted(set(rejected), key=lambda r: (natural_key(r.file), r.detail))
    _check_labels(source.place, kind, scan, outcome, rejected, how)
    _check_lost(candidates, outcome)
    prepared = Prepared(
        root=root,
        origin=source.place,
        kind=kind,
        options=options,
        scan=scan,
        pages=pages,
        facts=facts,
        outcome=outcome,
        sides=_sides(outcome, fractions, options.seed),
        rejected=rejected,
    )
    review(prepared, progress)
    return prepared


def _grouped(
    pages: Sequence[Page],
    facts: Sequence[Facts],
    options: Options,
    progress: Progress,
) -> list[Page]:
    if options.group_by is None:
        return list(pages)
    found, alone = groups.groups(options.group_by, pages, facts)
    number = len(set(found.values()))
    progress.note(f"{len(found)} pictures in {number} groups by {options.group_by}.")
    if alone:
        progress.warn(
            f"{len(alone)} pictures have no group by {options.group_by}, as "
            f"{alone[0]}; each is one of its own."
        )
    return [replace(page, group=found.get(page.path, "")) for page in pages]


def _name_of(similar: Features | None) -> str:
    # for dataset.json
    name = getattr(similar, "name", None) or getattr(similar, "__name__", "features")
    return str(name) if similar else ""


def _recognise(source: Source, options: Options) -> str:
    by = options.labelling.label_by
    kind = options.source
    if source.frame is not None:
        kind = "csv"
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
    root: Path,
    kind: str,
    scan: Scan,
    outcome: Outcome,
    rejected: Sequence[Rejection],
    how: Labelling,
) -> None:
    labels = in_natural_order({label for c, _ in outcome.kept for label in c.labels})
    if len(labels) > 1:
        return
    found = f"only one, {labels[0]!r}" if labels else "none"
    lines = [f"{root}: expected pictures of two classes or more, found {found}."]
    for reason, number in Counter(r.reason for r in rejected).most_common():
        example = next(r for r in rejected if r.reason == reason)
        lines.append(
            f"  {number} rejected as {reason}, as {example.file}: {example.detail}"
        )
    several = any(rejection.reason == "several-labels" for rejection in rejected)
    hint = sources.SOURCES[kind].hint
    if kind == "folders":
        hint = _hint_for_folders(root, labels)
    elif not hint:
        hint = _hint_for_annotations(scan.pages, how, several=several)
    raise DatasetError("\n".join(lines), hint=hint)


def _check_lost(candidates: Iterable[Candidate], outcome: Outcome) -> None:
    """Refuse to let a class vanish because of its copies."""
    kept = {label for c, _ in outcome.kept for label in c.labels}
    asked = {label for candidate in candidates for label in candidate.labels}
    lost = in_natural_order(asked - kept)
    if not lost:
        return
    lines = [
        f"  {copy.file}: {copy.label}, {copy.kind} with {copy.twin}"
        for copy in outcome.copies
        if copy.label in lost
    ]
    raise DatasetError(
        f"Nothing would be left of {', '.join(lost)}: all of its pictures stand under "
        "another label as well, or on another side.\n" + "\n".join(lines[:10]),
        hint="Correct the labels, take the class out, or keep such pictures "
        "(--keep-conflicts).",
    )


def _hint_for_annotations(
    pages: Iterable[Page], how: Labelling, *, several: bool
) -> str:
    """What to do where too few labels were found."""
    own = things = 0
    for page in pages:
        own += bool(page.labels)
        things += len(page.things)
    if several:
        return (
            "Pictures have several labels: --multi-label keeps them, --label-by "
            "shapes makes a crop of each shape."
        )
    if how.label_by == "shapes":
        if own:
            return f"{own} picture(s) have a label of their own: --label-by image."
        return "Draw shapes, or label whole pictures and say --label-by image."
    if own and things:
        return f"{things} shape(s) are drawn on pictures: --label-by shapes."
    return "Label the pictures, or draw shapes and say --label-by shapes."


def _hint_for_folders(root: Path, labels: Sequence[str]) -> str:
    if labels and (root / labels[0]).is_dir():
        inner = [entry.name for entry in (root / labels[0]).iterdir() if entry.is_dir()]
        if len(inner) > 1:
            return f"Are the classes in {root / labels[0]}?"
    return "Put the photos of each class into a folder of its name."


def _sides(outcome: Outcome, fractions: Mapping[str, float], seed: int) -> list[str]:
    # A group has at most one side that was given or drawn before.
    given: dict[str, str] = {}
    settled: dict[str, str] = {}
    for candidate, group in outcome.kept:
        if candidate.earlier:
            settled[group] = candidate.earlier
        elif candidate.split not in {None, "train"}:
            given[group] = candidate.split
    pool = [i for i, (_, group) in enumerate(outcome.kept) if group not in given]
    drawn = split.assign(
        [outcome.kept[i][0].labels for i in pool],
        [outcome.kept[i][1] for i in pool],
        fractions,
        seed,
        settled=settled,
    )
    sides = [given.get(group, "train") for _, group in outcome.kept]
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
