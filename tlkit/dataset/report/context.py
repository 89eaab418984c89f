"""The content of the report's sections, for its template."""

from __future__ import annotations

import dataclasses
import itertools
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from tlkit.dataset.example import SPLITS, Example
from tlkit.dataset.output.write import Prepared
from tlkit.dataset.quality.outliers import size_of
from tlkit.dataset.records import Action, DuplicateRow, Kind, Rejected, natural_key
from tlkit.reports.html import histogram, number, spread
from tlkit.reports.thumbnails import PageImages

PURPOSES = {
    "train": "to train on",
    "val": "to select on",
    "test": "held back for the test",
}
CHECKSUM_DIGITS = 12
# Options that the header shows in words.
IN_WORDS = {
    "format",
    "similar_backbone",
    "similar_weights",
    "label_by",
    "val",
    "test",
    "seed",
}
MOST_WARNINGS, MOST_CLASSES = 200, 200
# Images of a class, and of all: with more than 20 classes each has fewer.
EACH, ALL, LEAST = 24, 480, 4
# With more classes their images are folded up, but for the first few.
OPEN, FIRST = 12, 4
OUTLIERS = {
    "dark": "Very dark",
    "bright": "Very bright or washed out",
    "flat": "Almost one plain gray",
    "blurred": "Blurred",
    "tiny": "Too small to show much",
    "narrow": "More than four times as long as wide",
}
MOST_OUTLIERS = 12
# The gravest first: a group is shown as the gravest kind in it.
DUPLICATES: dict[str, str] = {
    Kind.CONFLICT: "The same image under two labels",
    Kind.LEAK: "A duplicate in another split",
    Kind.EXACT: "Exact duplicates",
    Kind.NEAR: "Near-duplicates",
    Kind.ROTATED: "Rotated or flipped duplicates",
    Kind.SIMILAR: "Similar images",
}
MOST_GROUPS, MOST_IMAGES = 40, 6
# The reason codes of rejected.csv in words, where they are not plain by themselves.
REASONS = {
    "duplicate": "A duplicate of an image that is used",
    "conflict": "The same image under two labels",
    "leak": "A duplicate is in another split",
    "truncated": "Cut off",
    "not-an-image": "No image",
    "no-label": "Without a label",
    "unlabeled": "No annotation leads to it",
    "several-labels": "Several labels, where one is asked for",
    "ignored": "Marked to be ignored",
    "crowd": "Stands for a crowd of objects",
    "no-shape": "Nothing is drawn on it",
    "no-area": "Shapes without area",
    "too-small": "Shapes that are too small",
    "size-mismatch": "Drawn on an image of another size",
    "embedded-copy": "The annotation holds the image itself",
    "no-class-folder": "Not in the folder of a class",
    "too-many-pixels": "Too many pixels",
    "not-a-file": "No ordinary file",
    "no-permission": "No permission to read it",
    "broken-json": "No JSON",
}
# Their images are in the section of duplicates.
SHOWN_AS_DUPLICATES = {"duplicate", "conflict", "leak"}
MOST_ROWS, ROWS_EACH, MOST_REASONS_WITH_IMAGES, FEW = 200, 50, 10, 12
LENGTHS = (32, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048, 3072, 4096)
LENGTH_NAMES = (
    "below 32",
    *(f"{a} to {b - 1}" for a, b in itertools.pairwise(LENGTHS)),
    "4096 and more",
)
RATIOS = (1 / 4, 1 / 2, 2 / 3, 4 / 5, 5 / 4, 3 / 2, 2, 4)
RATIO_NAMES = (
    "below 1:4",
    "1:4 to 1:2",
    "1:2 to 2:3",
    "2:3 to 4:5",
    "about 1:1",
    "5:4 to 3:2",
    "3:2 to 2:1",
    "2:1 to 4:1",
    "4:1 and more",
)


def header(prepared: Prepared, version: str) -> dict[str, Any]:
    """Summarize source, counts, options and split."""
    labeling, examples = prepared.options.labeling, prepared.examples
    what = "crop" if labeling.label_by == "shapes" else "image"
    counts = [(sum(e.split == split for e in examples), split) for split in SPLITS]
    duplicates = len(prepared.dedup.rejected)
    return {
        "name": prepared.root.name or str(prepared.root),
        "lede": f"{number(len(examples), what)} of {len(prepared.labels):,} classes: "
        + ", ".join(f"{count:,} {PURPOSES[split]}" for count, split in counts if count),
        "numbers": (
            (len(examples), f"{what}s used", "classes"),
            (
                len(prepared.warnings) + len(prepared.parsed.warnings),
                *("warnings", "warnings"),
            ),
            (len(prepared.remarks), "remarks", "warnings"),
            (duplicates, "duplicates left out", "duplicates"),
            (len(prepared.rejected) - duplicates, "other rejections", "rejected"),
        ),
        "source": str(prepared.root),
        "facts": (
            ("Read as", f"{prepared.format}, labels by {labeling.label_by}"),
            ("Options", ", ".join(_options(prepared.options)) or "defaults"),
            ("Split", _split(prepared.options)),
            ("Checksum", prepared.checksum[:CHECKSUM_DIGITS]),
            ("Made by", f"tlkit {version}"),
        ),
    }


