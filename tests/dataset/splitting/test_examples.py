from __future__ import annotations

import json
import math

import pytest

from tlkit.dataset.annotations.shapes import Shape, rectangle
from tlkit.dataset.example import Example
from tlkit.dataset.records import Annotation, ImageInfo, ImageRecord, Rejected
from tlkit.dataset.splitting.examples import (
    Labeling,
    choose_label_by,
    label,
)
from tlkit.errors import DatasetError, UsageError

IMAGE, SHAPES = Labeling("image"), Labeling("shapes")
MULTI = Labeling("image", multi_label=True)


def info_of(path="1.jpg", width=100, height=80, orientation=1) -> ImageInfo:
    return ImageInfo(
        *(path, "", "", width, height, "JPEG"),
        orientation=orientation,
    )


def boxed(name: str, box=(10, 10, 50, 40), **rest) -> Annotation:
    return Annotation(name, (rectangle(box),), **rest)


def record(*objects: Annotation, path="1.jpg", **rest) -> ImageRecord:
    return ImageRecord(path, file=path.replace("jpg", "json"), objects=objects, **rest)


def labeled(
    how: Labeling, *records: ImageRecord
) -> tuple[list[Example], list[Rejected]]:
    return label(records, {p.path: info_of(p.path) for p in records}, how)


def names(how: Labeling, *records: ImageRecord) -> list[tuple[str, tuple[str, ...]]]:
    examples, rejected = labeled(how, *records)
    assert rejected == []
    return [(example.path, example.labels) for example in examples]


def refused(how: Labeling, *records: ImageRecord) -> list[tuple[str, str, str]]:
    examples, rejected = labeled(how, *records)
    assert examples == []
    return [(r.file, r.reason, r.detail) for r in rejected]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"label_by": "shape"}, "Did you mean shapes"),
        ({"pad": -0.1}, "pad must be a share from 0 to 10"),
        ({"pad": 11}, "pad must be a share from 0 to 10"),
        ({"pad": math.nan}, "pad must be a share from 0 to 10"),
        ({"min_size": 0}, "min_size must be >= 1"),
        ({"label_by": "shapes", "multi_label": True}, "Remove one of them"),
        ({"label_by": "image", "pad": 0.1}, "Add --label-by shapes"),
        ({"min_size": 9}, "Add --label-by shapes"),
    ],
)
def test_what_cannot_be_meant(options, message):
    with pytest.raises(UsageError, match=message):
        Labeling(**options).check()


@pytest.mark.parametrize(
    "how", [Labeling(), IMAGE, SHAPES, MULTI, Labeling("shapes", pad=0.1, min_size=1)]
)
def test_what_can_be_meant(how):
    how.check()


def test_labels_of_images_are_the_default():
    records = [record(boxed("cat")), record(labels=("dog",), path="2.jpg")]
    assert choose_label_by(records, Labeling()) == IMAGE
    assert choose_label_by([], Labeling()) == IMAGE
    assert choose_label_by(records, SHAPES) == SHAPES


def test_labels_of_shapes_alone_have_to_be_asked_for():
    records = [record(boxed("cat"), boxed("dog")), record(path="2.jpg")]
    with pytest.raises(DatasetError, match="labels of 2 shapes alone") as caught:
        choose_label_by(records, Labeling())
    for option in ("--label-by shapes", "--label-by image", "--multi-label"):
        assert option in caught.value.hint
    assert choose_label_by(records, Labeling(multi_label=True)) == MULTI
    assert choose_label_by(records, IMAGE) == IMAGE


def test_a_image_by_its_own_label():
    one = record(boxed("bus"), labels=("cat",), split="val", group="g")
    ((example,), rejected) = labeled(IMAGE, one)
    assert rejected == []
    assert example == Example(
        *(example.id, "1.jpg", "", 100, 80, ("cat",)),
        split="val",
        group="g",
        annotation="1.json",
    )
    assert len(example.id) == 16
    assert (example.shown, example.existing) == ("1.json", False)
    (folder,), _ = labeled(IMAGE, ImageRecord("a/1.jpg", labels=("a",)))
    assert (folder.annotation, folder.shown) == ("", "a/1.jpg")


def test_a_image_by_the_one_label_of_its_shapes():
    objects = (boxed("cat"), boxed("cat"), boxed(""), boxed("_background_"))
    assert names(IMAGE, record(*objects)) == [("1.jpg", ("cat",))]


