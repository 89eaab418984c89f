"""Sheets in, YOLO label files out, as Ultralytics documents its layout.

    data.yaml                             train, val, test, names
    images/<side>/1.jpg                   images/1.jpg for those on no side
    labels/<side>/1.txt                   a line for each object; none for no object

If every object is a rectangle, or has no area, lines are boxes (task "detect"), else
they are outlines (task "segment"): one kind for the whole set, since Ultralytics reads
all lines of a file in the same way. Several outlines of an object are joined by lines
of no width, there and back between the two nearest corners, as Ultralytics' own
converter from COCO does. What reaches out of the image is cut at its edge, since
Ultralytics leaves out an image with such a line.

There is no `path` in data.yaml: without it Ultralytics takes places as relative to the
file, while `path: .` would mean the folder that a program is started in. It requires
both train and val; where there is only one side, it stands for both.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import yaml

from tlkit.dataset.annotations.shapes import Bounds, Point
from tlkit.dataset.convert import losses as lost
from tlkit.dataset.convert.records import Loss, Sheet, flat
from tlkit.dataset.records import Annotation

SIDES = ("train", "val", "test")
NO_AREA = {"line", "linestrip", "point", "points"}
# What Ultralytics opens, by suffix, and from how many pixels across.
OPENED = {"bmp", "dng", "jpeg", "jpg", "mpo", "png", "tif", "tiff", "webp", "heic"}
LEAST = 10
# Of more outlines, the nearest corners are not looked for.
FEW_OUTLINES = 256
# Distances are computed so many at a time.
AT_ONCE = 1 << 20


def place(sheet: Sheet) -> str:
    """Where the copy of an image goes."""
    return posixpath.join("images", sheet.record.split or "", flat(sheet.name))


def task(sheets: Sequence[Sheet]) -> str:
    """What Ultralytics can learn from the rows."""
    boxes = all(_is_box(obj) for sheet in sheets for obj in sheet.record.objects)
    return "detect" if boxes else "segment"


def write(folder: Path, sheets: Sequence[Sheet], labels: Sequence[str]) -> list[Loss]:
    """Write everything but the images."""
    numbers = {label: number for number, label in enumerate(labels)}
    boxes = task(sheets) == "detect"
    losses: list[Loss] = []
    for sheet in sheets:
        lines = []
        for number, obj in enumerate(sheet.record.objects, 1):
            points = _box(obj) if boxes else _outline(obj)
            losses += _losses(obj, points, sheet, number, boxes=boxes)
            shares = _shares(_inside(points, sheet), sheet, boxes=boxes)
            lines.append(" ".join([str(numbers[obj.label]), *map(_text, shares)]))
        name = posixpath.join("labels", sheet.record.split or "", flat(sheet.name))
        path = folder / f"{posixpath.splitext(name)[0]}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        text = "".join(f"{line}\n" for line in lines)
        path.write_text(text, encoding="utf-8", newline="\n")
        losses += [*lost.of_image(sheet), *_unread(sheet)]
    losses += _write_config(folder, sheets, labels)
    return losses


def _is_box(obj: Annotation) -> bool:
    return len(obj.shapes) == 1 and obj.shapes[0].kind in {"rectangle", *NO_AREA}


def _box(obj: Annotation) -> list[Point]:
    x0, y0, x1, y1 = obj.shapes[0].bounds
    return [(x0, y0), (x1, y1)]


def _outline(obj: Annotation) -> list[Point]:
    outlines = [outline for shape in obj.shapes for outline in shape.outlines()]
    if outlines:
        return joined(outlines)
    x0, y0, x1, y1 = obj.bounds
    return [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]


def joined(outlines: Sequence[list[Point]]) -> list[Point]:
    """Make one outline of several."""
    path, *others = outlines
    if len(others) >= FEW_OUTLINES:
        start = path[0]
        ends = [point for part in others for point in (*part, part[0], start)]
        return [*path, start, *ends]
    for part in others:
        i, j = _nearest(np.array(path), np.array(part))
        path = [*path[: i + 1], *part[j:], *part[: j + 1], *path[i:]]
    return path


def _nearest(path: np.ndarray, part: np.ndarray) -> tuple[int, int]:
    best, pair = np.inf, (0, 0)
    step = max(1, AT_ONCE // len(part))
    for start in range(0, len(path), step):
        off = path[start : start + step, None] - part[None]
        distances = (off**2).sum(-1)
        if distances.min() < best:
            best = distances.min()
            row, column = np.unravel_index(distances.argmin(), distances.shape)
            pair = int(start + row), int(column)
    return pair


def _inside(points: Sequence[Point], sheet: Sheet) -> list[Point]:
    right, lower = float(sheet.width), float(sheet.height)
    return [(min(max(x, 0.0), right), min(max(y, 0.0), lower)) for x, y in points]


def _shares(points: Sequence[Point], sheet: Sheet, *, boxes: bool) -> list[float]:
    shares = [(x / sheet.width, y / sheet.height) for x, y in points]
    if not boxes:
        return [value for point in shares for value in point]
    (x0, y0), (x1, y1) = shares
    return [(x0 + x1) / 2, (y0 + y1) / 2, x1 - x0, y1 - y0]


def _text(share: float) -> str:
    # A billionth of any image's side is far below a hundredth of a pixel.
    return f"{share:.9f}".rstrip("0").rstrip(".")


def _losses(
    obj: Annotation,
    points: Sequence[Point],
    sheet: Sheet,
    number: int,
    *,
    boxes: bool,
) -> Iterator[Loss]:
    kept = {"rectangle"} if boxes else {"polygon"}
    details = list(lost.kinds(obj, kept))
    parts = sum(len(shape.outlines()) for shape in obj.shapes)
    if parts > 1:
        details.append(f"{parts} outlines, joined to one by lines of no width.")
    details += _cut(points, sheet)
    for detail in details:
        yield Loss(sheet.name, number, "shape", detail)
    # That of a mask's pixels may be smaller than the mask's own.
    box = _bounds(points)
    if lost.differ(obj.bounds, box):
        was, now = (" ".join(f"{v:g}" for v in each) for each in (obj.bounds, box))
        detail = f"Its box was {was}; that around what is written is {now}."
        yield Loss(sheet.name, number, "box", detail)
    for detail in lost.ignored(obj):
        yield Loss(sheet.name, number, lost.IGNORED, detail)
    if names := lost.left_out(obj.attributes, ()):
        yield Loss(sheet.name, number, "attributes", names)


def _cut(points: Sequence[Point], sheet: Sheet) -> Iterator[str]:
    """What becomes of what reaches out of the image, or has no area in it."""
    x0, y0, x1, y1 = _bounds(points)
    if _apart(x0, x1, sheet.width) or _apart(y0, y1, sheet.height):
        detail = "a row without area at its edge stands for it"
        yield f"It lies outside of the image; {detail}."
        return
    inside = _inside(points, sheet)
    if inside != list(points):
        yield "It reaches out of the image; cut at its edge."
    x0, y0, x1, y1 = _bounds(inside)
    if x0 == x1 or y0 == y1:
        yield "Its row has no area: its width or height is 0."


def _apart(low: float, high: float, side: int) -> bool:
    """Whether a stretch has nothing in common with that from 0 to the side."""
    shared = min(high, side) - max(low, 0)
    return shared < 0 or (shared == 0 and high > low)


def _bounds(points: Sequence[Point]) -> Bounds:
    xs, ys = zip(*points, strict=True)
    return min(xs), min(ys), max(xs), max(ys)


def _unread(sheet: Sheet) -> Iterator[Loss]:
    suffix = posixpath.splitext(sheet.name)[1]
    if suffix.lower()[1:] not in OPENED:
        detail = f"Ultralytics opens no {suffix or 'images without suffix'}."
        yield Loss(sheet.name, 0, "image", detail)
    if min(sheet.width, sheet.height) < LEAST:
        detail = f"Ultralytics opens none of fewer than {LEAST} pixels across."
        yield Loss(sheet.name, 0, "image", detail)


def _write_config(
    folder: Path, sheets: Sequence[Sheet], labels: Sequence[str]
) -> Iterator[Loss]:
    found = {sheet.record.split for sheet in sheets}
    given = [side for side in SIDES if side in found]
    places = {side: f"images/{side}" for side in given}
    whole = places[given[0]] if given else "images"
    sides = {"train": whole, "val": whole} | places
    content = {
        **{side: sides[side] for side in SIDES if side in sides},
        "names": dict(enumerate(labels)),
    }
    text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
    path = folder / "data.yaml"
    path.write_text(f"# Written by tlkit.\n{text}", encoding="utf-8", newline="\n")
    for side in ("train", "val"):
        if side not in given:
            detail = f"There is no {side}: data.yaml has {whole} for it."
            yield Loss("data.yaml", 0, "split", detail)
    for sheet in sheets if given else ():
        if sheet.record.split is None:
            detail = "On no side of the split: data.yaml does not lead to it."
            yield Loss(sheet.name, 0, "split", detail)
