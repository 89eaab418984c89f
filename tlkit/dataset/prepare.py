"""A folder of photos in, a data set directory out.

sources -> facts -> duplicates -> copies -> split -> manifest
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tlkit.dataset import sources, split
from tlkit.dataset.copies import Candidate, Outcome, decide
from tlkit.dataset.duplicates import Hasher, find
from tlkit.dataset.facts import Facts, examine
from tlkit.dataset.manifest import INFO, Manifest
from tlkit.dataset.output import Prepared, check_place, write
from tlkit.dataset.review import review
from tlkit.dataset.sources import Annotation, Rejection, Scan
from tlkit.dataset.sources.annotation import Box, in_natural_order, natural_key
from tlkit.dataset.sources.labelme import LABEL_BY
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

    source: str
    label_by: str
    val: float | None
    test: float | None
    seed: int
    keep_conflicts: bool
    near: bool

    def check(self, workers: int | None) -> None:
        """Refuse what cannot be meant, before anything slow starts.

        Args:
            workers: Number of processes, or None.

        Raises:
            UsageError: A wrong name or number.
        """
        known = ("auto", *sources.SOURCES)
        error: UsageError | None = None
        if self.source not in known:
            error = unknown_name("source", self.source, known)
        elif self.label_by not in LABEL_BY:
            error = unknown_name("way to label (label_by)", self.label_by, LABEL_BY)
        if error is not None:
            raise error
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
        if workers is not None and workers < 0:
            raise UsageError(f"workers is at least 0. Received: {workers}.")


def prepare(
    src: Path | str,
    out: Path | str,
    *,
    source: str = "auto",
    label_by: str = "image",
    val: float | None = None,
    test: float | None = None,
    seed: int = 0,
    keep_conflicts: bool = False,
    near: bool = True,
    workers: int | None = None,
    overwrite: bool = False,
    progress: Progress = SILENT,
) -> Manifest:
    """Check, deduplicate and split labelled photos; they stay as and where they are.

    Args:
        src: A folder of photos: class folders, or labelme annotations.
        out: The data set directory to make, outside of `src`.
        source: "auto", "folders" or "labelme".
        label_by: For labelme, "image" for the flags of pictures, "shapes" to make each
            shape an example of its own.
        val: Share of the pictures that chooses the epoch, 0.15 unless the source has
            such a folder or both other ones.
        test: Share that is held back, 0.15 unless the source has a val or test folder.
        seed: Another seed, another split.
        keep_conflicts: Keep pictures that stand under two labels.
        near: Look for near copies, too; takes a few seconds to load.
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
    options = Options(source, label_by, val, test, seed, keep_conflicts, near)
    options.check(workers)
    root, place = check_place(Path(src), Path(out), overwrite=overwrite)
    with replaced_directory(
        place, marker=INFO, overwrite=overwrite, what="data set directory"
    ) as draft:
        prepared = _prepare(root, options, workers, progress)
        write(draft, place, prepared)
    return Manifest.read(place)


def _prepare(
    root: Path, options: Options, workers: int | None, progress: Progress
) -> Prepared:
    kind = _recognise(root, options)
    scan = sources.read(
        root, kind, label_by=options.label_by, workers=workers, progress=progress
    )
    progress.note(scan.note)
    for line in scan.warnings:
        progress.warn(line)
    fractions = _fractions(root, scan.annotations, options)
    paths = in_natural_order({a.path for a in scan.annotations})
    hashing = options.near and len(paths) > 1
    with Hasher() if hashing else contextlib.nullcontext() as hasher:
        facts, unreadable = _examine(root, paths, workers, progress)
        progress.start("Looking for copies")
        pairs = find(facts, hasher)
    candidates, unfit = _candidates(scan.annotations, facts, unreadable)
    outcome = decide(candidates, facts, pairs, keep_conflicts=options.keep_conflicts)
    rejected = [*scan.rejected, *unreadable, *unfit, *outcome.rejected]
    rejected += _unaccounted(scan, outcome, rejected)
    rejected = sorted(set(rejected), key=lambda r: (natural_key(r.file), r.detail))
    _check_labels(root, kind, outcome, rejected, scan)
    sides = _sides(outcome, fractions, options.seed)
    prepared = Prepared(
        root=root,
        kind=kind,
        options=dataclasses.replace(
            options, val=fractions.get("val"), test=fractions.get("test")
        ),
        scan=scan,
        facts=facts,
        outcome=outcome,
        sides=sides,
        rejected=rejected,
    )
    review(prepared, progress)
    return prepared


