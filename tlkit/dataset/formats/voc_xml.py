"""The XML of one image in Pascal VOC's format.

Corners are taken as they are, with 0 at the left and upper edge of the image, as
everywhere in tlkit. VOC's own are documented to count pixels from 1; labelImg and the
usual converters write plain coordinates, so that taking 1 off would shift every box
that they made.

    object/name                           the label
    object/bndbox/xmin ymin xmax ymax     a box, whichever corners
    object/polygon                        <x1> <y1> <x2> ..., or <pt> of <x> and <y>, or
                                          numbers as text; a bndbox may come with it
    object/part                           attributes "parts": name and box of each
    object/attributes/attribute           attributes by name, as CVAT writes them
    object/pose truncated difficult ...   attributes, unless they have their usual value

A document type is refused, and with it all that entities could do (laughs by the
billion, files of this machine).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, ParseError, TreeBuilder, XMLParser

from tlkit.dataset.annotations.shapes import (
    FARTHEST,
    Bounds,
    Shape,
    around,
    rectangle,
)
from tlkit.dataset.records import Annotation, ImageRecord, Rejected, is_label
from tlkit.imaging.safe_read import Unusable, read_limited

MAX_XML_BYTES = 16 << 20
MAX_ELEMENTS = 1_000_000
MAX_DEPTH = 32
FLAGS = ("truncated", "difficult", "occluded")
# A box given with a polygon is kept where it differs by so many pixels.
NEAR = 1e-3


@dataclass(frozen=True)
class VocImage:
    """The annotation of one image; without a record if nothing of it can be used.

    The record has no path yet; `named` is the image as the XML names it, `masks` are
    the mask files that were used.
    """

    record: ImageRecord | None = None
    named: str = ""
    rejected: tuple[Rejected, ...] = ()
    masks: tuple[str, ...] = ()


def parse_annotation(root: Path, file: str) -> VocImage:
    """Read one XML."""
    try:
        tree = parse_xml(read_limited(root / file, MAX_XML_BYTES))
        if tree.tag != "annotation":
            detail = f"XML, but of a {tree.tag[:100]!r}, not of an annotation."
            raise Unusable("not-voc", detail)
    except Unusable as error:
        return VocImage(rejected=(Rejected(file, error.reason, error.detail),))
    objects, rejected = [], []
    for number, element in enumerate(tree.iterfind("object"), 1):
        try:
            objects.append(_object(element))
        except Unusable as error:
            detail = f"Object {number}: {error.detail}."
            rejected.append(Rejected(file, error.reason, detail))
    record = ImageRecord("", file, objects=tuple(objects), size=_size(tree))
    return VocImage(record, _text(tree, "filename"), tuple(rejected))


class _Builder(TreeBuilder):
    def doctype(self, *_: object) -> None:
        raise Unusable("broken-xml", "It has a document type, which is not read.")


def parse_xml(data: bytes) -> Element:
    """Parse XML that may be anything; refuse document types, depth and size."""
    parser = XMLParser(target=_Builder())
    try:
        # An element has two tags at most: more are refused before they take memory.
        if data.count(b"<") > 2 * MAX_ELEMENTS:
            raise ValueError("too many elements")
        parser.feed(data)
        tree: Element = parser.close()
        _check_size(tree)
    except (ParseError, ValueError, LookupError) as error:
        raise Unusable("broken-xml", f"Not XML: {error}.") from error
    return tree


def _check_size(tree: Element) -> None:
    level, number = [tree], 1
    for _ in range(MAX_DEPTH):
        level = [child for element in level for child in element]
        number += len(level)
        if not level or number > MAX_ELEMENTS:
            break
    if level:
        raise ValueError("too many elements, or too deep")


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


def _object(element: Element) -> Annotation:
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
    given = box if shapes and box and _differ(box, around(shapes)) else None
    shapes = shapes or (rectangle(box or ()),)
    return Annotation(label, shapes, bbox=given, attributes=_attributes(element))


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
        raise Unusable("bad-points", f"{text[:50]!r} is not a coordinate")
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
    return any(abs(a - b) > NEAR for a, b in zip(one, other, strict=True))


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
