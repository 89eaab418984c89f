"""Writer of YOLO label files, in the layout that Ultralytics documents.

    data.yaml                             train, val, test, names
    images/<split>/1.jpg                  images/1.jpg for those in no split
    labels/<split>/1.txt                  a line for each object; none for no object

If every object is a rectangle, or has no area, lines are boxes (task "detect"), else
they are outlines (task "segment"): one kind for all files, since Ultralytics reads all
lines of a file in the same way. Several outlines of an object are joined by lines of no
width, there and back between the two nearest corners, as Ultralytics' own converter
from COCO does. What reaches out of the image is cut at its edge, since Ultralytics
leaves out an image with such a line.

There is no `path` in data.yaml: without it Ultralytics takes places as relative to the
file, while `path: .` would mean the folder that a program is started in. It requires
both train and val; a single split stands for both.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Sequence
from pathlib import Path

import yaml

from tlkit.dataset.annotations.shapes import Bounds, Point
from tlkit.dataset.convert import dropped
from tlkit.dataset.convert.dropped import Field
from tlkit.dataset.convert.names import flat
from tlkit.dataset.convert.records import DroppedField, OutputImage
from tlkit.dataset.records import Annotation
from tlkit.files import write_text

SPLITS = ("train", "val", "test")
NO_AREA = {"line", "linestrip", "point", "points"}
# What Ultralytics opens, by suffix, and from how many pixels across.
OPENED = {"bmp", "dng", "jpeg", "jpg", "mpo", "png", "tif", "tiff", "webp", "heic"}
MIN_SIZE = 10
# Of more outlines, the nearest corners are not looked for.
MAX_NEAREST = 256


def image_path(image: OutputImage) -> str:
    """Return the path of an image's copy."""
    return _path(image, "images")


def _path(image: OutputImage, folder: str) -> str:
    return posixpath.join(folder, image.record.split or "", flat(image.name))


def task(images: Sequence[OutputImage]) -> str:
    """Return the task of Ultralytics that can learn from the lines."""
    boxes = all(_is_box(obj) for image in images for obj in image.record.objects)
    return "detect" if boxes else "segment"


def write(
    folder: Path, images: Sequence[OutputImage], labels: Sequence[str]
) -> list[DroppedField]:
    """Write everything but the images."""
    numbers = {label: number for number, label in enumerate(labels)}
    boxes = task(images) == "detect"
    lost: list[DroppedField] = []
    for image in images:
        drawn = [
            (obj, _box(obj) if boxes else _outline(obj)) for obj in image.record.objects
        ]
        lines = [
            [str(numbers[obj.label]), *map(_text, _shares(points, image, boxes))]
            for obj, points in drawn
        ]
        path = folder / f"{posixpath.splitext(_path(image, 'labels'))[0]}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        text = "".join(f"{' '.join(line)}\n" for line in lines)
        path.write_text(text, encoding="utf-8", newline="\n")
        of_image = [*dropped.of_image(image.record), *_unopened(image)]
        of_objects = [_dropped(obj, points, image, boxes) for obj, points in drawn]
        lost += dropped.collect(image, of_image, of_objects)
    lost += _write_config(folder, images, labels)
    return lost


def _is_box(obj: Annotation) -> bool:
    return len(obj.shapes) == 1 and obj.shapes[0].kind in {"rectangle", *NO_AREA}


def _box(obj: Annotation) -> list[Point]:
    x0, y0, x1, y1 = obj.shapes[0].bounds
    return [(x0, y0), (x1, y1)]


def _outline(obj: Annotation) -> list[Point]:
    outlines = [outline for shape in obj.shapes for outline in shape.outlines()]
    if outlines:
        return join(outlines)
    x0, y0, x1, y1 = obj.bounds
    return [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]


def join(outlines: Sequence[list[Point]]) -> list[Point]:
    """Make one outline of several."""
    from scipy.spatial import KDTree

    path, *others = outlines
    if len(others) >= MAX_NEAREST:
        start = path[0]
        ends = [point for part in others for point in (*part, part[0], start)]
        return [*path, start, *ends]
    for part in others:
        distances, nearest = KDTree(part).query(path)
        i = int(distances.argmin())
        j = int(nearest[i])
        path = [*path[: i + 1], *part[j:], *part[: j + 1], *path[i:]]
    return path


