from __future__ import annotations

import base64
import io
import json
import math
from collections import Counter

import pytest
from PIL import Image

from tlkit.dataset.formats import labelme
from tlkit.dataset.formats.detect import claims
from tlkit.dataset.formats.labelme import read_shapes
from tlkit.dataset.sources.open import open_source
from tlkit.imaging.safe_read import read_bytes

RECTANGLE = {"label": "cat", "points": [[1, 2], [30, 40]], "shape_type": "rectangle"}


def png(pixels) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def folder(tmp_path, draw):
    """A factory: image and annotation files in a folder."""

    class Folder:
        root = tmp_path / "photos é"
        data = png(draw(0, 0))

        def image(self, name: str) -> None:
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(self.data)

        def record(self, name: str, **content) -> None:
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            plain: dict[str, object] = {
                "version": "5.1.1",
                "flags": {"cat": True},
                "shapes": [],
            }
            plain |= {"imagePath": name.split("/")[-1].replace(".json", ".png")}
            plain |= {"imageData": None, "imageWidth": 64, "imageHeight": 64}
            path.write_text(json.dumps(plain | content))

        def read(self, workers: int | None = 0):
            return labelme.read(open_source(self.root, workers=workers))

    return Folder()


def rows(parsed):
    return [(p.path, p.labels, p.file) for p in parsed.records]


def reasons(parsed):
    return {r.file: r.reason for r in parsed.rejected}


def test_flags(folder):
    cases: list[object] = [
        {"cat": True, "dog": False, "__ignore__": False},
        {"dog": True},
        {"cat": True, "dog": True},
        {"cat": False},
        {},
        None,
        {"__ignore__": True, "cat": True},
        {"cat": 1},
        {"a\nb": True},
        [],
    ]
    for i, flags in enumerate(cases):
        folder.image(f"{i}.png")
        folder.record(f"{i}.json", flags=flags)
    parsed = folder.read()
    assert [(p.path, p.labels) for p in parsed.records] == [
        ("0.png", ("cat",)),
        ("1.png", ("dog",)),
        ("2.png", ("cat", "dog")),
        ("3.png", ()),
        ("4.png", ()),
        ("5.png", ()),
        ("6.png", ("__ignore__", "cat")),
        ("7.png", ()),
        ("8.png", ()),
        ("9.png", ()),
    ]
    assert [(r.file, r.reason) for r in parsed.rejected] == [("8.json", "bad-label")]
    assert parsed.annotation_of["5.png"] == "5.json"
    assert parsed.warnings == ()
    assert parsed.records[0].size == (64, 64)
    assert parsed.records[0].attributes == {"flags": cases[0]}
    assert parsed.records[9].attributes == {}


def test_labels_lose_the_space_around(folder):
    folder.image("a.png")
    folder.record(
        "a.json", flags={" cat ": True}, shapes=[shape("point", [[1, 2]], " x ")]
    )
    (record,) = folder.read().records
    assert record.labels == ("cat",)
    assert record.objects[0].label == "x"


def test_shapes(folder):
    folder.image("a.png")
    folder.image("b.png")
    point = {"label": "dog", "points": [[1, 2]], "shape_type": "point"}
    folder.record("a.json", shapes=[RECTANGLE, point, {"label": "dog"}], flags=None)
    folder.record("b.json", shapes=[], flags=None)
    parsed = folder.read()
    assert rows(parsed) == [("a.png", (), "a.json"), ("b.png", (), "b.json")]
    cat, dog = parsed.records[0].objects
    assert (cat.label, cat.bounds, cat.bbox) == ("cat", (1, 2, 30, 40), None)
    assert (dog.label, dog.bounds) == ("dog", (1, 2, 1, 2))
    assert parsed.records[1].objects == ()
    assert [(r.file, r.reason, r.detail.split(":")[0]) for r in parsed.rejected] == [
        ("a.json", "bad-points", "Shape 3"),
    ]