def _recognise(root: Path, options: Options) -> str:
    kind = options.source
    if kind == "auto":
        kind = sources.detect(root, options.label_by)
    if kind != "labelme" and options.label_by == "shapes":
        raise UsageError(
            "Only labelme annotations have shapes to label by (--label-by shapes); "
            f"{root} is read as class folders.",
            hint="Leave --label-by away, or say --from labelme.",
        )
    return kind


def _fractions(
    root: Path, annotations: Iterable[Annotation], options: Options
) -> dict[str, float]:
    """The shares to draw for val and test, but for a side that the source gives."""
    given = {a.split for a in annotations} - {None}
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


def _candidates(
    annotations: Iterable[Annotation],
    facts: Iterable[Facts],
    unreadable: Iterable[Rejection],
) -> tuple[list[Candidate], list[Rejection]]:
    known = {fact.path: fact for fact in facts}
    faults = {rejection.file: rejection for rejection in unreadable}
    candidates = []
    rejected = []
    for annotation in annotations:
        fact = known.get(annotation.path)
        if fact is None:
            fault = faults[annotation.path]
            detail = f"Its picture {annotation.path}: {fault.detail}"
            if annotation.file != annotation.path:
                rejected.append(Rejection(annotation.file, fault.reason, detail))
        elif annotation.box is None:
            candidates.append(Candidate(annotation, fact, None))
        else:
            box = _clipped(annotation, fact)
            if isinstance(box, Rejection):
                rejected.append(box)
            else:
                candidates.append(Candidate(annotation, fact, box))
    return candidates, rejected


def _clipped(annotation: Annotation, fact: Facts) -> Box | Rejection:
    width, height = fact.width, fact.height
    if annotation.size not in {None, (width, height)}:
        drawn = " x ".join(map(str, annotation.size or ()))
        detail = f"Drawn on {drawn} pixels, the picture has {width} x {height}."
        return Rejection(annotation.file, "size-mismatch", detail)
    x0, y0, x1, y1 = annotation.box or (0, 0, width, height)
    box = max(x0, 0), max(y0, 0), min(x1, width), min(y1, height)
    if box[0] >= box[2] or box[1] >= box[3]:
        detail = f"{annotation.label} at {annotation.box} is outside of the picture."
        return Rejection(annotation.file, "no-area", detail)
    return box


def _unaccounted(
    scan: Scan, outcome: Outcome, rejected: Iterable[Rejection]
) -> list[Rejection]:
    # Nothing is dropped unlisted: what neither serves nor was refused is listed here.
    reasons: dict[str, Rejection] = {}
    for rejection in rejected:
        reasons.setdefault(rejection.file, rejection)
    used = {c.annotation.path for c, _ in outcome.kept}
    used |= {c.annotation.file for c, _ in outcome.kept}
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
    outcome: Outcome,
    rejected: Sequence[Rejection],
    scan: Scan,
) -> None:
    labels = in_natural_order({c.annotation.label for c, _ in outcome.kept})
    if len(labels) > 1:
        return
    found = f"only one, {labels[0]!r}" if labels else "none"
    lines = [f"{root}: expected pictures of two classes or more, found {found}."]
    for reason, number in Counter(r.reason for r in rejected).most_common():
        example = next(r for r in rejected if r.reason == reason)
        lines.append(
            f"  {number} rejected as {reason}, as {example.file}: {example.detail}"
        )
    hint = scan.hint
    if kind == "folders" and labels and (root / labels[0]).is_dir():
        inner = [entry.name for entry in (root / labels[0]).iterdir() if entry.is_dir()]
        hint = f"Are the classes in {root / labels[0]}?" if len(inner) > 1 else hint
    raise DatasetError("\n".join(lines), hint=hint)


def _sides(outcome: Outcome, fractions: Mapping[str, float], seed: int) -> list[str]:
    given = [c.annotation.split for c, _ in outcome.kept]
    pool = [i for i, side in enumerate(given) if side in {None, "train"}]
    drawn = split.assign(
        [outcome.kept[i][0].annotation.label for i in pool],
        [outcome.kept[i][1] for i in pool],
        fractions,
        seed,
    )
    sides = [side or "train" for side in given]
    for i, side in zip(pool, drawn, strict=True):
        sides[i] = side
    labels = [c.annotation.label for c, _ in outcome.kept]
    trained = {
        label for label, side in zip(labels, sides, strict=True) if side == "train"
    }
    if missing := in_natural_order(set(labels) - trained):
        raise DatasetError(
            f"No pictures to train on for {', '.join(missing)}: only val or test has "
            "any.",
            hint="Look for a spelling that differs between the folders, or for copies "
            "that were removed from train.",
        )
    return sides
