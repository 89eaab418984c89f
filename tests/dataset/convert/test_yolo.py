from __future__ import annotations

import base64
import io
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from tests.dataset.conftest import in_pixels
from tlkit.dataset.annotations.coco_segmentation import polygon_area
from tlkit.dataset.annotations.shapes import Shape, mask_shape, rectangle
from tlkit.dataset.convert import yolo
from tlkit.dataset.convert.convert import convert
from tlkit.dataset.convert.records import OutputImage
from tlkit.dataset.formats import read
from tlkit.dataset.records import Annotation, ImageRecord
from tlkit.dataset.sources.open import open_source

BOX = rectangle((1, 2, 5, 9.5))
DOT = Shape("point", ((3, 4),))
TRIANGLE = Shape("polygon", ((10, 10), (20, 10), (15, 20)))


def layout_of(folder: Path) -> dict[str, int]:
    """Check a folder against Ultralytics' rules as its documentation has them.

    Places in data.yaml are relative to it; the label file of an image has "images"
    replaced by "labels"; lines are a class and 4 numbers or 3 corners and more, within
    0 and 1, all of a file alike. Returns the number of lines by split.
    """
    content = yaml.safe_load((folder / "data.yaml").read_text(encoding="utf-8"))
    assert {"train", "val", "names"} <= content.keys()
    assert "path" not in content
    assert list(content["names"]) == list(range(len(content["names"])))
    counts = {}
    for split in content.keys() & {"train", "val", "test"}:
        place = folder / content[split]
        assert place.is_dir()
        counts[split] = 0
        for image in filter(Path.is_file, place.rglob("*")):
            before, after = str(image).rsplit("/images/", 1)
            label = Path(f"{before}/labels/{after}").with_suffix(".txt")
            lines = [line.split() for line in label.read_text().splitlines()]
            assert len({len(line) == 5 for line in lines}) < 2
            for number, *shares in lines:
                assert 0 <= int(number) < len(content["names"])
                assert len(shares) == 4 or (len(shares) >= 6 and len(shares) % 2 == 0)
                assert all(0 <= float(share) <= 1 for share in shares)
            counts[split] += len(lines)
    return counts


@pytest.fixture
def written(tmp_path):
    """What is written of some records, what is dropped, and what is read again."""

    def write(*records: ImageRecord, labels=("cat", "dog")):
        names = [f"s/{number}.png" for number in range(len(records))]
        images = [
            OutputImage(p, n, 64, 48) for p, n in zip(records, names, strict=True)
        ]
        dropped = yolo.write(tmp_path, images, labels)
        for image in images:
            path = tmp_path / yolo.image_path(image)
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (64, 48)).save(path)
        layout_of(tmp_path)
        source = open_source(tmp_path, workers=0)
        parsed = in_pixels(tmp_path, read(source, "yolo"))
        assert parsed.rejected == ()
        return dropped, parsed

    return write


def record(*objects, **rest):
    return ImageRecord("x.png", objects=objects, **rest)


def lost(dropped):
    return [(field.file, field.obj, field.field) for field in dropped]


NO_AREA = "Its line has no area: its width or height is 0."
OUTSIDE = "It lies outside of the image; a line without area at its edge stands for it."
NO_SPLIT = [("data.yaml", 0, "split")] * 2


def test_boxes(written, tmp_path):
    reaching = rectangle((-4, 40, 32, 60))
    objects = [
        Annotation("dog", (BOX,)),
        Annotation("cat", (DOT,)),
        Annotation("cat", (reaching,)),
    ]
    dropped, parsed = written(record(*objects), record())
    text = (tmp_path / "labels" / "s+0.txt").read_text()
    assert text == (
        "1 0.046875 0.119791667 0.0625 0.15625\n"
        "0 0.046875 0.083333333 0 0\n"
        "0 0.25 0.916666667 0.5 0.166666667\n"
    )
    assert (tmp_path / "labels" / "s+1.txt").read_text() == ""
    assert (tmp_path / "data.yaml").read_text() == (
        "# Written by tlkit.\ntrain: images\nval: images\nnames:\n  0: cat\n  1: dog\n"
    )
    shape = [("s/0.png", number, "shape") for number in (2, 2, 3)]
    assert lost(dropped) == [*shape, *NO_SPLIT]
    assert [field.detail for field in dropped[:3]] == [
        "A point, written as its box.",
        NO_AREA,
        "It reaches out of the image; cut at its edge.",
    ]
    again, empty = parsed.records
    assert [obj.label for obj in again.objects] == ["dog", "cat", "cat"]
    found = [obj.bounds for obj in again.objects]
    expected = [(1, 2, 5, 9.5), (3, 4, 3, 4), (0, 40, 32, 48)]
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert (empty.objects, again.split, parsed.classes) == ((), None, ("cat", "dog"))