def shape(kind, points, label="x", **rest):
    return {"label": label, "shape_type": kind, "points": points, **rest}


def only(one):
    (obj,), rejected = read_shapes([one], "1.json")
    assert rejected == []
    return obj


def test_no_shape_type_is_a_polygon():
    one = {"label": "x", "points": [[0, 0], [4, 0], [4, 4]], "line_color": None}
    for content in (one, one | {"shape_type": None}):
        (drawn,) = only(content).shapes
        assert (drawn.kind, drawn.bounds) == ("polygon", (0, 0, 4, 4))


@pytest.mark.parametrize(
    ("one", "reason"),
    [
        (7, "bad-shape"),
        (None, "bad-shape"),
        ({}, "bad-label"),
        (shape("rectangle", [[0, 0], [4, 4]], label=None), "bad-label"),
        (shape("rectangle", [[0, 0], [4, 4]], label=" "), "bad-label"),
        (shape("rectangle", [[0, 0], [4, 4]], label="a\nb"), "bad-label"),
        (shape("blob", [[0, 0], [4, 4]]), "unknown-shape"),
        (shape(["line"], [[0, 0], [4, 4]]), "unknown-shape"),
        (shape("rectangle", [[3, 3]]), "bad-points"),
        (shape("polygon", [[3, 3], [5, 5]]), "bad-points"),
        (shape("rectangle", [[0, 0], ["a", 4]]), "bad-points"),
        (shape("rectangle", [[0, 0], [10**400, 4]]), "bad-points"),
    ],
)
def test_shapes_that_cannot_be_used(one, reason):
    good = shape("rectangle", [[0, 0], [4, 4]])
    objects, rejected = read_shapes([good, one], "1.json")
    assert len(objects) == 1
    assert [(r.file, r.reason) for r in rejected] == [("1.json", reason)]
    assert rejected[0].detail.startswith("Shape 2: ")


def test_parts_of_one_object():
    parts = [
        shape("rectangle", [[0, 0], [4, 4]], group_id=0),
        shape("rectangle", [[10, 10], [14, 12]], group_id=0),
        shape("rectangle", [[0, 0], [2, 2]], group_id=1),
        shape("rectangle", [[0, 0], [2, 2]], label="y", group_id=0),
        shape("rectangle", [[0, 0], [2, 2]], group_id=None),
        shape("rectangle", [[0, 0], [2, 2]]),
        shape("blob", [[50, 50]], group_id=0),
    ]
    objects, rejected = read_shapes(parts, "1.json")
    assert [(t.label, t.bounds) for t in objects] == [
        ("x", (0, 0, 14, 12)),
        ("x", (0, 0, 2, 2)),
        ("y", (0, 0, 2, 2)),
        ("x", (0, 0, 2, 2)),
        ("x", (0, 0, 2, 2)),
    ]
    assert len(objects[0].shapes) == 2
    assert [r.detail.split(":")[0] for r in rejected] == ["Shape 7"]


def test_a_group_id_is_not_the_number_of_a_shape():
    # a shape without group is an object of its own, whatever groups are called
    parts = [
        shape("point", [[i, i]], group_id=group) for i, group in enumerate([2, None])
    ]
    assert len(read_shapes(parts, "1.json")[0]) == 2


def test_a_nan_among_the_points_costs_the_shape_alone(folder):
    folder.image("a.png")
    bad = shape("rectangle", [[1, math.nan], [9, 9]])
    folder.record("a.json", shapes=[RECTANGLE, bad])
    assert "NaN" in (folder.root / "a.json").read_text()
    parsed = folder.read()
    assert [t.label for t in parsed.records[0].objects] == ["cat"]
    assert [(r.file, r.reason) for r in parsed.rejected] == [("a.json", "bad-points")]


