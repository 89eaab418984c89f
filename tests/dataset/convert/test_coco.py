from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from tlkit.dataset.annotations.rle import decode
from tlkit.dataset.annotations.shapes import Shape, mask_shape, rectangle
from tlkit.dataset.convert import coco
from tlkit.dataset.convert.records import OutputImage
from tlkit.dataset.formats import coco as reader
from tlkit.dataset.records import Annotation, ImageRecord
from tlkit.dataset.sources.open import open_source

TRIANGLE = Shape("polygon", ((4, 8), (14, 8), (14, 28)))
CIRCLE = Shape("circle", ((8, 8), (11, 12)))
LINE = Shape("line", ((1, 2), (5, 9)))


@pytest.fixture
def written(tmp_path):
    """What is written of objects on one record, and what is dropped."""

    def write(*objects: Annotation, **record):
        image = OutputImage(
            ImageRecord("x/a.png", objects=objects, **record), "a.png", 64, 48
        )
        place = tmp_path / str(len(list(tmp_path.iterdir())))
        place.mkdir()
        dropped = coco.write(place, [image], ["cat", "dog"])
        (file,) = (place / "annotations").iterdir()
        return json.loads(file.read_text(encoding="utf-8")), dropped

    return write


def lost(dropped):
    return [(field.obj, field.field) for field in dropped]


def test_a_polygon(written):
    content, dropped = written(Annotation("dog", (TRIANGLE,)))
    assert content["images"] == [
        {"id": 1, "file_name": "a.png", "width": 64, "height": 48}
    ]
    assert content["categories"] == [
        {"id": 1, "name": "cat", "supercategory": ""},
        {"id": 2, "name": "dog", "supercategory": ""},
    ]
    assert content["annotations"] == [
        {
            "id": 1,
            "image_id": 1,
            "category_id": 2,
            "bbox": [4, 8, 10, 20],
            "area": 100,
            "iscrowd": 0,
            "segmentation": [[4, 8, 14, 8, 14, 28]],
        }
    ]
    assert dropped == []


def test_boxes(written):
    box, flat = rectangle((1, 2, 5, 9)), rectangle((1, 2, 1, 9))
    content, dropped = written(Annotation("cat", (box,)), Annotation("cat", (flat,)))
    one, two = content["annotations"]
    assert (one["bbox"], one["area"]) == ([1, 2, 4, 7], 28)
    assert one["segmentation"] == [[1, 2, 5, 2, 5, 9, 1, 9]]
    assert one["tlkit"]["shapes"] == [
        {"shape_type": "rectangle", "points": [[1, 2], [5, 9]]}
    ]
    assert (two["bbox"], two["area"]) == ([1, 2, 0, 7], 0)
    assert two["segmentation"] == [[1, 2, 1, 2, 1, 9, 1, 9]]
    assert two["tlkit"]["shapes"] == [flat.json()]
    assert dropped == []


def test_a_given_box(written):
    content, _ = written(Annotation("cat", (TRIANGLE,), bbox=(3, 7, 15, 30)))
    assert content["annotations"][0]["bbox"] == [3, 7, 12, 23]


def test_what_coco_does_not_know(written):
    content, dropped = written(Annotation("cat", (CIRCLE,)), Annotation("cat", (LINE,)))
    circle, line = content["annotations"]
    assert len(circle["segmentation"][0]) == 2 * 64
    assert circle["bbox"] == [3, 3, 10, 10]
    assert circle["area"] == pytest.approx(np.pi * 25, rel=0.01)
    assert circle["tlkit"]["shapes"] == [CIRCLE.json()]
    assert (line["segmentation"], line["area"]) == ([[1, 2, 5, 9, 5, 9]], 0)
    assert line["bbox"] == [1, 2, 4, 7]
    assert line["tlkit"]["shapes"] == [LINE.json()]
    assert lost(dropped) == [(1, "shape"), (2, "shape")]
    assert "as a polygon" in dropped[0].detail
    assert "as a polygon without area" in dropped[1].detail


NO_AREA = {
    LINE: [[1, 2, 5, 9, 5, 9]],
    Shape("linestrip", ((1, 2), (5, 9), (8, 2))): [[1, 2, 5, 9, 8, 2, 5, 9]],
    Shape("point", ((3, 4),)): [[3, 4] * 3],
    Shape("points", ((3, 4), (70, -5))): [[3, 4] * 3, [70, -5] * 3],
    rectangle((1, 2, 1, 9)): [[1, 2, 1, 2, 1, 9, 1, 9]],
}


@pytest.mark.parametrize("shape", NO_AREA, ids=lambda shape: shape.kind)
def test_pycocotools_makes_a_mask_of_what_has_no_area(tmp_path, capsys, shape):
    coco_tools = pytest.importorskip("pycocotools.coco")
    objects = (Annotation("cat", (shape,)), Annotation("cat", (shape, TRIANGLE)))
    image = OutputImage(ImageRecord("a.png", objects=objects), "a.png", 64, 48)
    coco.write(tmp_path, [image], ["cat"])
    opened = coco_tools.COCO(str(tmp_path / "annotations" / "instances_default.json"))
    assert "index created" in capsys.readouterr().out
    one, two = opened.loadAnns(opened.getAnnIds())
    assert one["segmentation"] == NO_AREA[shape]
    assert opened.annToMask(one).sum() == 0
    assert opened.annToMask(two).sum() == pytest.approx(100, rel=0.1)
    Image.new("RGB", (64, 48)).save(tmp_path / "a.png")
    (record,) = reader.read(open_source(tmp_path, workers=0)).records
    assert [obj.shapes for obj in record.objects] == [t.shapes for t in objects]


