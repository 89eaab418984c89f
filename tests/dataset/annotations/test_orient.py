from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.dataset.splitting.test_examples import boxed, info_of, record
from tlkit.dataset.annotations.orient import orient_record, unclear_orientation
from tlkit.dataset.annotations.shapes import Shape, mask_shape
from tlkit.dataset.convert.convert import convert
from tlkit.dataset.prepare import prepare
from tlkit.dataset.records import Annotation, ImageRecord, Rejected


def oriented(
    one: ImageRecord, orientation: int, width=80, height=100
) -> ImageRecord | Rejected:
    return orient_record(one, info_of(one.path, width, height, orientation))


def test_what_was_drawn_on_the_oriented_image_stays():
    for one in (
        record(boxed("a"), size=(80, 100)),
        record(boxed("a")),
        record(size=(9, 9)),
    ):
        assert oriented(one, 6) is one


def test_what_was_drawn_on_the_stored_image_is_oriented():
    # stored 100 x 80; EXIF 6: oriented is 80 x 100, (x, y) goes to (80 - y, x)
    obj = boxed("a", (10, 20, 30, 60), bbox=(10, 20, 30, 61))
    found = oriented(record(obj, size=(100, 80)), 6)
    assert isinstance(found, ImageRecord)
    assert found.size == (80, 100)
    assert found.objects[0].shapes[0].bounds == (20, 10, 60, 30)
    assert found.objects[0].bbox == (19, 10, 60, 30)
    assert found.objects[0].label == "a"


def test_shares_are_of_the_oriented_image():
    obj = boxed("a", (0.25, 0.5, 0.5, 1), bbox=(0.25, 0.5, 0.5, 0.75))
    found = oriented(record(obj, relative=True), 6)
    assert isinstance(found, ImageRecord)
    assert (found.size, found.relative) == ((80, 100), False)
    assert found.objects[0].shapes[0].bounds == (20, 50, 40, 100)
    assert found.objects[0].bbox == (20, 50, 40, 75)


@pytest.mark.parametrize(
    ("size", "orientation"), [((100, 80), 1), ((100, 80), 3), ((99, 80), 6)]
)
def test_what_was_drawn_on_another_image(size, orientation):
    found = oriented(record(boxed("a"), size=size), orientation)
    assert isinstance(found, Rejected)
    assert (found.file, found.reason) == ("1.json", "size-mismatch")
    assert found.detail == f"Drawn on {size[0]} x {size[1]} pixels, the image has " + (
        "80 x 100."
    )


def test_a_mask_that_cannot_be_oriented():
    broken = Annotation("a", (Shape.make("mask", [[0, 0], [4, 4]], "abc"),))
    found = oriented(record(broken, size=(100, 80)), 8)
    assert isinstance(found, Rejected)
    assert (found.file, found.reason) == ("1.json", "bad-mask")
    whole = Annotation("a", (mask_shape(np.ones((5, 9), bool)),))
    found = oriented(record(whole, size=(100, 80)), 8)
    assert isinstance(found, ImageRecord)
    # EXIF 8: (x, y) goes to (y, 100 - x)
    assert found.objects[0].bounds == (0, 91, 5, 100)


@pytest.mark.parametrize(
    ("orientation", "image", "drawn", "clear"),
    [
        (1, (80, 100), (80, 100), True),
        # swapped width and height show what was drawn on
        (6, (80, 100), (80, 100), True),
        (6, (80, 100), (100, 80), True),
        (3, (80, 100), (80, 100), False),
        (2, (80, 100), (80, 100), False),
        (6, (80, 80), (80, 80), False),
        (6, (80, 100), None, False),
    ],
)
def test_images_whose_annotations_may_ignore_exif(orientation, image, drawn, clear):
    width, height = image
    info = {"1.jpg": info_of("1.jpg", width, height, orientation)}
    annotated = record(boxed("a"), size=drawn)
    line = unclear_orientation([annotated, annotated], info)
    assert (line == "") == clear
    if not clear:
        assert line.startswith("1 annotated image(s) have an EXIF orientation, such")
        assert annotated.path in line
    assert unclear_orientation([record(size=drawn)], info) == ""


def test_prepare_and_convert_warn_of_them_once(tmp_path, told):
    photos = tmp_path / "photos"
    photos.mkdir()
    exif = Image.Exif()
    exif[0x0112] = 3
    noise = np.random.default_rng(0).integers(256, size=(4, 40, 60, 3), dtype=np.uint8)
    for number, pixels in enumerate(noise):
        Image.fromarray(pixels).save(photos / f"{number}.jpg", exif=exif)
        shape = {"label": "ab"[number % 2], "points": [[4, 8], [30, 30]]}
        content: dict[str, Any] = {"shapes": [{**shape, "shape_type": "rectangle"}]}
        content |= {"imagePath": f"{number}.jpg", "imageWidth": 60, "imageHeight": 40}
        (photos / f"{number}.json").write_text(json.dumps(content))
    options: dict[str, Any] = {"workers": 0, "progress": told}
    manifest = prepare(
        photos, tmp_path / "data", label_by="shapes", val=0.5, test=0, **options
    )
    line = "4 annotated image(s) have an EXIF orientation, such as 0.jpg, and"
    assert sum(warning.startswith(line) for warning in told.warnings) == 1
    assert manifest.info["warnings"] == told.warnings
    told.warnings.clear()
    convert(photos, tmp_path / "coco", to="coco", **options)
    assert [warning.startswith(line) for warning in told.warnings] == [True]
    # what prepare wrote is oriented
    told.warnings.clear()
    convert(tmp_path / "data", tmp_path / "voc", to="voc", **options)
    assert told.warnings == []