def test_other_keys_of_a_shape_are_kept():
    one = shape(
        "rectangle",
        [[0, 0], [4, 4]],
        group_id=3,
        description="left",
        flags={"__ignore__": True},
        line_color=[1, 2, 3],
        mask=None,
        own={"a": [1]},
        empty="",
    )
    assert only(one).attributes == {
        "group_id": 3,
        "description": "left",
        "flags": {"__ignore__": True},
        "own": {"a": [1]},
    }


@pytest.mark.parametrize("shapes", [None, [], {}, "x", 7])
def test_no_shapes(shapes):
    assert read_shapes(shapes, "1.json") == ([], [])


@pytest.mark.parametrize(
    "image",
    ["../images/x.png", "..\\images\\x.png", "./../images//x.png"],
)
def test_a_path_relative_to_the_json(folder, image):
    folder.image("images/x.png")
    folder.record("notes/1.json", imagePath=image)
    assert rows(folder.read()) == [("images/x.png", ("cat",), "notes/1.json")]


def test_a_path_that_leads_nowhere(folder):
    folder.image("notes/1.png")  # beside the JSON, same stem
    folder.record("notes/1.json", imagePath="gone.png")
    folder.image("images/two.png")  # the only one of its name
    folder.record("notes/2.json", imagePath="gone/two.png")
    folder.image("a/three.png")  # one of two
    folder.image("b/three.png")
    folder.record("notes/3.json", imagePath="three.png")
    parsed = folder.read()
    assert rows(parsed) == [
        ("notes/1.png", ("cat",), "notes/1.json"),
        ("images/two.png", ("cat",), "notes/2.json"),
    ]
    assert reasons(parsed) == {"notes/3.json": "image-ambiguous"}


def test_the_image_inside(folder):
    inside = base64.b64encode(folder.data).decode()
    folder.record("1.json", imagePath="1.json", imageData=inside)
    folder.record("2.json", imagePath="../gone.png", imageData=inside)
    folder.image("elsewhere/gone.png")
    folder.image("3.png")
    folder.record("3.json", imageData=inside)  # the file is preferred
    parsed = folder.read()
    assert rows(parsed) == [
        ("1.json", ("cat",), "1.json"),
        ("2.json", ("cat",), "2.json"),
        ("3.png", ("cat",), "3.json"),
    ]
    assert read_bytes(folder.root / "1.json") == folder.data
    assert parsed.annotation_of["elsewhere/gone.png"] == "2.json"


@pytest.mark.parametrize(
    "image",
    [
        "../secret.png",
        "a/../../secret.png",
        "{}/secret.png",
        "C:\\secret.png",
        "..",
        "",
    ],
)
def test_nothing_outside_is_read(folder, tmp_path, image):
    (tmp_path / "secret.png").write_bytes(folder.data)
    folder.record("1.json", imagePath=image.replace("{}", str(tmp_path)))
    parsed = folder.read()
    assert parsed.records == ()
    outside = "image-missing" if not image else "outside-source"
    assert reasons(parsed) == {"1.json": outside}


def test_an_absolute_path_of_another_machine(folder):
    folder.image("photos/x.png")
    folder.record("1.json", imagePath="/home/ann/photos/x.png")
    folder.record("2.json", imagePath="D:\\ann\\x.png")
    paths = [p.path for p in folder.read().records]
    assert paths == ["photos/x.png", "photos/x.png"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "broken-json"),
        ("{", "broken-json"),
        ("\x00\x01", "broken-json"),
        ("[]", "not-labelme"),
        ("3", "not-labelme"),
        ("{}", "not-labelme"),
        ('{"images": [], "annotations": []}', "not-labelme"),
        ('{"imagePath": "a.png"}', "not-labelme"),
        ('{"imagePath": 3, "flags": {"cat": true}}', "image-missing"),
        ('{"imagePath": "b.png", "shapes": []}', "image-missing"),
        ('{"imagePath": "b.png", "flags": {"cat": NaN}}', "image-missing"),
        ("[" * 500 + "]" * 500, "broken-json"),
    ],
)
def test_json_that_cannot_be_used(folder, text, reason):
    folder.image("good.png")
    folder.record("good.json")
    (folder.root / "a.json").write_text(text)
    parsed = folder.read()
    assert rows(parsed) == [("good.png", ("cat",), "good.json")]
    assert reasons(parsed) == {"a.json": reason}


