"""Writer of Pascal VOC.

    JPEGImages/1.jpg
    Annotations/1.xml
    ImageSets/Main/{train,val,trainval,test}.txt     for the splits that there are

Boxes have 0 at the left and upper edge, as everywhere in tlkit, and decimals where they
are not whole. Outlines follow the box, <polygon><x1><y1>..., one for each part, which
`formats.voc` and some other programs read.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, ElementTree, indent

from tlkit.dataset.convert import dropped
from tlkit.dataset.convert.dropped import Field
from tlkit.dataset.convert.names import flat
from tlkit.dataset.convert.records import DroppedField, OutputImage
from tlkit.dataset.formats.voc_xml import FLAGS
from tlkit.dataset.records import Annotation
from tlkit.files import write_text

LISTS = {
    "train": {"train"},
    "val": {"val"},
    "trainval": {"train", "val"},
    "test": {"test"},
}
# The text of an element, or its children.
Content = str | Iterable[tuple[str, Any]]
# What XML cannot hold.
NO_XML = re.compile("[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def image_path(image: OutputImage) -> str:
    """Return the path of an image's copy."""
    return f"JPEGImages/{flat(image.name)}"


def write(
    folder: Path,
    images: Sequence[OutputImage],
    labels: Sequence[str],  # noqa: ARG001
) -> list[DroppedField]:
    """Write everything but the images."""
    lost: list[DroppedField] = []
    (folder / "Annotations").mkdir()
    for image in images:
        tree = _annotation(image)
        indent(tree, "\t")
        path = folder / "Annotations" / f"{_stem(image)}.xml"
        ElementTree(tree).write(path, encoding="utf-8")
        of_objects = map(_dropped, image.record.objects)
        lost += dropped.collect(image, dropped.of_image(image.record), of_objects)
    _write_lists(folder / "ImageSets" / "Main", images)
    return lost


def _stem(image: OutputImage) -> str:
    return posixpath.splitext(flat(image.name))[0]


def _write_lists(folder: Path, images: Sequence[OutputImage]) -> None:
    found = {image.record.split for image in images}
    for name, splits in LISTS.items():
        if found >= splits:
            folder.mkdir(parents=True, exist_ok=True)
            stems = [_stem(image) for image in images if image.record.split in splits]
            write_text(folder / f"{name}.txt", "".join(f"{stem}\n" for stem in stems))


def _element(tag: str, content: Content) -> Element:
    element = Element(tag)
    if isinstance(content, str):
        element.text = NO_XML.sub("\ufffd", content)
    else:
        element.extend(_element(*child) for child in content)
    return element


def _annotation(image: OutputImage) -> Element:
    width, height = str(image.width), str(image.height)
    return _element(
        "annotation",
        [
            ("folder", "JPEGImages"),
            ("filename", flat(image.name)),
            ("source", [("database", "Unknown")]),
            ("size", [("width", width), ("height", height), ("depth", "3")]),
            ("segmented", "0"),
            *(("object", _object(obj)) for obj in image.record.objects),
        ],
    )


def _object(obj: Annotation) -> Iterator[tuple[str, Content]]:
    yield "name", obj.label
    usual = {"pose": "Unspecified", "truncated": 0, "difficult": 0}
    for name, value in (usual | _plain(obj.attributes)).items():
        yield name, str(int(value) if isinstance(value, bool) else value)
    boxed = _is_box(obj)
    yield "bndbox", _box(obj.shapes[0].bounds if boxed else obj.bounds)
    for shape in () if boxed else obj.shapes:
        for outline in shape.outlines():
            corners = [
                (f"{axis}{number}", _number(value))
                for number, point in enumerate(outline, 1)
                for axis, value in zip("xy", point, strict=True)
            ]
            yield "polygon", corners
    for part in _parts(obj.attributes):
        yield "part", [("name", part["name"]), ("bndbox", _box(part["box"]))]


def _is_box(obj: Annotation) -> bool:
    return len(obj.shapes) == 1 and obj.shapes[0].kind == "rectangle"


def _plain(attributes: Mapping[str, Any]) -> dict[str, str | int]:
    return {
        name: attributes[name]
        for name in ("pose", *FLAGS)
        if isinstance(attributes.get(name), str | int)
    }


def _parts(attributes: Mapping[str, Any]) -> list[Any]:
    """Return the attribute "parts", unless any is not a name and a box."""
    parts = attributes.get("parts")
    if not isinstance(parts, list):
        return []
    fit = all(
        isinstance(part, dict)
        and part.keys() == {"name", "box"}
        and isinstance(part["name"], str)
        and isinstance(part["box"], list)
        and len(part["box"]) == 4
        and all(isinstance(v, int | float) for v in part["box"])
        for part in parts
    )
    return parts if fit else []


def _box(box: Sequence[float]) -> Content:
    names = ("xmin", "ymin", "xmax", "ymax")
    return list(zip(names, map(_number, box), strict=True))


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(float(value))


def _dropped(obj: Annotation) -> Iterator[Field]:
    boxed = _is_box(obj)
    yield from dropped.shapes(obj, {"rectangle"} if boxed else {"polygon"})
    if not boxed and any(shape.outlines() for shape in obj.shapes):
        yield "shape", "Outlines follow the box; many programs read only the box."
    if boxed and dropped.box_differs(obj):
        yield "box", "The given box is not that around the shape; left out."
    yield from dropped.ignored(obj)
    kept = {*_plain(obj.attributes), *(["parts"] if _parts(obj.attributes) else [])}
    yield from dropped.attributes(obj.attributes, kept)
