from __future__ import annotations

import json
import math

import pytest

from tlkit.dataset.sources.shapes import Fault, instances


def shape(kind, points, label="x", **rest):
    return {"label": label, "shape_type": kind, "points": points, **rest}


def only(one):
    (found,), faults = instances([one])
    assert faults == []
    return found


@pytest.mark.parametrize(
    ("kind", "points", "box"),
    [
        ("rectangle", [[10, 30], [5, 20]], (5, 20, 10, 30)),
        ("polygon", [[0.5, 0.5], [9.5, 1], [4, 7.2]], (0, 0, 10, 8)),
        ("oriented_rectangle", [[5, 0], [10, 5], [5, 10], [0, 5]], (0, 0, 10, 10)),
        ("circle", [[50, 50], [53, 54]], (45, 45, 55, 55)),
        ("line", [[1, 2], [3, 5]], (1, 2, 3, 5)),
        ("linestrip", [[1, 2], [3, 5], [0, 9]], (0, 2, 3, 9)),
        ("points", [[1, 2], [3, 5]], (1, 2, 3, 5)),
        ("mask", [[2, 3], [5, 6]], (2, 3, 6, 7)),
        ("mask", [[2, 3], [2, 3]], (2, 3, 3, 4)),
        ("rectangle", [[-4, -1], [2000, 3]], (-4, -1, 2000, 3)),
    ],
)
def test_boxes(kind, points, box):
    found = only(shape(kind, points))
    assert found.box == box
    drawn = json.loads(found.shape)
    assert drawn == {"shape_type": kind, "points": points}


def test_no_shape_type_is_a_polygon():
    one = {"label": "x", "points": [[0, 0], [4, 0], [4, 4]], "line_color": None}
    assert only(one).box == (0, 0, 4, 4)
    assert only(one | {"shape_type": None}).box == (0, 0, 4, 4)


@pytest.mark.parametrize(
    ("one", "reason"),
    [
        (7, "bad-shape"),
        (shape("rectangle", [[0, 0], [4, 4]], label=None), "bad-label"),
        (shape("rectangle", [[0, 0], [4, 4]], label=" "), "bad-label"),
        (shape("rectangle", [[0, 0], [4, 4]], label="a\nb"), "bad-label"),
        (shape("rectangle", [[0, 0], [4, 4]], label="__ignore__"), "ignored"),
        (shape("rectangle", [[0, 0], [4, 4]], label="_background_"), "ignored"),
        (shape("polygon", [[0, 0]] * 3, flags={"__ignore__": True}), "ignored"),
        (shape("blob", [[0, 0], [4, 4]]), "unknown-shape"),
        (shape(["line"], [[0, 0], [4, 4]]), "unknown-shape"),
        (shape("point", [[3, 3]]), "no-area"),
        (shape("points", [[3, 3]]), "no-area"),
        (shape("rectangle", [[3, 3]]), "no-area"),
        (shape("polygon", [[3, 3], [5, 5]]), "no-area"),
        (shape("polygon", []), "no-area"),
        (shape("line", [[3, 3], [9, 3]]), "no-area"),
        (shape("circle", [[3, 3], [3, 3]]), "no-area"),
        (shape("rectangle", None), "bad-points"),
        (shape("rectangle", [[0, 0], [4]]), "bad-points"),
        (shape("rectangle", [[0, 0], ["a", 4]]), "bad-points"),
        (shape("rectangle", [[0, 0], [math.nan, 4]]), "bad-points"),
        (shape("rectangle", [[0, 0], [math.inf, 4]]), "bad-points"),
        (shape("rectangle", [[0, 0], [10**400, 4]]), "bad-points"),
    ],
)
def test_what_cannot_be_used(one, reason):
    good = shape("rectangle", [[0, 0], [4, 4]])
    found, faults = instances([good, one])
    assert len(found) == 1
    assert [(fault.index, fault.reason) for fault in faults] == [(1, reason)]
    assert isinstance(faults[0], Fault)
    assert faults[0].detail


def test_parts_of_one_instance():
    parts = [
        shape("rectangle", [[0, 0], [4, 4]], group_id=0),
        shape("rectangle", [[10, 10], [14, 12]], group_id=0),
        shape("rectangle", [[0, 0], [2, 2]], group_id=1),
        shape("rectangle", [[0, 0], [2, 2]], label="y", group_id=0),
        shape("rectangle", [[0, 0], [2, 2]], group_id=None),
        shape("rectangle", [[0, 0], [2, 2]]),
        shape("point", [[50, 50]], group_id=0),
    ]
    found, faults = instances(parts)
    assert [(f.label, f.box) for f in found] == [
        ("x", (0, 0, 14, 12)),
        ("x", (0, 0, 2, 2)),
        ("y", (0, 0, 2, 2)),
        ("x", (0, 0, 2, 2)),
        ("x", (0, 0, 2, 2)),
    ]
    assert len(json.loads(found[0].shape)) == 2
    assert [fault.index for fault in faults] == [6]


def test_labels_lose_the_space_around():
    assert only(shape("rectangle", [[0, 0], [4, 4]], label=" cat ")).label == "cat"


def test_an_outline_too_long_for_a_csv_field():
    points = [[math.cos(i) * 100, math.sin(i) * 100] for i in range(5000)]
    found = only(shape("polygon", points))
    assert json.loads(found.shape) == {"shape_type": "polygon"}
    assert found.box == (-100, -100, 100, 100)


@pytest.mark.parametrize("shapes", [None, [], {}, "x"])
def test_no_shapes(shapes):
    assert instances(shapes) == ([], [])