def test_masks(written):
    inside = np.eye(5, dtype=bool)
    crowd = Annotation("cat", (mask_shape(inside, 3, 2),), attributes={"iscrowd": 1})
    both = Annotation("cat", (mask_shape(inside, 3, 2), TRIANGLE))
    content, dropped = written(crowd, both)
    one, two = content["annotations"]
    assert (one["iscrowd"], one["area"], one["bbox"]) == (1, 5, [3, 2, 5, 5])
    assert one["segmentation"]["size"] == [48, 64]
    found = decode(one["segmentation"]["counts"], [48, 64])
    assert found[2:7, 3:8].tolist() == inside.tolist()
    assert found.sum() == 5
    assert "tlkit" not in one
    assert len(two["tlkit"]["shapes"]) == 2
    assert lost(dropped) == [(2, "shape")]


def test_attributes(written):
    attributes = {
        "supercategory": "animal",
        "area": 99.5,
        "keypoints": [1, 2, 2],
        "difficult": 1,
        "id": "x",
        "tlkit": 3,
        "iscrowd": "yes",
    }
    content, dropped = written(
        Annotation("dog", (TRIANGLE,), attributes=attributes),
        Annotation(
            "dog", (TRIANGLE,), attributes={"supercategory": "object", "area": "?"}
        ),
    )
    one, two = content["annotations"]
    assert content["categories"][1]["supercategory"] == "animal"
    assert (one["id"], one["area"], one["iscrowd"], one["difficult"]) == (1, 99.5, 0, 1)
    assert one["keypoints"] == [1, 2, 2]
    assert one["tlkit"] == {"attributes": {"id": "x", "tlkit": 3}}
    assert (two["supercategory"], two["area"]) == ("object", 100)
    assert [field.detail.split(":")[0] for field in dropped] == ["difficult, id, tlkit"]


def test_of_the_image(written):
    content, dropped = written(
        labels=("wet", "cold"), group="g", attributes={"license": 3, "id": 9, "by": "x"}
    )
    assert content["images"] == [
        {
            "id": 1,
            "file_name": "a.png",
            "width": 64,
            "height": 48,
            "license": 3,
            "by": "x",
            "tlkit": {"labels": ["wet", "cold"], "group": "g", "attributes": {"id": 9}},
        }
    ]
    assert lost(dropped) == [(0, "labels"), (0, "group"), (0, "attributes")]


def test_a_file_for_each_split(tmp_path):
    images = [
        OutputImage(
            ImageRecord(f"{i}.png", objects=(Annotation("cat", (LINE,)),), split=split),
            name,
            9,
            9,
        )
        for i, (split, name) in enumerate(
            [
                ("train", "0.png"),
                ("val", "b/1.png"),
                ("train", "2.png"),
                (None, "3.png"),
            ]
        )
    ]
    assert [coco.image_path(image) for image in images[:2]] == [
        "images/0.png",
        "images/b/1.png",
    ]
    coco.write(tmp_path, images, ["cat"])
    files = {
        path.name: json.loads(path.read_text())
        for path in (tmp_path / "annotations").iterdir()
    }
    assert {
        name: [(i["id"], i["file_name"]) for i in content["images"]]
        for name, content in files.items()
    } == {
        "instances_train.json": [(1, "0.png"), (3, "2.png")],
        "instances_val.json": [(2, "b/1.png")],
        "instances_default.json": [(4, "3.png")],
    }
    ids = [a["id"] for content in files.values() for a in content["annotations"]]
    assert sorted(ids) == [1, 2, 3, 4]


def test_tlkit_reads_all_of_it_again(tmp_path):
    attributes = {"id": 9, "by": "x", "license": 3}
    record = ImageRecord(
        *("a.png", "", ("wet",)),
        objects=(
            Annotation(
                "cat", (CIRCLE, TRIANGLE), attributes={"difficult": 1, "bbox": 3}
            ),
            Annotation("cat", (LINE,)),
            Annotation("dog", (mask_shape(np.eye(9, dtype=bool), 60, 40), TRIANGLE)),
            # wholly outside: no pixel of it is left in COCO
            Annotation("dog", (mask_shape(np.eye(9, dtype=bool), 90, 40),)),
        ),
        split="val",
        group="g",
        attributes=attributes,
    )
    coco.write(tmp_path, [OutputImage(record, "a.png", 64, 48)], ["dog", "cat"])
    (tmp_path / "images").mkdir()
    Image.new("RGB", (64, 48)).save(tmp_path / "images" / "a.png")
    parsed = reader.read(open_source(tmp_path, workers=0))
    (again,) = parsed.records
    assert parsed.rejected == ()
    assert parsed.classes == ("dog", "cat")
    assert (again.labels, again.split, again.group) == (("wet",), "val", "g")
    assert again.attributes == attributes
    for obj, other in zip(record.objects, again.objects, strict=True):
        assert (other.label, other.shapes) == (obj.label, obj.shapes)
        assert other.attributes == obj.attributes
        assert other.bounds == pytest.approx(obj.bounds)
