"""labelme JSON in, pages out: what labelme 2 to 7 writes, whatever it was drawn as.

Parts of one object, shapes with the same label and group_id, become one thing.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tlkit.dataset.annotations.shapes import Shape
from tlkit.dataset.formats.folders import is_split
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
from tlkit.progress import track
from tlkit.workers import in_order

# So many bytes of JSON are parsed sooner here than in processes started for it.
FEW_BYTES = 64 << 20
# What labelme says of a shape that becomes a part of Shape or Thing, or of the colors
# that versions before 4 drew it in.
KNOWN = {"label", "points", "shape_type", "mask", "line_color", "fill_color"}
# Likewise of an image.
KNOWN_OF_PAGES = {
    *("version", "shapes", "imagePath", "imageData", "imageHeight", "imageWidth"),
    *("lineColor", "fillColor"),
}
# Where tlkit writes what labelme has no place for.
EXTRA = "tlkit"
EMPTY: tuple[Any, ...] = (None, "", {}, [])


@dataclass(frozen=True)
class Sheet:
    """What one JSON says: its page, whose image is yet to be found.

    Attributes:
        record: Without path.
        image: Its imagePath, as it is.
        embedded: Whether an image is inside.
        rejected: What of it cannot be used.
        usable: Whether it is labelme's at all.
    """

    record: ImageRecord
    image: str = ""
    embedded: bool = False
    rejected: tuple[Rejected, ...] = ()
    usable: bool = True


def read(source: Source) -> ParsedSource:
    """List what labelme's JSON files in a folder say."""
    by_split = is_split(source.root, of_classes=False)
    index = source.images()
    names = source.ending(".json")
    workers = source.workers
    if workers is None and _size(source.root, names) < FEW_BYTES:
        workers = 0
    parse = functools.partial(parse_sheet, source.root)
    sheets = in_order(parse, names, workers=workers)
    records: list[ImageRecord] = []
    rejected = list(source.rejected)
    for sheet in track(sheets, source.progress, "Reading annotations", len(names)):
        rejected += sheet.rejected
        if not sheet.usable:
            continue
        file = sheet.record.file
        path = index.find(sheet.image, file, embedded=sheet.embedded)
        split = sheet.record.split
        if by_split:
            split = SPLIT_NAMES.get(file.split("/")[0].lower())
        if isinstance(path, Rejected):
            rejected.append(path)
        elif by_split and "/" not in file:
            detail = "Beside the folders of the split, not in them."
            rejected.append(Rejected(file, "no-split", detail))
        else:
            records.append(replace(sheet.record, path=path, split=split))
    return ParsedSource(
        files=source.files,
        records=tuple(records),
        rejected=tuple(rejected),
        note=f"Read as labelme annotations, {len(records)} of them.",
        named=index.named,
    )


def _size(root: Path, names: Iterable[str]) -> int:
    total = 0
    for name in names:
        try:
            total += (root / name).stat().st_size
        except OSError:
            continue  # the reader of the file says what is wrong with it
    return total


def parse_sheet(root: Path, file: str) -> Sheet:
    """Read one JSON."""
    try:
        content = read_json(root / file)
    except Unusable as error:
        rejection = Rejected(file, error.reason, error.detail)
        return Sheet(ImageRecord(""), rejected=(rejection,), usable=False)
    if not _is_labelme(content):
        rejection = Rejected(file, "not-labelme", "JSON, but not as labelme writes it.")
        return Sheet(ImageRecord(""), rejected=(rejection,), usable=False)
    objects, rejected = read_shapes(content.get("shapes"), file)
    flags = content.get("flags")
    flags = flags if isinstance(flags, dict) else {}
    true = [name for name, value in flags.items() if value is True]
    bad = [name for name in true if not is_label(name)]
    rejected += [
        Rejected(file, "bad-label", f"The flag {name!r} cannot be a label.")
        for name in bad
    ]
    extra = _extra(content)
    group = extra.get("group")
    record = ImageRecord(
        path="",
        file=file,
        labels=tuple(name.strip() for name in true if name not in bad),
        objects=tuple(objects),
        size=_annotated_size(content),
        attributes=_attributes(content, KNOWN_OF_PAGES),
        split=SPLIT_NAMES.get(str(extra.get("split"))),
        group=group if isinstance(group, str) else "",
    )
    image = content.get("imagePath")
    return Sheet(
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
            reason, detail = error.reason, error.detail
            rejected.append(Rejected(file, reason, f"Shape {number}: {detail}."))
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
    # There was no other before labelme 3.7.
    kind = content.get("shape_type") or "polygon"
    shape = Shape.make(kind, content.get("points"), content.get("mask"))
    if shape.mask:
        shape.pixels()  # or it would be found out only when it is turned or drawn
    return label.strip(), shape
