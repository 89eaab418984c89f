"""Pages and what is known of their images in, candidates out: what gets which label.

    image     one example an image: its own label or, where no image of the source
              has one, that of the things on it
    shapes    one example a thing, cut out of the image

An image with several different labels is left out unless several are asked for.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from tlkit.dataset.annotations.shapes import Bounds
from tlkit.dataset.inspection.image_info import ImageInfo
from tlkit.dataset.records import (
    IGNORED,
    Annotation,
    ImageRecord,
    Rejected,
    in_natural_order,
    natural_key,
)
from tlkit.errors import DatasetError, UsageError, unknown_name

LABEL_BY = ("image", "shapes")
# A thing of fewer pixels across shows too little to be told by.
MIN_SIZE = 8
# Readers of manifest.csv stop at fields of 131,072 characters. A longer outline is not
# kept there; annotations.jsonl has it.
MAX_FIELD = 100_000


@dataclass(frozen=True)
class Labeling:
    """What of a page becomes an example.

    Attributes:
        label_by: One of LABEL_BY; None for images, if any of them has a label.
        multi_label: Keep several labels of an image.
        pad: Margin around a thing on each side, as a share of its longer side.
        min_size: Things of fewer pixels across are left out.
    """

    label_by: str | None = None
    multi_label: bool = False
    pad: float = 0.0
    min_size: int = MIN_SIZE

    def check(self) -> None:
        """Refuse what cannot be meant."""
        if self.label_by is not None and self.label_by not in LABEL_BY:
            error = unknown_name("way to label (label_by)", self.label_by, LABEL_BY)
            raise error
        if not 0 <= self.pad <= 10:
            raise UsageError(f"pad is a share from 0 to 10. Received: {self.pad}.")
        if self.min_size < 1:
            raise UsageError(f"min_size is at least 1. Received: {self.min_size}.")
        if self.label_by == "shapes" and self.multi_label:
            raise UsageError(
                "Each shape has one label, so --multi-label has no meaning with "
                "--label-by shapes.",
                hint="Leave one of them away.",
            )
        if self.label_by != "shapes" and (self.pad or self.min_size != MIN_SIZE):
            raise UsageError(
                "--pad and --min-size are about the crops of --label-by shapes.",
                hint="Add --label-by shapes, or leave them away.",
            )


def settled(records: Sequence[ImageRecord], how: Labeling) -> Labeling:
    """Decide what labels come from, before anything slow starts."""
    if how.label_by is not None:
        return how
    objects = sum(len(record.objects) for record in records)
    if objects and not any(record.labels for record in records) and not how.multi_label:
        raise DatasetError(
            f"{objects} shapes have labels here, the images themselves have none: "
            "expected to be told what to classify.",
            hint="Say --label-by shapes for a crop of each, --label-by image if all "
            "shapes of an image have the same label, or --multi-label to learn all "
            "labels of an image.",
        )
    return replace(how, label_by="image")


def label(
    records: Iterable[ImageRecord], info: Mapping[str, ImageInfo], how: Labeling
) -> tuple[list[Candidate], list[Rejected]]:
    """Give every page its examples."""
    records = list(records)
    # Labels of images and of things are never mixed within a source.
    own = any(record.labels for record in records)
    candidates: list[Candidate] = []
    rejected: list[Rejected] = []
    for record in records:
        made = (
            _crops(record, info[record.path], how)
            if how.label_by == "shapes"
            else [_whole(record, info[record.path], how, own=own)]
        )
        for one in made:
            if isinstance(one, Rejected):
                rejected.append(one)
            else:
                candidates.append(one)
    return candidates, rejected


def _whole(
    record: ImageRecord, info: ImageInfo, how: Labeling, *, own: bool
) -> Candidate | Rejected:
    objects = (obj.label for obj in record.objects if not is_ignored(obj))
    labels = in_natural_order(set(record.labels if own else objects) - {""})
    if ignored := [name for name in record.labels if name in IGNORED]:
        return Rejected(record.shown, "ignored", f"Marked as {ignored[0]}.")
    if not labels:
        nothing = "Neither it nor anything on it has a label."
        detail = "The image itself has no label." if own else nothing
        return Rejected(record.shown, "no-label", detail)
    if len(labels) > 1 and not how.multi_label:
        detail = f"Labeled as {', '.join(map(repr, labels))}."
        return Rejected(record.shown, "several-labels", detail)
    if how.multi_label and (odd := [name for name in labels if BETWEEN in name]):
        detail = f"The label {odd[0]!r} holds {BETWEEN!r}, which stands between labels."
        return Rejected(record.shown, "bad-label", detail)
    if len(BETWEEN.join(labels)) > MAX_FIELD:
        return Rejected(
            record.shown, "bad-label", f"{len(labels)} labels are too many."
        )
    return Candidate(
        info=info,
        labels=tuple(labels),
        split=record.split,
        annotation=record.file,
        shown=record.shown,
        group=record.group,
    )


def is_ignored(obj: Annotation) -> bool:
    """Whether a thing is marked as none of the classes."""
    flags = obj.attributes.get("flags")
    flagged = isinstance(flags, Mapping) and flags.get("__ignore__") is True
    return obj.label in IGNORED or flagged


def _crops(
    record: ImageRecord, info: ImageInfo, how: Labeling
) -> Iterator[Candidate | Rejected]:
    if not record.objects:
        yield Rejected(record.shown, "no-shape", "Nothing is drawn on it.")
    for obj in record.objects:
        place = ", ".join(f"{value:.4g}" for value in obj.bounds)
        what = f"{obj.label or 'A shape without label'} at ({place})"
        fault = _unfit(obj, how)
        box = None if fault else _box(obj.bounds, how.pad, info)
        if fault or box is None:
            reason, detail = fault or ("no-area", "outside of the image")
            yield Rejected(record.shown, reason, f"{what}: {detail}.")
            continue
        yield Candidate(
            info=info,
            labels=(obj.label,),
            split=record.split,
            box=box,
            shape=_outline(obj),
            annotation=record.file,
            shown=record.shown,
            group=record.group,
        )


def _unfit(obj: Annotation, how: Labeling) -> tuple[str, str] | None:
    x0, y0, x1, y1 = obj.bounds
    if is_ignored(obj):
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


# Between the labels of one example in manifest.csv.
BETWEEN = "|"

Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class Candidate:
    """Something labeled, its image decoded, its box within the image.

    Attributes:
        info: Of its image.
        labels: One, or several in natural order.
        split: The side it was given, None for none.
        box: The part of the image; None for the whole.
        shape: What was drawn, as JSON; "" where nothing was.
        annotation: Path of the annotation file; "" where folders tell the label.
        shown: The file that the user would look at.
        group: Images of one group are not parted; "" for none.
        earlier: The side it was on when its data set was prepared before, if it was.
    """

    info: ImageInfo
    labels: tuple[str, ...]
    split: str | None = None
    box: Box | None = None
    shape: str = ""
    annotation: str = ""
    shown: str = ""
    group: str = ""
    earlier: str | None = None

    @property
    def side(self) -> str | None:
        """The side that it should stay on, None for whichever comes."""
        return self.earlier or self.split

    @property
    def path(self) -> str:
        """Of its image, relative to the source root."""
        return self.info.path

    @property
    def label(self) -> str:
        """Its labels in one text."""
        return BETWEEN.join(self.labels)

    @property
    def key(self) -> tuple[object, ...]:
        """What candidates are sorted by, whatever order they were found in."""
        return natural_key(self.path), self.box or (), self.labels, self.shape


def overlap(one: Candidate, other: Candidate) -> float:
    """Compare the places of two examples, as shares of their images."""
    a, b = _share(one), _share(other)
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    common = max(width, 0) * max(height, 0)
    areas = [(x1 - x0) * (y1 - y0) for x0, y0, x1, y1 in (a, b)]
    return common / (sum(areas) - common)


def _share(candidate: Candidate) -> tuple[float, float, float, float]:
    if candidate.box is None:
        return 0, 0, 1, 1
    width, height = candidate.info.width, candidate.info.height
    x0, y0, x1, y1 = candidate.box
    return x0 / width, y0 / height, x1 / width, y1 / height
