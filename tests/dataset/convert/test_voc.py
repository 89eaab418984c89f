from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from tests.dataset.conftest import in_pixels
from tlkit.dataset.annotations.shapes import Shape, mask_shape, rectangle
from tlkit.dataset.convert import voc
from tlkit.dataset.convert.convert import convert
from tlkit.dataset.convert.records import OutputImage
from tlkit.dataset.formats import read
from tlkit.dataset.records import Annotation, ImageRecord
from tlkit.dataset.sources.open import open_source

BOX = rectangle((1, 2, 5, 9.125))
DOT = Shape("point", ((3, 4),))
TRIANGLE = Shape("polygon", ((10, 10), (20.3, 10), (15, 20)))


def layout_of(folder: Path) -> None:
    """Check a folder as torchvision's VOCDetection goes through it."""
    sets = folder / "ImageSets" / "Main"
    images = {path.stem for path in (folder / "JPEGImages").iterdir()}
    assert {path.stem for path in (folder / "Annotations").iterdir()} == images
    listed = (
        [p.read_text().split() for p in sets.glob("*.txt")] if sets.is_dir() else []
    )
    assert images.issuperset(name for names in listed for name in names)
    for name in images:
        tree = ElementTree.parse(folder / "Annotations" / f"{name}.xml").getroot()
        assert (folder / "JPEGImages" / (tree.findtext("filename") or "")).is_file()
        assert all(int(tree.findtext(f"size/{key}") or 0) for key in ("width", "depth"))
        for element in tree.iterfind("object"):
            assert element.findtext("name")
            assert element.findtext("difficult") in {"0", "1"}
            corners = [element.findtext(f"bndbox/{key}") for key in ("xmin", "ymax")]
            assert all(corner and float(corner) is not None for corner in corners)


@pytest.fixture
def written(tmp_path):
    """What is written of some records, what is dropped, and what is read again."""

    def write(*records: ImageRecord):
        names = [f"s/{number}.png" for number in range(len(records))]
        images = [
            OutputImage(p, n, 64, 48) for p, n in zip(records, names, strict=True)
        ]
        dropped = voc.write(tmp_path, images, ["cat", "dog"])
        (tmp_path / "JPEGImages").mkdir()
        for image in images:
            Image.new("RGB", (64, 48)).save(tmp_path / voc.image_path(image))
        layout_of(tmp_path)
        parsed = read(open_source(tmp_path, workers=0), "voc")
        assert parsed.rejected == ()
        return dropped, parsed

    return write


def record(*objects, **rest):
    return ImageRecord("x.png", objects=objects, **rest)


def lost(dropped):
    return [(field.obj, field.field) for field in dropped]


EXPECTED = """<annotation>
	<folder>JPEGImages</folder>
	<filename>s+0.png</filename>
	<source>
		<database>Unknown</database>
	</source>
	<size>
		<width>64</width>
		<height>48</height>
		<depth>3</depth>
	</size>
	<segmented>0</segmented>
	<object>
		<name>cat &lt;é</name>
		<pose>Unspecified</pose>
		<truncated>0</truncated>
		<difficult>1</difficult>
		<bndbox>
			<xmin>1</xmin>
			<ymin>2</ymin>
			<xmax>5</xmax>
			<ymax>9.125</ymax>
		</bndbox>
	</object>
</annotation>"""


def test_a_box(written, tmp_path):
    obj = Annotation("cat <é", (BOX,), attributes={"difficult": True})
    dropped, parsed = written(record(obj), record())
    text = (tmp_path / "Annotations" / "s+0.xml").read_text(encoding="utf-8")
    assert text == EXPECTED
    assert dropped == []
    assert [p.objects for p in parsed.records] == [(obj,), ()]
    assert parsed.records[0].size == (64, 48)
    assert not (tmp_path / "ImageSets").exists()