def _split(options: Any) -> str:
    parts = []
    for split, share in (("val", options.val), ("test", options.test)):
        if share is None:
            parts.append(f"{split} as in the source")
        elif share:
            parts.append(f"{split} drawn, {share:.0%} with seed {options.seed}")
    return "; ".join(parts) or "train only"


def _options(options: Any) -> Iterator[str]:
    """Write the options that are not defaults as on the command line."""
    defaults = type(options)()
    for column in dataclasses.fields(options):
        value, default = getattr(options, column.name), getattr(defaults, column.name)
        option = column.name.replace("_", "-")
        if dataclasses.is_dataclass(value):
            yield from _options(value)
        elif value == default or column.name in IN_WORDS:
            continue
        elif isinstance(value, bool):
            yield f"--{option}" if value else f"--no-{option}"
        elif isinstance(value, tuple):
            for each in value:
                text = "=".join(each) if isinstance(each, tuple) else each
                yield f"--{option.removesuffix('s')} {text}"
        else:
            yield f"--{option} {value}"


def warnings(prepared: Prepared) -> dict[str, Any]:
    """List warnings and remarks; those with outliers link to them."""
    anchors = {f.text: f"outliers-{f.kind}" for f in prepared.findings if f.outliers}
    lines = [("warning", line) for line in prepared.parsed.warnings]
    lines += [("warning", line) for line in prepared.warnings]
    lines += [("remark", line) for line in prepared.remarks]
    return {
        "rows": [(kind, t, anchors.get(t)) for kind, t in lines[:MOST_WARNINGS]],
        "hidden": max(len(lines) - MOST_WARNINGS, 0),
    }


def classes(prepared: Prepared) -> dict[str, Any]:
    """Count the images of each class in each split."""
    splits = [s for s in SPLITS if any(e.split == s for e in prepared.examples)]
    rows = {
        label: [prepared.counts[label, split] for split in splits]
        for label in prepared.labels
    }
    totals = [sum(e.split == split for e in prepared.examples) for split in splits]
    return {
        "splits": splits,
        "rows": list(rows.items())[:MOST_CLASSES],
        "most": max(map(sum, rows.values())),
        "totals": [*totals, len(prepared.examples)],
        "hidden": max(len(rows) - MOST_CLASSES, 0),
        "multi_label": prepared.options.labeling.multi_label,
    }


