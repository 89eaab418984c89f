"""What became of each file in, those that were left out unsaid, or an error, out.

Nothing is dropped unlisted, no class vanishes with its copies, and fewer than two
classes are explained by what was rejected.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from tlkit.dataset import formats as sources
from tlkit.dataset.duplicates.resolve import DedupResult
from tlkit.dataset.formats import ImageRecord, ParsedSource, Rejected
from tlkit.dataset.records import in_natural_order, natural_key
from tlkit.dataset.splitting.examples import Candidate, Labeling
from tlkit.errors import DatasetError


def accounted(
    parsed: ParsedSource, outcome: DedupResult, rejected: Iterable[Rejected]
) -> list[Rejected]:
    """Account for every file."""
    known = [*rejected, *outcome.rejected]
    known += unaccounted(parsed, outcome, known)
    return sorted(set(known), key=lambda r: (natural_key(r.file), r.detail))


def unaccounted(
    parsed: ParsedSource, outcome: DedupResult, rejected: Iterable[Rejected]
) -> list[Rejected]:
    """Find what neither serves nor was refused."""
    reasons: dict[str, Rejected] = {}
    for rejection in rejected:
        reasons.setdefault(rejection.file, rejection)
    used = {c.path for c, _ in outcome.kept} | parsed.annotation_files
    used |= {c.annotation for c, _ in outcome.kept}
    lines = []
    for file in parsed.files:
        if file in used or file in reasons:
            continue
        named_by = parsed.annotation_of.get(file, "")
        why = reasons.get(named_by)
        if why is not None:
            lines.append(Rejected(file, why.reason, inherited(why)))
        elif named_by:
            detail = f"{named_by} holds a copy of the image inside, which is used."
            lines.append(Rejected(file, "embedded-copy", detail))
        else:
            lines.append(Rejected(file, "unlabeled", "No annotation leads to it."))
    return lines


def inherited(why: Rejected) -> str:
    """What is said of an image because of its annotation."""
    return f"Its annotation {why.file}: {why.detail}"


def check_labels(
    place: Path,
    kind: str,
    parsed: ParsedSource,
    outcome: DedupResult,
    rejected: Sequence[Rejected],
    how: Labeling,
) -> None:
    """Refuse fewer than two classes."""
    labels = in_natural_order({label for c, _ in outcome.kept for label in c.labels})
    if len(labels) > 1:
        return
    found = f"only one, {labels[0]!r}" if labels else "none"
    lines = [f"{place}: expected images of two classes or more, found {found}."]
    counts = Counter(r.reason for r in rejected).most_common()
    # Files that nothing leads to follow from the faults of the annotations.
    for reason, number in sorted(counts, key=lambda each: each[0] == "unlabeled"):
        example = next(r for r in rejected if r.reason == reason)
        lines.append(
            f"  {number} rejected as {reason}, as {example.file}: {example.detail}"
        )
    several = {r.file for r in rejected if r.reason == "several-labels"}
    hint = sources.FORMATS[kind].hint
    if kind == "folders":
        hint = _hint_for_folders(place, labels)
    elif not hint:
        # A file about many images is named where one shape has several labels.
        whole = bool(several - parsed.annotation_files)
        hint = _hint_for_several(parsed.records, how, whole=whole) if several else ""
        hint = hint or _hint_for_annotations(parsed.records, how)
    raise DatasetError("\n".join(lines), hint=hint)


def check_lost(candidates: Iterable[Candidate], outcome: DedupResult) -> None:
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
        f"Nothing would be left of {', '.join(lost)}: all of its images stand under "
        "another label as well, or on another side.\n" + "\n".join(lines[:10]),
        hint="Correct the labels, take the class out, or keep such images "
        "(--keep-conflicts).",
    )


def _hint_for_several(
    records: Iterable[ImageRecord], how: Labeling, *, whole: bool
) -> str:
    """What to do where images (whole) or shapes have several labels."""
    if how.label_by == "shapes" or not whole:
        return (
            "Each shape has one label: leave one, or name another attribute "
            "(--attribute)."
        )
    drawn = any(record.objects for record in records)
    crops = ", --label-by shapes makes a crop of each shape" if drawn else ""
    return f"Images have several labels: --multi-label keeps them{crops}."


def _hint_for_annotations(records: Iterable[ImageRecord], how: Labeling) -> str:
    """What to do where too few labels were found."""
    own = objects = 0
    for record in records:
        own += bool(record.labels)
        objects += len(record.objects)
    if how.label_by == "shapes":
        if own:
            return f"{own} image(s) have a label of their own: --label-by image."
        return "Draw shapes, or label whole images and say --label-by image."
    if own and objects:
        return f"{objects} shape(s) are drawn on images: --label-by shapes."
    return "Label the images, or draw shapes and say --label-by shapes."


def _hint_for_folders(root: Path, labels: Sequence[str]) -> str:
    if labels and (root / labels[0]).is_dir():
        inner = [entry.name for entry in (root / labels[0]).iterdir() if entry.is_dir()]
        if len(inner) > 1:
            return f"Are the classes in {root / labels[0]}?"
    return "Put the photos of each class into a folder of its name."
