import json
import shlex
from typing import Any

import pytest
from PIL import Image

from tests.conftest import draw_image
from tlkit.cli import run


@pytest.fixture
def photos(tmp_path):
    place = tmp_path / "photos"
    place.mkdir()
    Image.new("RGB", (64, 48)).save(place / "1.png")
    shapes = [
        {"label": "cat", "shape_type": "circle", "points": [[30, 24], [42, 24]]},
        {"label": "dog", "shape_type": "point", "points": [[9, 9]]},
        {"label": "dog", "shape_type": "heart", "points": [[9, 9]]},
        {"label": "pig", "shape_type": "rectangle", "points": [[9, 9], [40, 40]]},
    ]
    record = {"version": "5.5.0", "flags": {}, "shapes": shapes, "imagePath": "1.png"}
    (place / "1.json").write_text(json.dumps(record))
    return place


def test_convert_prints_what_was_written_and_dropped(photos, tmp_path, capsys):
    out = tmp_path / "out"
    assert run(["convert", str(photos), "--to", "coco", "--out", str(out)]) == 0
    shown = capsys.readouterr()
    rows = [line.split() for line in shown.out.splitlines()]
    assert ["cat", "1"] in rows
    assert ["dog", "1"] in rows
    assert ["all", "3"] in rows
    assert "images: 1 written, not used: 1 unknown-shape" in shown.out
    assert "what coco cannot hold: 2 shape" in shown.out
    assert (
        "shape, for example 1.png, object 1: A circle, written as a polygon"
        in shown.out
    )
    assert "dropped_fields.csv" in shown.err
    assert "Next: tlkit prepare" in shown.err
    assert run(["convert", str(photos), "--to", "coco", "--out", str(out)]) == 2
    assert "--overwrite" in capsys.readouterr().err


def folder_of(place, *records):
    """Labelme files: what is drawn on each, and which flags it has."""
    for number, (shapes, *flags) in enumerate(records):
        pixels = draw_image(0, number)
        place.mkdir(exist_ok=True)
        Image.fromarray(pixels).save(place / f"{number}.png")
        drawn = [
            {"label": label, "shape_type": kind, "points": points}
            for label, (kind, points) in shapes
        ]
        record = {
            "version": "5.5.0",
            "flags": dict.fromkeys(flags, True),
            "shapes": drawn,
            "imagePath": f"{number}.png",
        }
        (place / f"{number}.json").write_text(json.dumps(record))
    return place


BOX = "rectangle", [[4, 4], [40, 40]]
OUTLINE = "polygon", [[42, 4], [60, 4], [42, 60]]
DOT = "point", [[9, 9]]
BOXES = [[("cat", BOX)], [("dog", BOX)]] * 4
MIXED = [[("cat", BOX), ("dog", OUTLINE)]] * 4
SMALL = [[("cat", BOX), ("dog", DOT)]] * 4
ONE = [[("cat", BOX)]] * 4
IGNORED = [[("cat", BOX), ("__ignore__", BOX)]] * 4
FLAGS: list[Any] = [([], "cat"), ([], "dog")] * 4
BOTH = [([("cat", BOX)], "wet"), ([("cat", BOX)], "dry")] * 4
NOTHING: list[Any] = [[]] * 4


@pytest.mark.parametrize(
    ("to", "records", "expected"),
    [
        ("labelme", BOXES, "labelme"),
        ("labelme", FLAGS, "labelme"),
        ("yolo", BOXES, "yolo detect train"),
        ("yolo", MIXED, "yolo segment train"),
        ("yolo", ONE, "yolo detect train"),
        ("yolo", FLAGS, ""),
        ("coco", BOXES, "tlkit prepare --label-by shapes"),
        ("coco", MIXED, "tlkit prepare --label-by shapes"),
        ("coco", FLAGS, "tlkit prepare --label-by image"),
        ("coco", BOTH, "tlkit prepare --label-by image"),
        ("coco", SMALL, ""),
        ("coco", ONE, ""),
        ("coco", IGNORED, ""),
        ("coco", NOTHING, ""),
        ("voc", BOXES, "tlkit prepare --label-by shapes"),
        ("voc", FLAGS, ""),
        ("voc", BOTH, ""),
    ],
)
def test_convert_prints_a_next_step_that_works(tmp_path, capsys, to, records, expected):
    records = [record if isinstance(record, tuple) else (record,) for record in records]
    photos, out = folder_of(tmp_path / "photos é", *records), tmp_path / "o u t"
    assert run(["convert", str(photos), "--to", to, "--out", str(out)]) == 0
    shown = capsys.readouterr().err
    plain = "Nothing is drawn" in shown and "has no place for labels" in shown
    assert plain == (records == FLAGS and to != "labelme")
    lines = [line for line in shown.splitlines() if line.startswith("Next: ")]
    assert len(lines) == bool(expected)
    if not expected:
        return
    words = shlex.split(lines[0])[1:]
    assert all(word in words for word in expected.split())
    if words[0] == "tlkit":
        words[words.index("DATASET")] = str(tmp_path / "data")
        assert run([*words[1:], "--no-near", "--workers", "0"]) == 0
    else:
        place = words[-1].removeprefix("data=")
        assert place == str(out / "data.yaml" if to == "yolo" else out)


@pytest.mark.parametrize("to", ["labelme", "coco", "yolo", "voc"])
def test_convert_without_images_prints_where_they_belong(photos, tmp_path, capsys, to):
    options = ["--out", str(tmp_path / "out"), "--images", "none"]
    assert run(["convert", str(photos), "--to", to, *options]) == 0
    shown = capsys.readouterr()
    assert "Next:" not in shown.err
    assert "renamed_files.csv lists where each belongs" in shown.err
    assert ("nothing" in shown.out) == (to == "labelme")


def test_convert_takes_the_options_of_tables(tmp_path, capsys):
    photos = folder_of(tmp_path / "photos", *[(shapes,) for shapes in NOTHING])
    for path in photos.glob("*.json"):
        path.unlink()
    rows = [f"{number}.png;{'cat' if number % 2 else 'cat+dog'}" for number in range(4)]
    (photos / "t.csv").write_text("bild;art\n" + "\n".join(rows))
    out = tmp_path / "out"
    columns = ["--column", "path=bild", "--column", "label=art", "--separator", "+"]
    command = ["convert", str(photos / "t.csv"), "--to", "coco", "--out", str(out)]
    assert run(command) == 1
    assert "--column" in capsys.readouterr().err
    assert run([*command, *columns]) == 0
    content = json.loads((out / "annotations" / "instances_default.json").read_text())
    labels = [image["tlkit"]["labels"] for image in content["images"]]
    assert labels == [["cat", "dog"], ["cat"]] * 2


def test_convert_refuses_an_unknown_format(photos, tmp_path, capsys):
    place = str(tmp_path / "out")
    assert run(["convert", str(photos), "--to", "cocoa", "--out", place]) == 2
    assert "'coco'" in capsys.readouterr().err
