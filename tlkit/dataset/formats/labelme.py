"""Reader of labelme JSON, as labelme 2 to 7 writes it, with every kind of shape.

Parts of one object, shapes with the same label and group_id, become one object.
"""

from __future__ import annotations

import contextlib
import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tlkit.dataset.annotations.shapes import Shape
from tlkit.dataset.formats.common import split_by_folders
from tlkit.dataset.records import (
    SPLIT_NAMES,
    Annotation,
    ImageRecord,
    ParsedSource,
    Rejected,
    is_label,
)
from tlkit.dataset.sources.open import Source
from tlkit.imaging.safe_read import Unusable, read_json

# So many bytes of JSON are parsed sooner here than in processes started for it.
FEW_BYTES = 64 << 20
# Keys of a shape that become a part of Shape or Annotation, or are the colors of
# versions before 4; the others are kept as attributes.
KNOWN = {"label", "points", "shape_type", "mask", "line_color", "fill_color"}
# Likewise of an image.
KNOWN_OF_IMAGES = {
    *("version", "shapes", "imagePath", "imageData", "imageHeight", "imageWidth"),
    *("lineColor", "fillColor"),
}
# The key under which tlkit writes what labelme has no place for.
EXTRA = "tlkit"
EMPTY: tuple[Any, ...] = (None, "", {}, [])


@dataclass(frozen=True)
class LabelmeFile:
    """The content of one JSON, whose image is not looked for yet."""

    record: ImageRecord  # without path
    image: str = ""  # imagePath, as written
    embedded: bool = False  # it holds the image itself
    rejected: tuple[Rejected, ...] = ()


def read(source: Source) -> ParsedSource:
    """Read the labelme JSON files of a source."""
    index = source.images()
    names = source.ending(".json")
    parse = functools.partial(parse_file, source.root)
    large = _size(source.root, names) >= FEW_BYTES
    records: list[ImageRecord] = []
    rejected = list(source.rejected)
    for found in source.map(parse, names, few=0 if large else len(names) + 1):
        if isinstance(found, Rejected):
            rejected.append(found)
            continue
        rejected += found.rejected
        file = found.record.file
        path = index.find(found.image, file, embedded=found.embedded)
        if isinstance(path, Rejected):
            rejected.append(path)
        else:
            records.append(replace(found.record, path=path))
    records, outside = split_by_folders(source.root, records)
    return ParsedSource(
        files=source.files,
        records=tuple(records),
        rejected=(*rejected, *outside),
        note=f"Read as labelme annotations, {len(records)} of them.",
        annotation_of=index.annotation_of,
    )


def _size(root: Path, names: list[str]) -> int:
    total = 0
    for name in names:
        with contextlib.suppress(OSError):  # its reader rejects it
            total += (root / name).stat().st_size
    return total


def parse_file(root: Path, file: str) -> LabelmeFile | Rejected:
    """Read one JSON."""
    try:
        content = read_json(root / file)
    except Unusable as error:
        return Rejected(file, error.reason, error.detail)
    if not _is_labelme(content):
        return Rejected(file, "not-labelme", "JSON, but not as labelme writes it.")
    objects, rejected = read_shapes(content.get("shapes"), file)
    flags = content.get("flags")
    flags = flags if isinstance(flags, dict) else {}
    true = [name for name, value in flags.items() if value is True]
    rejected += [
        Rejected(file, "bad-label", f"The flag {name!r} cannot be a label.")
        for name in true
        if not is_label(name)
    ]
    extra = _extra(content)
    group = extra.get("group")
    record = ImageRecord(
        path="",
        file=file,
        labels=tuple(name.strip() for name in true if is_label(name)),
        objects=tuple(objects),
        size=_annotated_size(content),
        attributes=_attributes(content, KNOWN_OF_IMAGES),
        split=SPLIT_NAMES.get(str(extra.get("split"))),
        group=group if isinstance(group, str) else "",
    )
    image = content.get("imagePath")
    return LabelmeFile(
        record,
        image=image if isinstance(image, str) else "",
        embedded=bool(content.get("imageData")),
        rejected=tuple(rejected),
    )


def _is_labelme(content: Any) -> bool:
    if not isinstance(content, dict):
        return False
    image = "imagePath" in content or "imageData" in content
    return image and ("shapes" in content or "flags" in content)


def _annotated_size(content: Mapping[str, Any]) -> tuple[int, int] | None:
    size = content.get("imageWidth"), content.get("imageHeight")
    if all(type(n) is int and n > 0 for n in size):  # True is an int as well
        return size  # type: ignore[return-value]
    return None


def read_shapes(shapes: Any, file: str) -> tuple[list[Annotation], list[Rejected]]:
    """Read the shapes of one image."""
    parts: dict[tuple[str, object], list[tuple[Shape, dict[str, Any]]]] = {}
    rejected = []
    for number, content in enumerate(shapes if isinstance(shapes, list) else [], 1):
        try:
            label, shape = _shape(content)
        except Unusable as error:
            detail = f"Shape {number}: {error.detail}."
            rejected.append(Rejected(file, error.reason, detail))
            continue
        group = content.get("group_id")
        key = (label, number if group is None else json.dumps(group))
        parts.setdefault(key, []).append((shape, content))
    objects = [
        Annotation(
            label=label,
            shapes=tuple(shape for shape, _ in drawn),
            attributes=_attributes(drawn[0][1], KNOWN),
        )
        for (label, _), drawn in parts.items()
    ]
    return objects, rejected


def _attributes(content: Mapping[str, Any], known: set[str]) -> dict[str, Any]:
    known = {*known, EXTRA}
    own = {k: v for k, v in content.items() if k not in known and v not in EMPTY}
    kept = _extra(content).get("attributes")
    return own | (kept if isinstance(kept, dict) else {})


def _extra(content: Mapping[str, Any]) -> Mapping[str, Any]:
    extra = content.get(EXTRA)
    return extra if isinstance(extra, dict) else {}


def _shape(content: Any) -> tuple[str, Shape]:
    if not isinstance(content, dict):
        raise Unusable("bad-shape", "not an object")
    label = content.get("label")
    if not isinstance(label, str) or not is_label(label):
        raise Unusable("bad-label", f"its label is {label!r}")
    # labelme before 3.7 had polygons only.
    kind = content.get("shape_type") or "polygon"
    shape = Shape.make(kind, content.get("points"), content.get("mask"))
    if shape.mask:
        shape.pixels()  # a broken mask is rejected here, not when it is drawn
    return label.strip(), shape
