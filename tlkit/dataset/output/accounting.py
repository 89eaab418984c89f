"""The accounting of files: nothing is dropped unlisted, no class vanishes unexplained.

Fewer than two classes are explained by what was rejected.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from tlkit.dataset import formats
from tlkit.dataset.duplicates.resolve import DedupResult
from tlkit.dataset.example import Example
from tlkit.dataset.records import (
    ImageRecord,
    ParsedSource,
    Rejected,
    in_natural_order,
    natural_key,
)
from tlkit.dataset.splitting.examples import Labeling, labels_of
from tlkit.errors import DatasetError


def accounted(
    parsed: ParsedSource, dedup: DedupResult, rejected: Iterable[Rejected]
) -> list[Rejected]:
    """Return a row for each file, or part of it, that is not used."""
    known = [*rejected, *dedup.rejected]
    known += _unaccounted(parsed, dedup.examples, known)
    return sorted(set(known), key=lambda r: (natural_key(r.file), r.detail))


def _unaccounted(
    parsed: ParsedSource, examples: Iterable[Example], rejected: Iterable[Rejected]
) -> Iterator[Rejected]:
    """Reject the files that are neither used nor rejected so far."""
    reasons: dict[str, Rejected] = {}
    for rejection in rejected:
        reasons.setdefault(rejection.file, rejection)
    used = set(parsed.annotation_files)
    for example in examples:
        used |= {example.path, example.annotation}
    for file in parsed.files:
        if file in used or file in reasons:
            continue
        annotation = parsed.annotation_of.get(file, "")
        if (why := reasons.get(annotation)) is not None:
            detail = f"Its annotation {annotation}: {why.detail}"
            yield Rejected(file, why.reason, detail, annotation=annotation)
        elif annotation:
            detail = f"{annotation} holds a copy of the image inside, which is used."
            yield Rejected(file, "embedded-copy", detail)
        else:
            yield Rejected(file, "unlabeled", "No annotation leads to it.")


def check_labels(
    place: Path,
    source_format: str,
    parsed: ParsedSource,
    dedup: DedupResult,
    rejected: Sequence[Rejected],
    how: Labeling,
) -> None:
    """Refuse fewer than two classes."""
    labels = labels_of(dedup.examples)
    if len(labels) > 1:
        return
    found = f"only one, {labels[0]!r}" if labels else "none"
    lines = [f"{place}: expected images of two classes or more, found {found}."]
    counts = Counter(r.reason for r in rejected).most_common()
    # Files that nothing leads to follow from the faults of the annotations.
    for reason, number in sorted(counts, key=lambda each: each[0] == "unlabeled"):
        first = next(r for r in rejected if r.reason == reason)
        lines.append(
            f"  {number} rejected as {reason}, such as {first.file}: {first.detail}"
        )
    several = {r.file for r in rejected if r.reason == "several-labels"}
    hint = formats.FORMATS[source_format].hint
    if source_format == "folders":
        hint = _hint_for_folders(place, labels)
    elif not hint:
        # A file about many images is named where one shape has several labels.
        whole = bool(several - parsed.annotation_files)
        hint = _hint_for_several(parsed.records, how, whole=whole) if several else ""
        hint = hint or _hint_for_annotations(parsed.records, how)
    raise DatasetError("\n".join(lines), hint=hint)


def check_lost(examples: Iterable[Example], dedup: DedupResult) -> None:
    """Refuse to let a class vanish because of its duplicates."""
    lost = in_natural_order({*labels_of(examples)} - {*labels_of(dedup.examples)})
    if not lost:
        return
    lines = [
        f"  {row.file}: {row.label}, {row.kind} with {row.match}"
        for row in dedup.rows
        if row.label in lost
    ]
    raise DatasetError(
        f"Nothing would be left of {', '.join(lost)}: all of its images are also under "
        "another label, or in another split.\n" + "\n".join(lines[:10]),
        hint="Correct the labels, take the class out, or keep such images "
        "(--keep-conflicts).",
    )


def _hint_for_several(
    records: Iterable[ImageRecord], how: Labeling, *, whole: bool
) -> str:
    """Return a hint where images (whole) or shapes have several labels."""
    if how.label_by == "shapes" or not whole:
        return (
            "Each shape has one label: leave one, or name another attribute "
            "(--attribute)."
        )
    drawn = any(record.objects for record in records)
    crops = ", --label-by shapes makes a crop of each shape" if drawn else ""
    return f"Images have several labels: --multi-label keeps them{crops}."


def _hint_for_annotations(records: Iterable[ImageRecord], how: Labeling) -> str:
    """Return a hint where too few labels were found."""
    own = objects = 0
    for record in records:
        own += bool(record.labels)
        objects += len(record.objects)
    if how.label_by == "shapes":
        if own:
            return f"{own} image(s) have a label of their own: --label-by image."
        return "Draw shapes, or label whole images and add --label-by image."
    if own and objects:
        return f"{objects} shape(s) are drawn on images: --label-by shapes."
    return "Label the images, or draw shapes and add --label-by shapes."


def _hint_for_folders(root: Path, labels: Sequence[str]) -> str:
    if labels and (root / labels[0]).is_dir():
        inner = [entry.name for entry in (root / labels[0]).iterdir() if entry.is_dir()]
        if len(inner) > 1:
            return f"Are the classes in {root / labels[0]}?"
    return "Put the photos of each class into a folder of its name."