def test_labels_of_images_and_of_shapes_are_not_mixed():
    records = [record(labels=("cat",)), record(boxed("bus"), path="2.jpg")]
    examples, rejected = labeled(IMAGE, *records)
    assert [c.path for c in examples] == ["1.jpg"]
    assert [(r.file, r.reason, r.detail) for r in rejected] == [
        ("2.json", "no-label", "The image itself has no label.")
    ]


def test_several_labels_are_not_chosen_from():
    two = record(boxed("dog 10"), boxed("dog 9"))
    assert refused(IMAGE, two) == [
        ("1.json", "several-labels", "Labeled as 'dog 9', 'dog 10'.")
    ]
    assert names(MULTI, two) == [("1.jpg", ("dog 9", "dog 10"))]
    flagged = record(labels=("b", "a", "b"))
    assert [r[1] for r in refused(IMAGE, flagged)] == ["several-labels"]
    assert names(MULTI, flagged) == [("1.jpg", ("a", "b"))]
    (example,), _ = labeled(MULTI, flagged)
    assert example.label == "a|b"


def test_a_label_that_holds_what_stands_between_labels():
    odd = record(labels=("a|b",))
    assert names(IMAGE, odd) == [("1.jpg", ("a|b",))]
    assert [r[:2] for r in refused(MULTI, odd)] == [("1.json", "bad-label")]


def test_more_labels_than_a_field_holds():
    labels = tuple(f"{i:0200}" for i in range(500))
    ((file, reason, detail),) = refused(MULTI, record(labels=labels))
    assert (file, reason, detail) == ("1.json", "bad-label", "500 labels are too many.")
    assert len(names(MULTI, record(labels=labels[:400]))[0][1]) == 400


@pytest.mark.parametrize("how", [IMAGE, MULTI])
def test_images_without_label(how):
    expected = [("1.json", "no-label", "Neither it nor anything on it has a label.")]
    assert refused(how, record()) == expected
    assert refused(how, record(boxed(""))) == expected


def test_images_marked_to_be_ignored():
    marked = record(labels=("cat", "__ignore__"))
    assert refused(IMAGE, marked) == [("1.json", "ignored", "Marked as __ignore__.")]
    assert refused(MULTI, marked) == [("1.json", "ignored", "Marked as __ignore__.")]


def test_things_marked_to_be_ignored():
    flagged = boxed("cat", attributes={"flags": {"__ignore__": True}})
    assert flagged.ignored
    assert boxed("__ignore__").ignored
    assert boxed("_background_").ignored
    assert not boxed("cat", attributes={"flags": {"__ignore__": False}}).ignored
    assert not boxed("cat", attributes={"flags": None}).ignored
    assert names(IMAGE, record(flagged, boxed("dog"))) == [("1.jpg", ("dog",))]


def test_an_example_a_shape():
    polygon = Annotation(
        "cat", (Shape.make("polygon", [[20, 10], [60.2, 12], [30, 50]]),)
    )
    one = record(polygon, boxed("dog", (0, 0, 30, 20)), split="train", group="g")
    (cat, dog), rejected = labeled(SHAPES, one)
    assert rejected == []
    assert (cat.labels, cat.box, dog.labels, dog.box) == (
        *(("cat",), (20, 10, 61, 50)),
        *(("dog",), (0, 0, 30, 20)),
    )
    assert json.loads(cat.shape) == polygon.shapes[0].json()
    for example in (cat, dog):
        assert (example.split, example.group) == ("train", "g")
        assert (example.annotation, example.shown) == ("1.json", "1.json")


def test_a_thing_of_several_parts_is_one_example():
    parts = (rectangle((0, 0, 10, 10)), rectangle((30, 5, 40, 20)))
    (example,), _ = labeled(SHAPES, record(Annotation("cat", parts)))
    assert example.box == (0, 0, 40, 20)
    assert json.loads(example.shape) == [part.json() for part in parts]


def test_the_box_that_is_told_counts():
    obj = boxed("cat", (10, 10, 50, 40), bbox=(5, 6, 55, 46))
    (example,), _ = labeled(SHAPES, record(obj))
    assert example.box == (5, 6, 55, 46)


