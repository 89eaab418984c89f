import json

import pytest
from PIL import Image

from tlkit.cli import run


@pytest.fixture
def photos(tmp_path):
    place = tmp_path / "photos"
    place.mkdir()
    Image.new("RGB", (64, 48)).save(place / "1.png")
    shapes = [
        {"label": "cat", "shape_type": "circle", "points": [[9, 9], [12, 9]]},
        {"label": "dog", "shape_type": "point", "points": [[9, 9]]},
        {"label": "dog", "shape_type": "heart", "points": [[9, 9]]},
    ]
    page = {"version": "5.5.0", "flags": {}, "shapes": shapes, "imagePath": "1.png"}
    (place / "1.json").write_text(json.dumps(page))
    return place


def test_convert_says_what_was_written_and_lost(photos, tmp_path, capsys):
    out = tmp_path / "out"
    assert run(["convert", str(photos), "--to", "coco", "--out", str(out)]) == 0
    shown = capsys.readouterr()
    rows = [line.split() for line in shown.out.splitlines()]
    assert ["cat", "1"] in rows
    assert ["dog", "1"] in rows
    assert ["all", "2"] in rows
    assert "pictures: 1 written, not used: 1 unknown-shape" in shown.out
    assert "what coco cannot hold: 2 shape" in shown.out
    assert "shape, as 1.png, object 1: A circle, written as a polygon" in shown.out
    assert "lost.csv" in shown.err
    assert "Next: tlkit prepare" in shown.err
    assert run(["convert", str(photos), "--to", "coco", "--out", str(out)]) == 2
    assert "--overwrite" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("to", "next_step"),
    [("labelme", "labelme"), ("yolo", "yolo detect train"), ("voc", "tlkit prepare")],
)
def test_convert_tells_the_next_step(photos, tmp_path, capsys, to, next_step):
    options = ["--out", str(tmp_path / "out"), "--pictures", "none"]
    assert run(["convert", str(photos), "--to", to, *options]) == 0
    shown = capsys.readouterr()
    assert f"Next: {next_step} " in shown.err
    assert ("nothing" in shown.out) == (to == "labelme")


def test_convert_refuses_an_unknown_format(photos, tmp_path, capsys):
    place = str(tmp_path / "out")
    assert run(["convert", str(photos), "--to", "cocoa", "--out", place]) == 2
    assert "Did you mean coco" in capsys.readouterr().err
