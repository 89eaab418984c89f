"""The examples of a data set: which image or object gets which label.

    image     one example per image: its own label or, where no image of the source
              has one, that of the objects on it
    shapes    one example an object, cut out of the image

An image with several different labels is left out unless several are asked for.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from tlkit.dataset.annotations.shapes import Bounds
from tlkit.dataset.example import Example
from tlkit.dataset.records import (
    BETWEEN,
    IGNORED,
    Annotation,
    Box,
    ImageInfo,
    ImageRecord,
    Rejected,
    in_natural_order,
)
from tlkit.errors import DatasetError, UsageError, unknown_name

LABEL_BY = ("image", "shapes")
# An object of fewer pixels across shows too little to be recognized by.
MIN_SIZE = 8
# Readers of manifest.csv stop at fields of 131,072 characters. A longer outline is not
# kept there; annotations.jsonl has it.
MAX_FIELD = 100_000
ID_DIGITS = 16


@dataclass(frozen=True)
class Labeling:
    """The rule by which image records become examples."""

    label_by: str | None = None  # one of LABEL_BY; None for images that have labels
    multi_label: bool = False  # keep several labels of an image
    pad: float = 0.0  # margin around an object, as a share of its longer edge
    min_size: int = MIN_SIZE  # objects of fewer pixels across are left out

    def check(self) -> None:
        """Refuse values that make no sense."""
        if self.label_by is not None and self.label_by not in LABEL_BY:
            error = unknown_name("way to label (label_by)", self.label_by, LABEL_BY)
            raise error
        if not 0 <= self.pad <= 10:
            raise UsageError(f"pad must be a share from 0 to 10, got {self.pad}.")
        if self.min_size < 1:
            raise UsageError(f"min_size must be >= 1, got {self.min_size}.")
        if self.label_by == "shapes" and self.multi_label:
            raise UsageError(
                "Each shape has one label, so --multi-label has no meaning with "
                "--label-by shapes.",
                hint="Remove one of them.",
            )
        if self.label_by != "shapes" and (self.pad or self.min_size != MIN_SIZE):
            raise UsageError(
                "--pad and --min-size are about the crops of --label-by shapes.",
                hint="Add --label-by shapes, or remove them.",
            )


def choose_label_by(records: Sequence[ImageRecord], how: Labeling) -> Labeling:
    """Decide where labels come from, before anything slow starts."""
    if how.label_by is not None:
        return how
    objects = sum(len(record.objects) for record in records)
    if objects and not any(record.labels for record in records) and not how.multi_label:
        raise DatasetError(
            f"Expected labels of images, got labels of {objects} shapes alone.",
            hint="Add --label-by shapes for a crop of each, --label-by image if all "
            "shapes of an image have the same label, or --multi-label to learn all "
            "labels of an image.",
        )
    return replace(how, label_by="image")


def label(
    records: Sequence[ImageRecord], info: Mapping[str, ImageInfo], how: Labeling
) -> tuple[list[Example], list[Rejected]]:
    """Make the examples of image records, and reject what gives none."""
    # Labels of images and of objects are never mixed within a source.
    own = any(record.labels for record in records)
    examples: list[Example] = []
    rejected: list[Rejected] = []
    for record in records:
        image = info[record.path]
        if how.label_by == "shapes":
            made = _crops(record, image, how)
        else:
            made = iter([_whole(record, image, how, own=own)])
        for one in made:
            if isinstance(one, Rejected):
                rejected.append(one)
            else:
                examples.append(one)
    return examples, rejected


def _whole(
    record: ImageRecord, info: ImageInfo, how: Labeling, *, own: bool
) -> Example | Rejected:
    objects = (obj.label for obj in record.objects if not obj.ignored)
    labels = in_natural_order(set(record.labels if own else objects) - {""})
    reason = detail = ""
    if ignored := [name for name in record.labels if name in IGNORED]:
        reason, detail = "ignored", f"Marked as {ignored[0]}."
    elif not labels:
        nothing = "Neither it nor anything on it has a label."
        reason, detail = (
            "no-label",
            "The image itself has no label." if own else nothing,
        )
    elif len(labels) > 1 and not how.multi_label:
        reason = "several-labels"
        detail = f"Labeled as {', '.join(map(repr, labels))}."
    elif how.multi_label and (bad := [name for name in labels if BETWEEN in name]):
        reason = "bad-label"
        detail = f"The label {bad[0]!r} has {BETWEEN!r}, which stands between labels."
    elif len(BETWEEN.join(labels)) > MAX_FIELD:
        reason, detail = "bad-label", f"{len(labels)} labels are too many."
    if reason:
        return Rejected(record.shown, reason, detail)
    return _example(record, info, tuple(labels))


def _crops(
    record: ImageRecord, info: ImageInfo, how: Labeling
) -> Iterator[Example | Rejected]:
    if not record.objects:
        yield Rejected(record.shown, "no-shape", "Nothing is drawn on it.")
    for obj in record.objects:
        fault = _unfit(obj, how)
        box = None if fault else _box(obj.bounds, how.pad, info)
        if box is not None:
            yield _example(record, info, (obj.label,), box, _outline(obj))
            continue
        place = ", ".join(f"{value:.4g}" for value in obj.bounds)
        what = f"{obj.label or 'A shape without label'} at ({place})"
        reason, detail = fault or ("no-area", "outside of the image")
        yield Rejected(record.shown, reason, f"{what}: {detail}.")


def _example(
    record: ImageRecord,
    info: ImageInfo,
    labels: tuple[str, ...],
    box: Box | None = None,
    shape: str = "",
) -> Example:
    # Without the annotation file: the same path, box, shape and label are one object.
    identity = json.dumps([info.path, box, shape, BETWEEN.join(labels)])
    return Example(
        id=hashlib.sha256(identity.encode()).hexdigest()[:ID_DIGITS],
        path=info.path,
        sha256=info.sha256,
        width=info.width,
        height=info.height,
        labels=labels,
        split=record.split or "",
        group=record.group,
        box=box,
        shape=shape,
        annotation=record.file,
        shown=record.shown,
    )


def _unfit(obj: Annotation, how: Labeling) -> tuple[str, str] | None:
    x0, y0, x1, y1 = obj.bounds
    if obj.ignored:
        return "ignored", "marked to be ignored"
    if not obj.label:
        return "no-label", "has no label"
    if obj.attributes.get("iscrowd") == 1:
        return "crowd", "stands for a crowd of them"
    if x1 <= x0 or y1 <= y0:
        return "no-area", "without width or height"
    if min(x1 - x0, y1 - y0) < how.min_size:
        size = f"{x1 - x0:.4g} x {y1 - y0:.4g}"
        return "too-small", f"{size} pixels, below --min-size {how.min_size}"
    return None


def _box(bounds: Bounds, pad: float, info: ImageInfo) -> Box | None:
    x0, y0, x1, y1 = bounds
    margin = pad * max(x1 - x0, y1 - y0)
    # What is drawn to a thousandth of a pixel is meant to lie on the edge.
    left, top = (max(math.floor(v - margin + 1e-3), 0) for v in (x0, y0))
    right = min(math.ceil(x1 + margin - 1e-3), info.width)
    bottom = min(math.ceil(y1 + margin - 1e-3), info.height)
    return (left, top, right, bottom) if left < right and top < bottom else None


def _outline(obj: Annotation) -> str:
    parts = [shape.json() for shape in obj.shapes]
    text = json.dumps(parts if len(parts) > 1 else parts[0], separators=(",", ":"))
    if len(text) > MAX_FIELD:
        return json.dumps({"shape_type": parts[0]["shape_type"]}, separators=(",", ":"))
    return text


def labels_of(examples: Iterable[Example]) -> list[str]:
    """Return the labels of examples, in natural order."""
    return in_natural_order({name for example in examples for name in example.labels})