def examples(prepared: Prepared, thumbnails: PageImages) -> dict[str, Any]:
    """Choose some images of each class."""
    by_label: dict[str, list[Example]] = defaultdict(list)
    for example in prepared.examples:
        for label in example.labels:
            by_label[label].append(example)
    total = len(prepared.labels)
    each = max(LEAST, min(EACH, ALL // total))
    shown = prepared.labels[: ALL // each]
    return {
        "each": each,
        "hidden": total - len(shown),
        "classes": [
            {
                "label": label,
                "open": total <= OPEN or i < FIRST,
                "count": _count(by_label[label], each),
                "tiles": [
                    _example(label, example, thumbnails)
                    for example in spread(by_label[label], each)
                ],
            }
            for i, label in enumerate(shown)
        ],
    }


def _count(examples: Sequence[Example], each: int) -> str:
    of = number(len(examples), "crop" if examples[0].box else "image")
    return of if len(examples) <= each else f"{each} of {of}"


def _example(label: str, example: Example, thumbnails: PageImages) -> dict[str, Any]:
    lines = []
    if example.label != label:
        lines.append(", ".join(example.labels))
    if example.box:
        lines.append("{} x {}".format(*size_of(example)))
    alt = f"{example.label}, {example.split}: {example.path}"
    return {
        "image": thumbnails.add(example.path, example.box, alt),
        "path": example.path,
        "badge": example.split if example.split != "train" else None,
        "lines": lines,
    }


def outliers(prepared: Prepared, thumbnails: PageImages) -> list[dict[str, Any]] | None:
    """Choose the most extreme outliers of each kind."""
    kinds = [
        {
            "kind": finding.kind,
            "title": OUTLIERS[finding.kind],
            "hidden": max(len(finding.outliers) - MOST_OUTLIERS, 0),
            "tiles": [
                {
                    "image": thumbnails.add(o.path, o.box, f"{o.path}: {o.detail}"),
                    "path": o.path,
                    "detail": o.detail,
                }
                for o in finding.outliers[:MOST_OUTLIERS]
            ],
        }
        for finding in prepared.findings
        if finding.outliers
    ]
    return kinds or None


def duplicates(prepared: Prepared, thumbnails: PageImages) -> dict[str, Any]:
    """Choose groups of duplicates, the gravest first."""
    groups: dict[str, list[DuplicateRow]] = defaultdict(list)
    for row in prepared.duplicates:
        groups[row.group].append(row)
    order = list(DUPLICATES)
    ordered = sorted(
        groups.values(),
        key=lambda group: (
            order.index(_kind(group)),
            min(natural_key(row.file) for row in group),
        ),
    )
    readable = {each.path for each in prepared.info}
    return {
        "total": len(ordered),
        "near": prepared.options.near,
        "hidden": max(len(ordered) - MOST_GROUPS, 0),
        "groups": [
            _group(group, readable, thumbnails) for group in ordered[:MOST_GROUPS]
        ],
    }


def _kind(group: Sequence[DuplicateRow]) -> str:
    kinds = {row.kind for row in group}
    return next(kind for kind in DUPLICATES if kind in kinds)


def _group(
    group: Sequence[DuplicateRow], readable: set[str], thumbnails: PageImages
) -> dict[str, Any]:
    files: dict[str, list[DuplicateRow]] = defaultdict(list)
    for row in group:
        files[row.file].append(row)
    tiles = []
    for file, rows in list(files.items())[:MOST_IMAGES]:
        actions = list(dict.fromkeys(action(row) for row in rows))
        alt = f"{file}: {', '.join(actions)}"
        tiles.append(
            {
                "image": thumbnails.add(file, None, alt) if file in readable else None,
                "path": file,
                "labels": list(dict.fromkeys(r.label for r in rows if r.label)),
                "actions": actions,
            }
        )
    kind = _kind(group)
    return {
        "kind": kind,
        "title": DUPLICATES[kind],
        "total": len(files),
        "hidden": len(files) - len(tiles),
        "tiles": tiles,
    }


def action(row: DuplicateRow) -> str:
    """Describe what was done about a duplicate, and how alike it is."""
    done = str(row.action)
    if row.kind == Kind.LEAK:
        removed = f"removed from {row.split}" if row.split else "removed, as new"
        kept = f"kept in {row.split}" if row.split else "kept"
        done = removed if row.action == Action.REMOVED else kept
    if row.transform:
        done = f"{row.transform}, {done}"
    if row.kind == Kind.SIMILAR:
        apart = f" from {row.match}" if row.action == Action.LEFT_APART else ""
        return f"{done}{apart}, cosine {1 - (row.distance or 0):.2f}"
    if row.kind in {Kind.NEAR, Kind.ROTATED} and row.distance:
        bits = "bit" if row.distance == 1 else "bits"
        return f"{done}, {row.distance} {bits} of 64 apart"
    return done


def rejected(prepared: Prepared, thumbnails: PageImages) -> list[dict[str, Any]]:
    """Group the rejected files by reason, the most frequent first."""
    reasons: dict[str, list[Rejected]] = defaultdict(list)
    for row in prepared.rejected:
        reasons[row.reason].append(row)
    images = {each.path: each.path for each in prepared.info}
    for record in prepared.parsed.records:
        if record.path in images:
            images.setdefault(record.file, record.path)
    left = MOST_ROWS
    parts = []
    ordered = sorted(reasons.items(), key=lambda pair: (-len(pair[1]), pair[0]))
    for i, (reason, rows) in enumerate(ordered):
        shown = rows[: min(left, ROWS_EACH)]
        left -= len(shown)
        files: dict[str, str] = {}
        if i < MOST_REASONS_WITH_IMAGES and reason not in SHOWN_AS_DUPLICATES:
            files = {r.file: images[r.file] for r in rows if r.file in images}
        parts.append(
            {
                "reason": reason,
                "title": REASONS.get(reason, reason.replace("-", " ").capitalize()),
                "total": len(rows),
                "open": len(rows) <= FEW,
                "rows": shown,
                "hidden": len(rows) - len(shown),
                "tiles": [
                    (file, thumbnails.add(path, None, f"{file}: {reason}"))
                    for file, path in list(files.items())[:MOST_IMAGES]
                ],
            }
        )
    return parts


def sizes(prepared: Prepared) -> dict[str, Any]:
    """Count the examples by length of the short side and by aspect ratio."""
    all_sizes = [size_of(example) for example in prepared.examples]
    short = sorted(min(size) for size in all_sizes)
    ratios = (width / height for width, height in all_sizes)
    return {
        "least": short[0],
        "most": short[-1],
        "median": short[len(short) // 2],
        "short": histogram(short, LENGTHS, LENGTH_NAMES),
        "ratio": histogram(ratios, RATIOS, RATIO_NAMES),
    }
