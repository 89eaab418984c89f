from __future__ import annotations

import json
import math

import numpy as np
import pytest
from PIL import Image

from tlkit.dataset.annotations.shapes import Shape, mask_shape, rectangle
from tlkit.dataset.convert import labelme
from tlkit.dataset.convert.records import OutputImage
from tlkit.dataset.formats import labelme as reader
from tlkit.dataset.records import Annotation, ImageRecord
from tlkit.dataset.sources.open import open_source

BOX = rectangle((1, 2, 5, 9))
DOT = Shape("point", ((3, 4),))
ELLIPSE = Shape("ellipse", ((20, 20), (30, 20), (20, 25)))


@pytest.fixture
def written(tmp_path):
    """What is written of one record, what is dropped, and what is read again."""

    def write(*objects: Annotation, **record):
        image = OutputImage(
            ImageRecord("x/a.png", objects=objects, **record), "b/a.png", 64, 48
        )
        dropped = labelme.write(tmp_path, [image], ["cat"])
        content = json.loads((tmp_path / "b" / "a.json").read_text(encoding="utf-8"))
        Image.new("RGB", (64, 48)).save(tmp_path / "b" / "a.png")
        parsed = reader.read(open_source(tmp_path, workers=0))
        (again,) = parsed.records
        assert parsed.rejected == ()
        return content, dropped, again

    return write


def lost(dropped):
    return [(field.obj, field.field) for field in dropped]


def test_a_box(written):
    content, dropped, again = written(Annotation("cat é", (BOX,)))
    assert content == {
        "version": "5.5.0",
        "flags": {},
        "shapes": [
            {
                "label": "cat é",
                "points": [[1, 2], [5, 9]],
                "description": "",
                "flags": {},
                "group_id": None,
                "shape_type": "rectangle",
                "mask": None,
            }
        ],
        "imagePath": "a.png",
        "imageData": None,
        "imageHeight": 48,
        "imageWidth": 64,
    }
    assert dropped == []
    assert again.objects == (Annotation("cat é", (BOX,)),)


def test_shapes_of_one_object_have_one_group(written):
    objects = [
        Annotation("cat", (BOX, DOT)),
        Annotation("cat", (DOT,), attributes={"group_id": 4}),
        Annotation("dog", (DOT, BOX), attributes={"group_id": 4}),
        Annotation("cat", (DOT,), attributes={"group_id": 4}),
        Annotation("cat", (BOX, BOX)),
        Annotation("cat", (DOT,)),
        Annotation("cat", (DOT,), attributes={"group_id": "four"}),
    ]
    content, _, again = written(*objects)
    groups = [shape["group_id"] for shape in content["shapes"]]
    assert groups == [5, 5, 4, 4, 4, 6, 7, 7, None, None]
    assert [obj.shapes for obj in again.objects] == [t.shapes for t in objects]
    assert again.objects[-1].attributes == {"group_id": "four"}


def test_shapes_that_labelme_does_not_draw(written):
    whole = Shape("mask", ((2, 3), (5, 4)))
    eye = mask_shape(np.eye(3, dtype=bool), 7, 8)
    content, dropped, again = written(
        Annotation("cat", (ELLIPSE,)),
        Annotation("cat", (whole,)),
        Annotation("cat", (eye,)),
    )
    ellipse, filled, mask = content["shapes"]
    assert (ellipse["shape_type"], len(ellipse["points"])) == ("polygon", 64)
    for x, y in ellipse["points"]:
        assert math.isclose(((x - 20) / 10) ** 2 + ((y - 20) / 5) ** 2, 1)
    assert lost(dropped) == [(1, "shape")]
    assert filled["mask"]
    assert again.objects[1].shapes[0].pixels().shape == (2, 4)
    assert again.objects[1].shapes[0].pixels().all()
    assert (mask["points"], mask["mask"]) == ([[7, 8], [9, 10]], eye.mask)


def test_attributes(written):
    attributes = {
        "flags": {"old": True},
        "description": "small",
        "difficult": 1,
        "label": "other",
    }
    odd = {"flags": {"old": 1}, "description": 3}
    content, dropped, again = written(
        Annotation("cat", (BOX, DOT), attributes=attributes),
        Annotation("cat", (BOX,), attributes=odd),
    )
    one, part, two = content["shapes"]
    assert (one["label"], one["flags"]) == ("cat", {"old": True})
    assert (one["description"], one["difficult"]) == ("small", 1)
    assert one["tlkit"] == {"attributes": {"label": "other"}}
    assert (part["flags"], part["description"]) == ({"old": True}, "")
    assert (two["flags"], two["description"]) == ({}, "")
    assert again.objects[0].attributes == {**attributes, "group_id": 1}
    assert again.objects[1].attributes == odd
    assert lost(dropped) == [(1, "attributes"), (2, "attributes")]
    assert dropped[0].detail.startswith("difficult, label: ")


def test_a_box_of_its_own(written):
    _, dropped, _ = written(
        Annotation("cat", (BOX,), bbox=(0, 1, 6, 10)),
        Annotation("cat", (BOX,), bbox=(0, 0, 6, 9)),
    )
    assert lost(dropped) == [(2, "box")]


def test_of_the_image(written):
    content, dropped, again = written(
        Annotation("cat", (DOT,)),
        labels=("wet",),
        split="val",
        group="clip",
        attributes={"flags": {"wet": False, "cold": False}, "by": "x", "version": 3},
    )
    assert content["flags"] == {"wet": True, "cold": False}
    assert (content["version"], content["by"]) == ("5.5.0", "x")
    assert content["tlkit"] == {
        "split": "val",
        "group": "clip",
        "attributes": {"version": 3},
    }
    assert (again.labels, again.split, again.group) == (("wet",), "val", "clip")
    assert again.attributes["by"] == "x"
    assert again.attributes["version"] == 3
    assert lost(dropped) == [(0, "split"), (0, "group"), (0, "attributes")]


def test_flags_that_labelme_would_refuse(written):
    content, dropped, _ = written(attributes={"flags": {"wet": 1}})
    assert content["flags"] == {}
    assert lost(dropped) == [(0, "flags")]
