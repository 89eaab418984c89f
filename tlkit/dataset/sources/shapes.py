"""labelme shapes in, bounding boxes out; parts of one instance become one."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any

from tlkit.dataset.sources.annotation import Box, is_label

# Labels and flags by which labelme's users say "none of the classes".
IGNORED = ("__ignore__", "_background_")
# The least number of points that span an area; labelme's names of shapes.
POINTS = {
    "polygon": 3,
    "rectangle": 2,
    "oriented_rectangle": 3,
    "circle": 2,
    "line": 2,
    "linestrip": 2,
    "points": 2,
    "mask": 2,
    "point": 1,
}
# A longer outline is not kept, the box is: csv readers stop at fields of 131,072.
MAX_OUTLINE = 100_000


@dataclass(frozen=True)
class Instance:
    """One thing that was drawn.

    Attributes:
        label: Its name.
        box: Around all of its parts, x1 and y1 outside; may reach out of the picture.
        shape: Its parts as JSON.
    """

    label: str
    box: Box
    shape: str


@dataclass(frozen=True)
class Fault:
    """A shape that cannot be used: its place in the list, a reason, the detail."""

    index: int
    reason: str
    detail: str


class _Unfit(ValueError):
    """Says why a shape cannot be used: (reason, detail)."""


def instances(shapes: Any) -> tuple[list[Instance], list[Fault]]:
    """Read the shapes of one picture.

    Shapes with the same label and the same group_id are parts of one instance.

    Args:
        shapes: What the JSON holds under "shapes"; None for nothing.

    Returns:
        What can be used, and what cannot.
    """
    parts: dict[object, list[tuple[str, Box, dict[str, Any]]]] = {}
    faults = []
    for index, shape in enumerate(shapes if isinstance(shapes, list) else []):
        try:
            label, box, outline = _part(shape)
        except _Unfit as error:
            faults.append(Fault(index, *error.args))
            continue
        group = shape.get("group_id")
        key = index if group is None else (label, json.dumps(group))
        parts.setdefault(key, []).append((label, box, outline))
    return [_joined(part) for part in parts.values()], faults


def _joined(parts: list[tuple[str, Box, dict[str, Any]]]) -> Instance:
    boxes = [box for _, box, _ in parts]
    x0, y0 = min(b[0] for b in boxes), min(b[1] for b in boxes)
    x1, y1 = max(b[2] for b in boxes), max(b[3] for b in boxes)
    outlines: Any = [outline for _, _, outline in parts]
    shape = _compact(outlines if len(outlines) > 1 else outlines[0])
    if len(shape) > MAX_OUTLINE:
        shape = _compact({"shape_type": outlines[0]["shape_type"]})
    return Instance(parts[0][0], (x0, y0, x1, y1), shape)


def _compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


def _part(shape: Any) -> tuple[str, Box, dict[str, Any]]:
    if not isinstance(shape, dict):
        raise _Unfit("bad-shape", "not an object")
    label = shape.get("label")
    if not isinstance(label, str) or not is_label(label):
        raise _Unfit("bad-label", f"its label is {label!r}")
    flags = shape.get("flags")
    if label in IGNORED or (
        isinstance(flags, dict) and flags.get("__ignore__") is True
    ):
        raise _Unfit("ignored", f"{label} is marked to be ignored")
    kind = shape.get("shape_type") or "polygon"  # there was no other before labelme 3.7
    if not isinstance(kind, str) or kind not in POINTS:
        raise _Unfit("unknown-shape", f"{label} is a {kind!r}")
    points = _points(shape.get("points"))
    if kind == "point" or len(points) < POINTS[kind]:
        raise _Unfit("no-area", f"{label} is a {kind} of {len(points)} point(s)")
    box = _around(kind, points)
    if box[0] >= box[2] or box[1] >= box[3]:
        raise _Unfit("no-area", f"{label} is a {kind} without width or height")
    return label.strip(), box, {"shape_type": kind, "points": points}


def _points(points: Any) -> list[list[float]]:
    try:
        pairs = [[float(x), float(y)] for x, y in points]
    except (TypeError, ValueError, OverflowError) as error:
        raise _Unfit("bad-points", f"its points are not numbers: {error}") from error
    if not all(math.isfinite(v) and abs(v) < 1e9 for pair in pairs for v in pair):
        raise _Unfit("bad-points", "its points are not finite")
    return pairs


def _around(kind: str, points: list[list[float]]) -> Box:
    xs, ys = [x for x, _ in points], [y for _, y in points]
    if kind == "circle":  # the centre, then a point of the rim
        radius = math.hypot(xs[1] - xs[0], ys[1] - ys[0])
        xs, ys = [xs[0] - radius, xs[0] + radius], [ys[0] - radius, ys[0] + radius]
    elif kind == "mask":  # its last row and column belong to it
        xs, ys = [*xs, max(xs) + 1], [*ys, max(ys) + 1]
    return (
        math.floor(min(xs)),
        math.floor(min(ys)),
        math.ceil(max(xs)),
        math.ceil(max(ys)),
    )