def test_outlines(written, tmp_path):
    inside = np.zeros((4, 4), bool)
    inside[0, 0] = inside[2:, 2:] = True
    objects = [
        Annotation("cat", (TRIANGLE,)),
        Annotation("cat", (BOX,)),
        Annotation("dog", (mask_shape(inside, 30, 20),)),
        Annotation("dog", (TRIANGLE, BOX)),
        Annotation("dog", (DOT,)),
        Annotation("cat", (Shape("circle", ((40, 20), (45, 20))),)),
    ]
    dropped, parsed = written(record(*objects))
    assert lost(dropped) == [
        *[("s/0.png", number, "shape") for number in (2, 3, 3, 4, 4, 5, 5, 6)],
        *NO_SPLIT,
    ]
    assert [field.detail for field in dropped[:7]] == [
        "A rectangle, written as its four corners.",
        "A mask, written as its outline, holes filled.",
        "2 outlines, joined to one by lines of no width.",
        "A rectangle, written as its four corners.",
        "2 outlines, joined to one by lines of no width.",
        "A point, written as its box.",
        NO_AREA,
    ]
    again = parsed.records[0].objects
    assert {obj.shapes[0].kind for obj in again} == {"polygon"}
    np.testing.assert_allclose(again[0].shapes[0].points, TRIANGLE.points, atol=1e-6)
    for obj, other in zip(objects, again, strict=True):
        assert obj.label == other.label
        np.testing.assert_allclose(obj.bounds, other.bounds, atol=1e-6)
    areas = [polygon_area(obj.shapes[0].points) for obj in again[:5]]
    np.testing.assert_allclose(areas, [50, 30, 5, 80, 0], atol=1e-4)


@pytest.mark.parametrize("others", [(), (TRIANGLE,)], ids=["boxes", "outlines"])
def test_what_is_outside_of_the_image(written, others):
    details = {
        rectangle((300, 30, 350, 40)): [OUTSIDE],
        rectangle((-9, 30, 0, 40)): [OUTSIDE],
        rectangle((30, -9, 40, -1)): [OUTSIDE],
        rectangle((-9, 30, 1, 40)): ["It reaches out of the image; cut at its edge."],
        Shape("point", ((64, 48),)): [NO_AREA],
        Shape("point", ((64, 49),)): [OUTSIDE],
        Shape("line", ((0, -9), (0, 9))): [
            "It reaches out of the image; cut at its edge.",
            NO_AREA,
        ],
    }
    dropped, parsed = written(
        record(*(Annotation("cat", (s,)) for s in (*details, *others)))
    )
    for number, expected in enumerate(details.values(), 1):
        found = [field.detail for field in dropped if field.obj == number]
        assert [detail for detail in found if "written" not in detail] == expected
    corner = parsed.records[0].objects[0].bounds
    np.testing.assert_allclose(corner, (64, 30, 64, 40), atol=1e-6)


def test_the_box_of_a_mask_with_a_margin(written):
    inside = np.zeros((30, 40), bool)
    inside[5:20, 3:33] = True
    buffer = io.BytesIO()
    Image.fromarray(inside).save(buffer, "PNG")
    text = base64.b64encode(buffer.getvalue()).decode()
    mask = Shape("mask", ((10, 8), (49, 37)), text)
    dropped, parsed = written(
        record(Annotation("cat", (mask,)), Annotation("cat", (TRIANGLE,)))
    )
    np.testing.assert_allclose(
        parsed.records[0].objects[0].bounds, (13, 13, 43, 28), atol=1e-6
    )
    assert [(field.obj, field.detail) for field in dropped if field.field == "box"] == [
        (1, "Its box was 10 8 50 38; that around what is written is 13 13 43 28.")
    ]


