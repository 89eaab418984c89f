"""The warnings and remarks of a prepared data set."""

from __future__ import annotations

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterator

from tlkit.dataset.example import SPLITS
from tlkit.dataset.output.write import Prepared
from tlkit.dataset.quality.outliers import find_outliers
from tlkit.dataset.quality.shortcuts import find_shortcuts
from tlkit.dataset.records import Action, Kind, in_natural_order
from tlkit.progress import Progress

FEW_TO_TRAIN = 10
IMBALANCE = 10
MANY_UNREADABLE = 0.2
# A file format is a remark if at most RARE of at least AMONG images have it.
RARE, AMONG = 3, 50


def review(prepared: Prepared, progress: Progress) -> None:
    """Report warnings to act on, and remarks to check."""
    labels: defaultdict[str, set[str]] = defaultdict(set)
    for example in prepared.examples:
        labels[example.path].update(example.labels)
    prepared.findings += find_shortcuts(labels, prepared.info)
    prepared.findings += find_outliers(prepared.examples, prepared.info)
    for line in _warnings(prepared):
        prepared.warnings.append(line)
        progress.warn(line)
    for line in _remarks(prepared):
        prepared.remarks.append(line)
        progress.note(line)


def _warnings(prepared: Prepared) -> Iterator[str]:
    files = defaultdict(set)
    for row in prepared.dedup.rows:
        files[row.kind, row.action].add(row.file)
    for action in (Action.LEFT_OUT, Action.KEPT):
        if images := files[Kind.CONFLICT, action]:
            yield f"{_named(images)}: the same under two labels, {action}."
    if images := files[Kind.LEAK, Action.REMOVED]:
        yield f"{_named(images)}: a duplicate is in another split, removed."
    if images := files[Kind.SIMILAR, Action.LEFT_APART]:
        yield f"{_named(images)}: similar to others across the split, left there."
    duplicates = {r.file for r in prepared.dedup.rejected}
    refused = {r.file for r in prepared.rejected if r.file in prepared.annotated}
    unreadable = refused - duplicates
    if len(unreadable) > MANY_UNREADABLE * len(prepared.annotated):
        yield f"{_named(unreadable)}: cannot be used, out of {len(prepared.annotated)}."
    yield from _class_warnings(prepared)
    yield from (finding.text for finding in prepared.findings if finding.urgent)


def _class_warnings(prepared: Prepared) -> Iterator[str]:
    number = prepared.counts
    present = {e.split for e in prepared.examples}
    for label in prepared.labels:
        missing = [s for s in SPLITS if s in present and not number[label, s]]
        if missing:
            yield f"{label}: no image in {' and '.join(missing)}."
        if number[label, "train"] < FEW_TO_TRAIN:
            yield f"{label}: {number[label, 'train']} image(s) to train on are few."
    sizes = {label: number[label, "train"] for label in prepared.labels}
    least, most = min(sizes, key=sizes.__getitem__), max(sizes, key=sizes.__getitem__)
    if sizes[most] > IMBALANCE * sizes[least]:
        yield (
            f"{most} has {sizes[most]} images to train on, {least} {sizes[least]}: "
            "look at the numbers of each class rather than at the accuracy."
        )
    spellings = defaultdict(list)
    for label in prepared.labels:
        alike = unicodedata.normalize("NFKC", label).casefold().strip()
        spellings[alike].append(label)
    for names_alike in spellings.values():
        if len(names_alike) > 1:
            normalized = {unicodedata.normalize("NFKC", name) for name in names_alike}
            show = repr if len(normalized) == len(names_alike) else ascii
            names = " and ".join(map(show, names_alike))
            yield f"{names} are classes of their own. Check the spelling."


def _remarks(prepared: Prepared) -> Iterator[str]:
    by_format = defaultdict(set)
    for each in prepared.info:
        by_format[each.format].add(each.path)
    if len(prepared.info) >= AMONG:
        for name, images in sorted(by_format.items()):
            if len(images) <= RARE:
                yield f"{_named(images)}: {name}, unlike the others. Check them."
    grouped = [r for r in prepared.dedup.rows if r.action == Action.GROUPED]
    if grouped:
        group_of = {copy.file: copy.group for copy in grouped}
        number = Counter(group_of.values())
        yield (
            f"{len(group_of)} images are duplicates of others or similar, in "
            f"{len(number)} groups; the largest has {max(number.values())}. No group "
            "is divided by the split."
        )
    yield from (finding.text for finding in prepared.findings if not finding.urgent)


def _named(files: set[str]) -> str:
    ordered = in_natural_order(files)
    shown = ", ".join(ordered[:3])
    return f"{len(files)} file(s), {shown}{', ...' if len(files) > 3 else ''}"
