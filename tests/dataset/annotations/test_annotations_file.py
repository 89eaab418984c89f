from __future__ import annotations

import json

import numpy as np
import pytest

from tlkit.dataset.annotations.annotations_file import (
    ANNOTATIONS,
    read_annotations,
    write_annotations,
)
from tlkit.dataset.annotations.shapes import KINDS, Shape, mask_shape, rectangle
from tlkit.dataset.records import Annotation, ImageRecord
from tlkit.errors import DatasetError

POINTS = ((1.0, 2.0), (30.5, 4.0), (5.0, 60.25), (-7.0, 8.0))


def every_kind() -> list[Shape]:
    shapes = [Shape(kind, POINTS[:least]) for kind, least in KINDS.items()]
    inside = np.eye(5, 7, dtype=bool)
    return [*shapes, Shape("linestrip", POINTS), mask_shape(inside, 3, 4)]


RECORDS = [
    ImageRecord("a/1.jpg", labels=("a",)),
    ImageRecord(
        'b/写真, "2"\n.jpg',
        file="b/2.json",
        labels=("x", "y z"),
        objects=(
            Annotation("cat", tuple(every_kind())),
            Annotation(
                "",
                (rectangle((1, 2, 3, 4)),),
                bbox=(0.5, 2.0, 3.25, 4.0),
                attributes={"difficult": 1, "flags": {"é": True}, "deep": [[{}], None]},
            ),
        ),
        split="val",
        group="clip 7",
        size=(640, 480),
        attributes={"flags": {"x": True}, "odd": "\ud800 line\u2028end"},
    ),
    ImageRecord(
        "c.jpg", file="2.json", objects=(Annotation("dog", (rectangle((0, 0, 9, 9)),)),)
    ),
]


def test_what_was_written_is_read(tmp_path):
    write_annotations(tmp_path, iter(RECORDS))
    assert list(read_annotations(tmp_path)) == RECORDS[1:]


def test_each_line_is_plain_json(tmp_path):
    write_annotations(tmp_path, RECORDS)
    text = (tmp_path / ANNOTATIONS).read_text(encoding="utf-8")
    lines = [json.loads(line) for line in text.removesuffix("\n").split("\n")]
    assert [line["path"] for line in lines] == [RECORDS[1].path, "c.jpg"]
    assert lines[1] == {
        "path": "c.jpg",
        "file": "2.json",
        "labels": [],
        "split": None,
        "group": "",
        "size": None,
        "attributes": {},
        "objects": [
            {
                "label": "dog",
                "attributes": {},
                "bbox": None,
                "shapes": [{"shape_type": "rectangle", "points": [[0, 0], [9, 9]]}],
            }
        ],
    }


def test_nothing_was_drawn(tmp_path):
    write_annotations(tmp_path, RECORDS[:1])
    assert not (tmp_path / ANNOTATIONS).exists()
    assert list(read_annotations(tmp_path)) == []


@pytest.mark.parametrize(
    "change",
    [
        ("{", ""),
        ('"rectangle"', '"blob"'),
        ("[9.0, 9.0]", "[9.0]"),
        ('"objects"', '"obj"'),
        ('[{"label"', '[7, {"label"'),
        ('"size": null', '"size": 7'),
        ("dog", "\x00"),
        (": [{", ": 7, [{"),
    ],
)
def test_a_line_that_was_changed(tmp_path, change):
    write_annotations(tmp_path, RECORDS)
    path = tmp_path / ANNOTATIONS
    first, last, _ = path.read_text(encoding="utf-8").split("\n")
    assert change[0] in last
    path.write_text(f"{first}\n{last.replace(*change)}\n", encoding="utf-8")
    records = read_annotations(tmp_path)
    assert next(records) == RECORDS[1]
    with pytest.raises(DatasetError, match="line 2 is not what prepare") as caught:
        next(records)
    assert "--overwrite" in caught.value.hint


def test_bytes_that_are_no_text(tmp_path):
    (tmp_path / ANNOTATIONS).write_bytes(b"\xff\xfe\n")
    with pytest.raises(DatasetError, match="not what prepare wrote"):
        list(read_annotations(tmp_path))