def test_json_has_a_cap(folder, monkeypatch):
    folder.record("a.json")
    monkeypatch.setattr("tlkit.imaging.safe_read.MAX_JSON_BYTES", 20)
    assert reasons(folder.read()) == {"a.json": "too-big"}


def test_old_files_with_few_keys(folder):
    folder.image("a.png")
    polygon = {"label": "fig", "points": [[1, 1], [9, 1], [5, 9]], "fill_color": None}
    content = {"shapes": [polygon], "lineColor": [0, 255, 0, 128], "imagePath": "a.png"}
    (folder.root / "a.json").write_text(json.dumps(content))
    (record,) = folder.read().records
    assert record.objects[0].bounds == (1, 1, 9, 9)
    assert record.objects[0].attributes == {}
    assert record.size is None


@pytest.mark.parametrize(
    "size", [(None, 9), (0, 9), (9, -1), (9.0, 9), ("9", 9), (True, True)]
)
def test_sizes_that_are_none(folder, size):
    folder.image("a.png")
    folder.record("a.json", imageWidth=size[0], imageHeight=size[1])
    assert folder.read().records[0].size is None


def test_given_split(folder):
    for split in ("train", "valid"):
        folder.image(f"{split}/set/1.png")
        folder.record(f"{split}/set/1.json")
    folder.image("2.png")
    folder.record("2.json")
    parsed = folder.read()
    assert [(p.path, p.split) for p in parsed.records] == [
        ("train/set/1.png", "train"),
        ("valid/set/1.png", "val"),
    ]
    assert reasons(parsed) == {"2.json": "no-split"}


def test_worker_processes_read_the_same(folder):
    for i in range(3):
        folder.image(f"{i}.png")
        folder.record(f"{i}.json")
    one = folder.read()
    assert len(one.records) == 3
    assert folder.read(workers=1) == one
    assert folder.read(workers=None) == one
    (folder.root / "gone.json").symlink_to(folder.root / "nothing")
    assert reasons(folder.read(workers=None)) == {"gone.json": "missing"}


def test_recognized(folder):
    folder.image("a.png")
    folder.record("a.json")
    folder.record("b/b.JSON")
    (folder.root / "coco.json").write_text('{"images": [], "annotations": []}')
    (folder.root / "notes.json").write_text('{"imagePath": "a.png"}')
    assert claims(open_source(folder.root)) == {"labelme": 2, "coco": 1}


def test_shared_labelme(shared_data):
    """Every JSON of every version is read or listed, by flags and by shapes."""
    root = shared_data / "labelme"
    records = {path.relative_to(root).as_posix() for path in root.rglob("*.json")}
    assert len(records) == 67
    parsed = labelme.read(open_source(root))
    assert {p.file for p in parsed.records} | {
        r.file for r in parsed.rejected
    } == records
    # 64 files have shapes; 2 have flags; one is COCO
    assert [(r.file, r.reason) for r in parsed.rejected] == [
        ("instance_segmentation/data_dataset_coco/annotations.json", "not-labelme")
    ]
    assert sum(bool(p.objects) for p in parsed.records) == 64
    assert sum(bool(p.labels) for p in parsed.records) == 2
    drawn = Counter(s.kind for p in parsed.records for t in p.objects for s in t.shapes)
    # 220 polygons, 100 rectangles, and in primitives one of each and a rectangle more
    ones = ("circle", "line", "linestrip", "mask", "point")
    assert drawn == {"polygon": 221, "rectangle": 102} | dict.fromkeys(ones, 1)
