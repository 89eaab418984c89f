from __future__ import annotations

import math
from dataclasses import replace

from tlkit.dataset.annotations.shapes import Shape, rectangle
from tlkit.dataset.convert.records import make_images
from tlkit.dataset.records import Annotation, ImageInfo, ImageRecord

BOX = rectangle((1, 2, 5, 9))


def info(path: str) -> ImageInfo:
    return ImageInfo(path, "s", "p", 64, 48, "JPEG")


def test_records_about_one_image():
    one = ImageRecord(
        *("a.jpg", "1.json", ("x", "y"), (Annotation("cat", (BOX,)),)),
        split="train",
        attributes={"by": 1, "of": 2},
    )
    two = replace(
        *(one,),
        labels=("y", "z"),
        split="val",
        group="g",
        attributes={"by": 3, "at": 4},
    )
    images, dropped, _ = make_images(
        [one, ImageRecord("b.jpg"), two], {p: info(p) for p in ("a.jpg", "b.jpg")}
    )
    assert [image.name for image in images] == ["a.jpg", "b.jpg"]
    record = images[0].record
    assert record.labels == ("x", "y", "z")
    assert (record.split, record.group, len(record.objects)) == ("train", "g", 2)
    assert record.attributes == {"by": 1, "of": 2, "at": 4}
    assert [(field.file, field.field) for field in dropped] == [("a.jpg", "split")]
    assert images[1].record.split is None


def test_what_cannot_be_written():
    attributes = {"ok": [1], "nan": [math.inf], "half": "\ud800", "odd": {1, 2}}
    objects = (
        Annotation("cat", (Shape("mask", ((0, 0), (3, 3)), "AAAA"),)),
        Annotation("", (BOX,), attributes=attributes),
    )
    record = ImageRecord(
        "a.jpg", "a.json", objects=objects, attributes={"nan": math.nan}
    )
    images, dropped, rejected = make_images([record], {"a.jpg": info("a.jpg")})
    (image,) = images
    assert image.record.objects == (
        Annotation("unlabeled", (BOX,), attributes={"ok": [1]}),
    )
    assert image.record.attributes == {}
    assert [(r.file, r.reason) for r in rejected] == [("a.json", "bad-mask")]
    assert rejected[0].detail.startswith("Object 1, cat: its mask")
    assert [(field.obj, field.field) for field in dropped] == [
        (1, "attributes"), (1, "attributes"), (1, "attributes"), (1, "label"),
        (0, "attributes"),
    ]  # fmt: skip
