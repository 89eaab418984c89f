"""Sheets in, Pascal VOC out.

    JPEGImages/1.jpg
    Annotations/1.xml
    ImageSets/Main/{train,val,trainval,test}.txt     for the sides that there are

Boxes are written as everything is in here, with 0 at the left and upper edge, and with
decimals where they are not whole. Outlines stand beside the box, <polygon><x1><y1>...,
one for each part, which `sources.voc` and some other programs read.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, ElementTree, SubElement, indent

from tlkit.dataset.convert import losses as lost
from tlkit.dataset.convert.records import Loss, Sheet, flat
from tlkit.dataset.formats.voc_xml import FLAGS
from tlkit.dataset.records import Annotation

LISTS = {
    "train": ("train",),
    "val": ("val",),
    "trainval": ("train", "val"),
    "test": ("test",),
}
# What XML cannot hold.
NO_TEXT = re.compile("[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def place(sheet: Sheet) -> str:
    """Where the copy of an image goes."""
    return f"JPEGImages/{flat(sheet.name)}"


def write(folder: Path, sheets: Sequence[Sheet], labels: Sequence[str]) -> list[Loss]:  # noqa: ARG001
    """Write everything but the images."""
    losses: list[Loss] = []
    (folder / "Annotations").mkdir()
    for sheet in sheets:
        tree = _annotation(sheet)
        indent(tree, "\t")
        path = folder / "Annotations" / f"{_stem(sheet)}.xml"
        ElementTree(tree).write(path, encoding="utf-8")
        losses += lost.of_image(sheet)
        for number, obj in enumerate(sheet.record.objects, 1):
            losses += _losses(obj, sheet.name, number)
    _write_lists(folder / "ImageSets" / "Main", sheets)
    return losses


def _stem(sheet: Sheet) -> str:
    return posixpath.splitext(flat(sheet.name))[0]


def _write_lists(folder: Path, sheets: Sequence[Sheet]) -> None:
    found = {sheet.record.split for sheet in sheets}
    for name, sides in LISTS.items():
        if found.issuperset(sides):
            folder.mkdir(parents=True, exist_ok=True)
            stems = [_stem(sheet) for sheet in sheets if sheet.record.split in sides]
            text = "".join(f"{stem}\n" for stem in stems)
            path = folder / f"{name}.txt"
            path.write_text(text, encoding="utf-8", newline="\n")


def _annotation(sheet: Sheet) -> Element:
    tree = Element("annotation")
    _add(tree, "folder", "JPEGImages")
    _add(tree, "filename", flat(sheet.name))
    _add(SubElement(tree, "source"), "database", "Unknown")
    size = SubElement(tree, "size")
    for name, number in (("width", sheet.width), ("height", sheet.height)):
        _add(size, name, str(number))
    _add(size, "depth", "3")
    _add(tree, "segmented", "0")
    for obj in sheet.record.objects:
        _add_object(tree, obj)
    return tree


def _add_object(tree: Element, obj: Annotation) -> None:
    element = SubElement(tree, "object")
    _add(element, "name", obj.label)
    usual = {"pose": "Unspecified", "truncated": 0, "difficult": 0}
    for name, value in (usual | _plain(obj.attributes)).items():
        _add(element, name, str(int(value) if isinstance(value, bool) else value))
    whole = _is_box(obj)
    _add_box(element, obj.shapes[0].bounds if whole else obj.bounds)
    for shape in () if whole else obj.shapes:
        for outline in shape.outlines():
            polygon = SubElement(element, "polygon")
            for number, (x, y) in enumerate(outline, 1):
                _add(polygon, f"x{number}", _number(x))
                _add(polygon, f"y{number}", _number(y))
    for part in _parts(obj.attributes):
        inner = SubElement(element, "part")
        _add(inner, "name", part["name"])
        _add_box(inner, part["box"])


def _is_box(obj: Annotation) -> bool:
    return len(obj.shapes) == 1 and obj.shapes[0].kind == "rectangle"


def _plain(attributes: Mapping[str, Any]) -> dict[str, str | int]:
    return {
        name: attributes[name]
        for name in ("pose", *FLAGS)
        if isinstance(attributes.get(name), str | int)
    }


def _parts(attributes: Mapping[str, Any]) -> list[Any]:
    parts = attributes.get("parts")
    fit = isinstance(parts, list) and all(
        isinstance(part, dict)
        and part.keys() == {"name", "box"}
        and isinstance(part["name"], str)
        and isinstance(part["box"], list)
        and len(part["box"]) == 4
        and all(isinstance(v, int | float) for v in part["box"])
        for part in parts
    )
    return parts if fit and isinstance(parts, list) else []


def _add(element: Element, name: str, text: str) -> None:
    SubElement(element, name).text = NO_TEXT.sub("\ufffd", text)


def _add_box(element: Element, box: Sequence[float]) -> None:
    found = SubElement(element, "bndbox")
    for name, value in zip(("xmin", "ymin", "xmax", "ymax"), box, strict=True):
        _add(found, name, _number(value))


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(float(value))


def _losses(obj: Annotation, name: str, number: int) -> Iterator[Loss]:
    whole = _is_box(obj)
    for detail in lost.kinds(obj, {"rectangle"} if whole else {"polygon"}):
        yield Loss(name, number, "shape", detail)
    if not whole and any(shape.outlines() for shape in obj.shapes):
        detail = "Outlines are kept beside the box; many programs read only that."
        yield Loss(name, number, "shape", detail)
    if whole and lost.is_off(obj):
        detail = "The given box is not that around the shape; left out."
        yield Loss(name, number, "box", detail)
    for detail in lost.ignored(obj):
        yield Loss(name, number, lost.IGNORED, detail)
    kept = {*_plain(obj.attributes), *(["parts"] if _parts(obj.attributes) else [])}
    if names := lost.left_out(obj.attributes, kept):
        yield Loss(name, number, "attributes", names)