def test_outlines(written):
    parts = [{"name": "head", "box": [1.5, 2, 3, 4]}]
    told = {"pose": "Left", "truncated": 1, "occluded": 1, "parts": parts}
    objects = (
        Annotation("cat", (TRIANGLE,), attributes=told),
        Annotation("cat", (TRIANGLE,), bbox=(9, 9, 21, 21)),
        Annotation("dog", (TRIANGLE, TRIANGLE)),
    )
    dropped, parsed = written(record(*objects))
    assert parsed.records[0].objects == objects
    assert lost(dropped) == [(1, "shape"), (2, "shape"), (3, "shape")]
    assert "many programs read only the box" in dropped[0].detail


def test_other_shapes(written):
    inside = np.zeros((4, 4), bool)
    inside[0, 0] = inside[2:, 2:] = True
    objects = [
        Annotation("cat", (mask_shape(inside, 30, 20),)),
        Annotation("cat", (Shape("circle", ((40, 20), (43, 24))),)),
        Annotation("dog", (DOT,)),
        Annotation("dog", (Shape("linestrip", ((-3, 4), (70, 8))),)),
    ]
    dropped, parsed = written(record(*objects))
    again = parsed.records[0].objects
    assert [t.bounds for t in again] == [t.bounds for t in objects]
    assert [len(t.shapes) for t in again] == [2, 1, 1, 1]
    kinds = [t.shapes[0].kind for t in again]
    assert kinds == ["polygon", "polygon", "rectangle", "rectangle"]
    assert [field.detail for field in dropped if "follow" not in field.detail] == [
        "A mask, written as its outline, holes filled.",
        "A circle, written as an outline of many corners.",
        "A point, written as its box.",
        "A linestrip, written as its box.",
    ]


def test_splits(written, tmp_path):
    splits = ("train", "val", "test", None, "train")
    _, parsed = written(*(record(split=split) for split in splits))
    assert [p.split for p in parsed.records] == list(splits)
    lists = (tmp_path / "ImageSets" / "Main").iterdir()
    assert {path.name: path.read_text().split() for path in lists} == {
        "train.txt": ["s+0", "s+4"],
        "val.txt": ["s+1"],
        "trainval.txt": ["s+0", "s+1", "s+4"],
        "test.txt": ["s+2"],
    }


def test_what_else_is_dropped(written):
    bad = [{"name": "a", "box": "x"}]
    told = {"confidence": 0.5, "parts": bad, "difficult": [1]}
    obj = Annotation("cat", (BOX,), bbox=(0, 0, 9, 9), attributes=told)
    odd = record(obj, labels=("cat",), group="g", attributes={"a": 1})
    dropped, parsed = written(odd)
    assert [(field.obj, field.field, field.detail) for field in dropped] == [
        (0, "labels", "cat: only objects have labels."),
        (0, "group", "g: left out."),
        (0, "attributes", "a: left out."),
        (1, "box", "The given box is not that around the shape; left out."),
        (1, "attributes", "confidence, parts, difficult: left out."),
    ]
    assert parsed.records[0].objects == (Annotation("cat", (BOX,)),)


def test_text_that_xml_cannot_hold(written):
    obj = Annotation("cat", (BOX,), attributes={"pose": "a\x01\ud800b"})
    _, parsed = written(record(obj))
    assert parsed.records[0].objects[0].attributes == {"pose": "a\ufffd\ufffdb"}


@pytest.mark.parametrize(("name", "count"), [("yolo", 87), ("bccd", 1870)])
def test_shared_boxes_come_back(shared_data, tmp_path, name, count):
    kind = {"bccd": "voc"}.get(name, name)
    place = shared_data / name
    convert(place, tmp_path / "out", to="voc", workers=0)
    layout_of(tmp_path / "out")
    source = in_pixels(place, read(open_source(place), kind))
    before = {Path(p.path).name: p for p in source.records}
    after = read(open_source(tmp_path / "out"), "voc").records
    number = 0
    for record in after:
        other = before.pop(Path(record.path).name)
        assert record.split == other.split
        assert record.objects == other.objects
        number += len(record.objects)
    assert (number, before) == (count, {})