@pytest.mark.parametrize(
    ("pad", "box", "expected"),
    [
        (0, (10.4, 10.6, 50.4, 40.6), (10, 10, 51, 41)),
        # drawn to a thousandth of the edge
        (0, (9.9995, 10.0004, 50.0004, 39.9995), (10, 10, 50, 40)),
        # a tenth of the longer side, 40
        (0.1, (10, 20, 50, 40), (6, 16, 54, 44)),
        (0.25, (2, 3, 12, 13), (0, 0, 15, 16)),
        (0, (-30, -5, 20, 300), (0, 0, 20, 80)),
        (1, (90, 70, 100, 80), (80, 60, 100, 80)),
    ],
)
def test_boxes_are_whole_pixels_within_the_image(pad, box, expected):
    how = Labeling("shapes", pad=pad)
    (example,), _ = labeled(how, record(boxed("cat", box)))
    assert example.box == expected


@pytest.mark.parametrize(
    ("obj", "reason", "detail"),
    [
        (
            boxed("__ignore__"),
            "ignored",
            "__ignore__ at (10, 10, 50, 40): marked to be ignored.",
        ),
        (
            boxed(""),
            "no-label",
            "A shape without label at (10, 10, 50, 40): has no label.",
        ),
        (
            boxed("cat", attributes={"iscrowd": 1}),
            "crowd",
            "cat at (10, 10, 50, 40): stands for a crowd of them.",
        ),
        (
            Annotation("cat", (Shape.make("point", [[5, 5]]),)),
            "no-area",
            "cat at (5, 5, 5, 5): without width or height.",
        ),
        (
            Annotation("cat", (Shape.make("line", [[5, 5], [50, 5]]),)),
            "no-area",
            "cat at (5, 5, 50, 5): without width or height.",
        ),
        (
            Annotation("cat", (Shape.make("circle", [[5, 5], [5, 5]]),)),
            "no-area",
            "cat at (5, 5, 5, 5): without width or height.",
        ),
        (
            boxed("cat", (10, 10, 50, 17.5)),
            "too-small",
            "cat at (10, 10, 50, 17.5): 40 x 7.5 pixels, below --min-size 8.",
        ),
        (
            boxed("cat", (100, 0, 120, 20)),
            "no-area",
            "cat at (100, 0, 120, 20): outside",
        ),
        (
            boxed("cat", (-20, 0, 0, 20)),
            "no-area",
            "cat at (-20, 0, 0, 20): outside of",
        ),
        (
            boxed("cat", (0, 80, 20, 99)),
            "no-area",
            "cat at (0, 80, 20, 99): outside of",
        ),
    ],
)
def test_shapes_that_give_no_example(obj, reason, detail):
    ((file, found, said),) = refused(SHAPES, record(obj))
    assert (file, found) == ("1.json", reason)
    assert said.startswith(detail)


def test_the_least_size_can_be_set():
    small = record(boxed("cat", (10, 10, 13, 14)), boxed("dog", (10, 10, 18, 18)))
    examples, rejected = labeled(SHAPES, small)
    assert [c.labels for c in examples] == [("dog",)]
    assert [r.reason for r in rejected] == ["too-small"]
    assert len(names(Labeling("shapes", min_size=3), small)) == 2


def test_a_image_without_shapes():
    assert refused(SHAPES, record(labels=("cat",))) == [
        ("1.json", "no-shape", "Nothing is drawn on it.")
    ]


def test_an_outline_too_long_for_a_csv_field():
    points = [[math.cos(i) * 40 + 50, math.sin(i) * 40 + 40] for i in range(5000)]
    obj = Annotation("cat", (Shape.make("polygon", points),))
    (example,), _ = labeled(SHAPES, record(obj))
    assert json.loads(example.shape) == {"shape_type": "polygon"}
    assert example.box == (10, 0, 90, 80)


def test_the_order_of_examples():
    boxes = [(50, 0, 90, 40), (5, 0, 45, 40)]
    records = [record(*(boxed("b", box) for box in boxes), path=p) for p in ("10", "9")]
    examples, _ = labeled(SHAPES, *records)
    ordered = sorted(examples, key=lambda example: example.key)
    expected = [(path, box) for path in ("9", "10") for box in boxes[::-1]]
    assert [(c.path, c.box) for c in ordered] == expected
