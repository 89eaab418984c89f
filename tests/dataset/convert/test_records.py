from __future__ import annotations

import math
from dataclasses import replace

import pytest

from tlkit.dataset.annotations.shapes import Shape, rectangle
from tlkit.dataset.convert.records import make_sheets, unique_names
from tlkit.dataset.inspection.image_info import ImageInfo
from tlkit.dataset.records import Annotation, ImageRecord

BOX = rectangle((1, 2, 5, 9))


def info(path: str, format: str = "JPEG") -> ImageInfo:
    return ImageInfo(path, "s", "p", 64, 48, format)


def names(*paths: str, format: str = "JPEG") -> list[str]:
    return unique_names([info(path, format) for path in paths])


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        ([], []),
        (["a.jpg"], ["a.jpg"]),
        (["x/y/a.jpg", "x/y/b.jpg"], ["a.jpg", "b.jpg"]),
        (["x/y/a.jpg", "x/z/a.jpg"], ["y/a.jpg", "z/a.jpg"]),
        (["xy/a.jpg", "xz/a.jpg"], ["xy/a.jpg", "xz/a.jpg"]),
        (["a.jpg", "x/a.jpg"], ["a.jpg", "x/a.jpg"]),
        # An annotation has the name of its image but for the suffix.
        (["a.jpg", "a.png", "A.JPG"], ["a.jpg", "a_2.png", "A_3.JPG"]),
        (["a.jpg", "a.png", "a_2.jpg"], ["a.jpg", "a_2.png", "a_2_2.jpg"]),
        (["a_2.jpg", "a.jpg", "a.png"], ["a_2.jpg", "a.jpg", "a_3.png"]),
        # From elsewhere.
        (["/home/ann/a.jpg", "../b.jpg", "C:/c.jpg"], ["a.jpg", "b.jpg", "c.jpg"]),
        (["a\nb\\c.jpg", "-d e.jpg"], ["a_b_c.jpg", "-d e.jpg"]),
        # Images inside of a JSON, and such as do not look like images.
        (["a.json", "lost.csv", "c"], ["a.jpg", "lost.csv.jpg", "c.jpg"]),
        ([f"{'é' * 125}.jpeg"], [f"{'é' * 100}.jpeg"]),
    ],
)
def test_names(paths, expected):
    assert names(*paths) == expected


def test_suffixes():
    assert names("a.json", format="PNG") == ["a.png"]
    assert names("a.dat", format="TIFF") == ["a.dat.tif"]
    assert names("a.bmp", format="PNG") == ["a.bmp"]  # as the user has it


def test_pages_about_one_image():
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
    made = make_sheets(
        [one, ImageRecord("b.jpg"), two], {p: info(p) for p in ("a.jpg", "b.jpg")}
    )
    assert [sheet.name for sheet in made.sheets] == ["a.jpg", "b.jpg"]
    record = made.sheets[0].record
    assert record.labels == ("x", "y", "z")
    assert (record.split, record.group, len(record.objects)) == ("train", "g", 2)
    assert record.attributes == {"by": 1, "of": 2, "at": 4}
    assert [(loss.name, loss.field) for loss in made.losses] == [("a.jpg", "split")]
    assert made.sheets[1].record.split is None


def test_what_cannot_be_written():
    attributes = {"ok": [1], "nan": [math.inf], "half": "\ud800", "odd": {1, 2}}
    objects = (
        Annotation("cat", (Shape("mask", ((0, 0), (3, 3)), "AAAA"),)),
        Annotation("", (BOX,), attributes=attributes),
    )
    record = ImageRecord(
        "a.jpg", "a.json", objects=objects, attributes={"nan": math.nan}
    )
    made = make_sheets([record], {"a.jpg": info("a.jpg")})
    (sheet,) = made.sheets
    assert sheet.record.objects == (
        Annotation("unlabeled", (BOX,), attributes={"ok": [1]}),
    )
    assert sheet.record.attributes == {}
    assert [(r.file, r.reason) for r in made.rejected] == [("a.json", "bad-mask")]
    assert made.rejected[0].detail.startswith("Object 1, cat: its mask")
    assert [(loss.obj, loss.field) for loss in made.losses] == [
        (1, "attributes"), (1, "attributes"), (1, "attributes"), (1, "label"),
        (0, "attributes"),
    ]  # fmt: skip
