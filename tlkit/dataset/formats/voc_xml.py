"""The XML of one image, as Pascal VOC has it, in, what it says out.

Corners are taken as they are, with 0 at the left and upper edge of the image, as
everywhere in here. VOC's own are said to count pixels from 1; labelImg and the usual
converters write the plain coordinates, so that taking 1 off would shift every box that
they made.

    object/name                           the label
    object/bndbox/xmin ymin xmax ymax     a box, whichever corners
    object/polygon                        <x1> <y1> <x2> ..., or <pt> of <x> and <y>, or
                                          numbers as text; the bndbox is told beside it
    object/part                           attributes "parts": name and box of each
    object/attributes/attribute           attributes by name, as CVAT writes them
    object/pose truncated difficult ...   attributes, unless they say the usual thing

Expat is used as it is but for one thing: a document type is refused, and with it all
that entities could do (laughs by the billion, files of this machine).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from tlkit.dataset.annotations.shapes import (
    FARTHEST,
    Bounds,
    Shape,
    around,
    rectangle,
)
from tlkit.dataset.formats.voc_masks import Classes, joined, read_objects
from tlkit.dataset.records import Annotation, ImageRecord, Rejected, is_label
from tlkit.imaging.safe_read import Unusable, read_limited

MAX_XML_BYTES = 16 << 20
MAX_ELEMENTS = 1_000_000
MAX_DEPTH = 32
FLAGS = ("truncated", "difficult", "occluded")
# A box told beside a polygon counts as its own where it differs by so many pixels.
SAME = 1e-3


@dataclass(frozen=True)
class VocXml:
    """What one XML says.

    Attributes:
        file: POSIX, relative to the source root.
        image: The name of its image, as written; "" for none.
        size: Width and height, where told.
        objects: Objects on it.
        rejected: Those that cannot be used.
    """

    file: str
    image: str = ""
    size: tuple[int, int] | None = None
    objects: tuple[Annotation, ...] = ()
    rejected: tuple[Rejected, ...] = ()


def parse_annotation(root: Path, file: str) -> VocXml | Rejected:
    """Read one XML."""
    try:
        tree = parse_xml(read_limited(root / file, MAX_XML_BYTES))
    except Unusable as error:
        return Rejected(file, error.reason, error.detail)
    if tree.tag != "annotation":
        detail = f"XML, but of a {tree.tag[:100]!r}, not of an annotation."
        return Rejected(file, "not-voc", detail)
    objects, rejected = [], []
    for number, element in enumerate(tree.iterfind("object"), 1):
        try:
            objects.append(_thing(element))
        except Unusable as error:
            reason, detail = error.reason, error.detail
            rejected.append(Rejected(file, reason, f"Object {number}: {detail}."))
    return VocXml(
        file=file,
        image=_text(tree, "filename"),
        size=_size(tree),
        objects=tuple(objects),
        rejected=tuple(rejected),
    )


def parse_xml(data: bytes) -> Element:
    """Parse XML that may be anything."""
    builder = TreeBuilder()
    parser = expat.ParserCreate()
    parser.buffer_text = True
    depth = count = 0

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal depth, count
        depth, count = depth + 1, count + 1
        if depth > MAX_DEPTH or count > MAX_ELEMENTS:
            raise Unusable("broken-xml", "Too many elements, or too deep.")
        builder.start(tag, attributes)

    def end(tag: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(tag)

    def doctype(*_: object) -> None:
        detail = "It has a document type, which is not read."
        raise Unusable("broken-xml", detail)

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = builder.data
    parser.StartDoctypeDeclHandler = doctype
    try:
        parser.Parse(data, True)
    except (expat.ExpatError, ValueError, LookupError) as error:
        raise Unusable("broken-xml", f"Not XML: {error}.") from error
    return builder.close()


def _text(element: Element, path: str) -> str:
    return (element.findtext(path) or "").strip()


def _size(tree: Element) -> tuple[int, int] | None:
    numbers = []
    for name in ("width", "height"):
        try:
            number = float(_text(tree, f"size/{name}"))
        except ValueError:
            return None
        # Where it was not known, programs write 0.
        if not 1 <= number < 1e9 or number != int(number):
            return None
        numbers.append(int(number))
    return numbers[0], numbers[1]


def _thing(element: Element) -> Annotation:
    label = _text(element, "name")
    if not is_label(label):
        raise Unusable("bad-label", f"its name is {label!r}")
    found = element.find("bndbox")
    box = None if found is None else _box(found)
    shapes = tuple(
        Shape.make("polygon", list(_corners(polygon)))
        for polygon in element.iterfind("polygon")
        if len(polygon) or (polygon.text or "").strip()
    )
    if not shapes and box is None:
        raise Unusable("no-shape", f"{label} has neither bndbox nor polygon")
    told = box if shapes and box and _differ(box, around(shapes)) else None
    shapes = shapes or (rectangle(box or ()),)
    return Annotation(label, shapes, bbox=told, attributes=_attributes(element))


def _box(element: Element) -> Bounds:
    x0, y0, x1, y1 = (
        _number(_text(element, name)) for name in ("xmin", "ymin", "xmax", "ymax")
    )
    return min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)


def _number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not abs(number) < FARTHEST:
        raise Unusable("bad-points", f"{text[:50]!r} is no coordinate")
    return number


def _corners(polygon: Element) -> Iterator[tuple[float, float]]:
    if not len(polygon):
        numbers = [
            _number(word) for word in re.split(r"[\s,;]+", polygon.text or "") if word
        ]
        if len(numbers) % 2:
            raise Unusable("bad-points", f"a polygon of {len(numbers)} numbers")
        yield from zip(numbers[::2], numbers[1::2], strict=True)
        return
    numbered = {}
    for child in polygon:
        if len(child):
            yield _number(_text(child, "x")), _number(_text(child, "y"))
        elif re.fullmatch("[xy][0-9]{1,9}", child.tag):
            numbered[child.tag] = _number((child.text or "").strip())
    for number in sorted({int(tag[1:]) for tag in numbered}):
        try:
            yield numbered[f"x{number}"], numbered[f"y{number}"]
        except KeyError as error:
            detail = f"a polygon without {error.args[0]}"
            raise Unusable("bad-points", detail) from error


def _differ(one: Bounds, other: Bounds) -> bool:
    return any(abs(a - b) > SAME for a, b in zip(one, other, strict=True))


def _attributes(element: Element) -> dict[str, Any]:
    attributes: dict[str, Any] = {}
    parts: list[dict[str, Any]] = []
    for child in element:
        if child.tag in {"name", "bndbox", "polygon"}:
            continue
        if child.tag == "part" and (found := child.find("bndbox")) is not None:
            parts.append({"name": _text(child, "name"), "box": list(_box(found))})
        elif child.tag == "attributes":
            for pair in child.iterfind("attribute"):
                attributes[_text(pair, "name")] = _text(pair, "value")
        else:
            attributes[child.tag] = _plain(child)
    for flag in FLAGS:
        if attributes.get(flag) in {"0", "1"}:
            attributes[flag] = int(attributes[flag])
    if str(attributes.get("pose")).lower() == "unspecified":
        del attributes["pose"]
    if parts:
        attributes["parts"] = parts
    return {
        name: value
        for name, value in attributes.items()
        if value not in ("", {}) and not (name in FLAGS and value == 0)
    }


def _plain(element: Element) -> Any:
    if not len(element):
        return (element.text or "").strip()
    return {child.tag: _plain(child) for child in element}


@dataclass
class Task:
    """The files about one image, "" for those that there are not.

    Attributes:
        xml: In Annotations.
        kinds: In SegmentationClass.
        objects: In SegmentationObject.
        classes: What the numbers in the masks mean; None where that cannot be read.
    """

    xml: str = ""
    kinds: str = ""
    objects: str = ""
    classes: Classes | None = None


@dataclass(frozen=True)
class Said:
    """What the files about one image say.

    Attributes:
        record: Without path; None where nothing of them can be used.
        image: The name of the image, as the XML has it.
        rejected: What cannot be used.
        masks: Files of masks that are used.
    """

    record: ImageRecord | None = None
    image: str = ""
    rejected: tuple[Rejected, ...] = ()
    masks: tuple[str, ...] = ()


def read_task(root: Path, task: Task) -> Said:
    """Read the files about one image."""
    told = parse_annotation(root, task.xml) if task.xml else VocXml("")
    if isinstance(told, Rejected):
        return Said(rejected=(told,))
    masks = tuple(file for file in (task.kinds, task.objects) if file)
    file = task.xml or masks[0]
    record = ImageRecord("", file, objects=told.objects, size=told.size)
    rejected = told.rejected
    if masks:
        try:
            record = _with_masks(root, task, record)
        except Unusable as error:
            reason, detail = error.reason, f"{error.detail.rstrip('.')}."
            rejected += tuple(Rejected(file, reason, detail) for file in masks)
            masks = ()
    if not record.objects and (told.rejected or not (task.xml or masks)):
        # What could not be understood does not say that nothing is there.
        return Said(rejected=rejected)
    return Said(record, told.image, rejected, masks)


def _with_masks(root: Path, task: Task, record: ImageRecord) -> ImageRecord:
    if not task.kinds:
        raise Unusable("no-class-mask", "No SegmentationClass tells what it shows")
    drawn = any(s.kind != "rectangle" for obj in record.objects for s in obj.shapes)
    if drawn or (record.objects and not task.objects):
        raise Unusable("not-needed", f"{task.xml} tells more of what is on the image")
    if task.classes is None:
        raise Unusable("no-names", "The names of its classes cannot be read")
    size, masks = read_objects(root, task.kinds, task.objects, task.classes)
    if record.size not in {None, size}:
        width, height = record.size or size
        detail = f"{size[0]} x {size[1]} pixels, {task.xml} says {width} x {height}"
        raise Unusable("size-mismatch", detail)
    return replace(record, objects=joined(record.objects, masks), size=size)