def test_joined_outlines():
    square = [(0.0, 0.0), (2.0, 0.0), (2.0, 2.0), (0.0, 2.0)]
    right = [(5.0, 0.0), (5.0, 2.0), (4.0, 2.0), (4.0, 0.0)]
    path = yolo.join([square, right])
    # over from the right upper corner to the nearest, round, and back
    assert path == [
        *square[:2],
        *[(4.0, 0.0), (5.0, 0.0), (5.0, 2.0), (4.0, 2.0), (4.0, 0.0)],
        *square[1:],
    ]
    assert yolo.join([square]) == square
    many = [[(x + i, y) for x, y in square] for i in range(0, 1200, 4)]
    path = yolo.join(many)
    assert polygon_area(path) == pytest.approx(300 * 4)
    assert {*path} == {point for part in many for point in part}


def test_joined_outlines_of_many_corners():
    angles = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    one = [(float(np.cos(a)), float(np.sin(a))) for a in angles]
    other = [(x + 3, y) for x, y in one]
    path = yolo.join([one, other])
    assert path[0] == one[0]
    assert path[1] == other[20]
    assert len(path) == 82


def test_splits(written, tmp_path):
    splits = ("train", "test", None)
    dropped, parsed = written(
        *(record(Annotation("cat", (BOX,)), split=s) for s in splits)
    )
    content = yaml.safe_load((tmp_path / "data.yaml").read_text())
    del content["names"]
    train = "images/train"
    assert content == {"train": train, "val": train, "test": "images/test"}
    assert [(field.file, field.detail) for field in dropped] == [
        ("data.yaml", "There is no val: data.yaml has images/train for it."),
        ("s/2.png", "In no split: data.yaml does not lead to it."),
    ]
    assert {p.path: p.split for p in parsed.records} == {
        "images/train/s+0.png": "train",
        "images/test/s+1.png": "test",
        "images/s+2.png": None,
    }


def test_what_else_is_dropped(tmp_path):
    obj = Annotation("cat", (BOX,), bbox=(0, 0, 9, 9), attributes={"confidence": 0.5})
    odd = record(obj, labels=("cat",), group="g", attributes={"a": 1}, split="train")
    dropped = yolo.write(tmp_path, [OutputImage(odd, "a.gif", 9, 40)], ["cat"])
    assert [(field.obj, field.field, field.detail) for field in dropped[:-1]] == [
        (0, "labels", "cat: only objects have labels."),
        (0, "group", "g: left out."),
        (0, "attributes", "a: left out."),
        (0, "image", "Ultralytics opens no .gif."),
        (0, "image", "Ultralytics opens none of fewer than 10 pixels across."),
        (1, "box", "Its box was 0 0 9 9; that around what is written is 1 2 5 9.5."),
        (1, "attributes", "confidence: left out."),
    ]


def test_names_that_yaml_would_take_for_something_else(written):
    labels = ("no", "1e3", "a: b", "é", "#x", "null")
    objects = [Annotation(label, (BOX,)) for label in labels]
    _, parsed = written(record(*objects), labels=labels)
    assert [obj.label for obj in parsed.records[0].objects] == list(labels)
    assert parsed.classes == labels


@pytest.mark.parametrize(("name", "count"), [("yolo", 87), ("bccd", 1870)])
def test_shared_boxes_come_back(shared_data, tmp_path, name, count):
    kind = {"bccd": "voc"}.get(name, name)
    place = shared_data / name
    convert(place, tmp_path / "out", to="yolo", workers=0)
    assert sum(layout_of(tmp_path / "out").values()) >= count
    source = in_pixels(place, read(open_source(place), kind))
    before = {Path(p.path).name: p for p in source.records}
    out = tmp_path / "out"
    after = in_pixels(out, read(open_source(out), "yolo")).records
    number = 0
    for record in after:
        other = before.pop(Path(record.path).name)
        assert record.split == other.split
        for one, two in zip(record.objects, other.objects, strict=True):
            assert one.label == two.label
            inside = np.clip(two.bounds, 0, 2 * (record.size or ()))
            np.testing.assert_allclose(one.bounds, inside, atol=1e-3)
            number += 1
    assert (number, before) == (count, {})