def _inside(points: Sequence[Point], image: OutputImage) -> list[Point]:
    right, lower = float(image.width), float(image.height)
    return [(min(max(x, 0.0), right), min(max(y, 0.0), lower)) for x, y in points]


def _shares(points: Sequence[Point], image: OutputImage, boxes: bool) -> list[float]:
    inside = _inside(points, image)
    shares = [(x / image.width, y / image.height) for x, y in inside]
    if not boxes:
        return [value for point in shares for value in point]
    (x0, y0), (x1, y1) = shares
    return [(x0 + x1) / 2, (y0 + y1) / 2, x1 - x0, y1 - y0]


def _text(share: float) -> str:
    # A billionth of the width of any image is far below a hundredth of a pixel.
    return f"{share:.9f}".rstrip("0").rstrip(".")


def _dropped(
    obj: Annotation, points: Sequence[Point], image: OutputImage, boxes: bool
) -> Iterator[Field]:
    yield from dropped.shapes(obj, {"rectangle"} if boxes else {"polygon"})
    parts = sum(len(shape.outlines()) for shape in obj.shapes)
    if parts > 1:
        yield "shape", f"{parts} outlines, joined to one by lines of no width."
    yield from _cut(points, image)
    # The box of a mask's pixels may be smaller than the mask's own.
    box = _bounds(points)
    if dropped.differ(obj.bounds, box):
        was, now = (" ".join(f"{v:g}" for v in each) for each in (obj.bounds, box))
        yield "box", f"Its box was {was}; that around what is written is {now}."
    yield from dropped.ignored(obj)
    yield from dropped.attributes(obj.attributes, ())


def _cut(points: Sequence[Point], image: OutputImage) -> Iterator[Field]:
    """Describe what becomes of points outside of the image, or without area in it."""
    x0, y0, x1, y1 = _bounds(points)
    if _apart(x0, x1, image.width) or _apart(y0, y1, image.height):
        detail = "a line without area at its edge stands for it"
        yield "shape", f"It lies outside of the image; {detail}."
        return
    inside = _inside(points, image)
    if inside != list(points):
        yield "shape", "It reaches out of the image; cut at its edge."
    x0, y0, x1, y1 = _bounds(inside)
    if x0 == x1 or y0 == y1:
        yield "shape", "Its line has no area: its width or height is 0."


def _apart(low: float, high: float, length: int) -> bool:
    """Check that a stretch has nothing in common with that from 0 to the length."""
    shared = min(high, length) - max(low, 0)
    return shared < 0 or (shared == 0 and high > low)


def _bounds(points: Sequence[Point]) -> Bounds:
    xs, ys = zip(*points, strict=True)
    return min(xs), min(ys), max(xs), max(ys)


def _unopened(image: OutputImage) -> Iterator[Field]:
    suffix = posixpath.splitext(image.name)[1]
    if suffix.lower()[1:] not in OPENED:
        yield "image", f"Ultralytics opens no {suffix or 'images without suffix'}."
    if min(image.width, image.height) < MIN_SIZE:
        yield "image", f"Ultralytics opens none of fewer than {MIN_SIZE} pixels across."


def _write_config(
    folder: Path, images: Sequence[OutputImage], labels: Sequence[str]
) -> Iterator[DroppedField]:
    found = {image.record.split for image in images}
    given = {split: f"images/{split}" for split in SPLITS if split in found}
    first = next(iter(given.values()), "images")
    places = {"train": first, "val": first} | given
    content = {**places, "names": dict(enumerate(labels))}
    text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
    write_text(folder / "data.yaml", f"# Written by tlkit.\n{text}")
    for split in ("train", "val"):
        if split not in given:
            detail = f"There is no {split}: data.yaml has {first} for it."
            yield DroppedField("data.yaml", 0, "split", detail)
    for image in images if given else ():
        if image.record.split is None:
            detail = "In no split: data.yaml does not lead to it."
            yield DroppedField(image.name, 0, "split", detail)
