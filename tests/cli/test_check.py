from __future__ import annotations

import json
import shutil

import pytest
from PIL import Image

from tlkit.cli import run


@pytest.fixture
def split(tmp_path, draw):
    for seed in range(8):
        name = "train" if seed < 5 else "test"
        place = tmp_path / "my photos" / name / "disc [a]"
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(draw(0, seed)).save(place / f"{seed}.png")
    return tmp_path / "my photos"


def test_a_clean_split_is_exit_code_0(split, capfd):
    assert run(["check", str(split), "--workers", "0"]) == 0
    out, _ = capfd.readouterr()
    assert out == "No duplicates across splits: 8 images compared.\n"


def test_leaks_are_exit_code_1(split, tmp_path, capfd):
    shutil.copy(split / "train/disc [a]/0.png", split / "test/disc [a]/x.png")
    place = tmp_path / "leaks.csv"
    command = ["check", str(split), "--workers", "0", "--out", str(place)]
    assert run(command) == 1
    out, err = capfd.readouterr()
    first, *table = out.splitlines()
    assert first == "1 image of test is a duplicate of train images."
    assert "test/disc [a]/x.png" in "".join(table)
    assert "leaks.csv" in err
    assert len(place.read_text().splitlines()) == 2
    assert run([*command, "--format", "json"]) == 1
    shown = json.loads(capfd.readouterr().out)
    assert shown["clean"] is False
    assert shown["verdict"] == [first]
    assert [f["match"] for f in shown["findings"]] == ["train/disc [a]/0.png"]


def test_invalid_use(split, capfd):
    assert run(["check", str(split), "--format", "xml"]) == 2
    assert run(["check", str(split / "train")]) == 1
    assert "--against" in capfd.readouterr().err


def test_more_than_a_screen_is_left_to_the_file(split, capfd):
    for i in range(45):
        shutil.copy(split / "train/disc [a]/0.png", split / f"test/disc [a]/x{i}.png")
    assert run(["check", str(split), "--workers", "0"]) == 1
    out, err = capfd.readouterr()
    assert out.startswith("45 images of test are duplicates of train images.")
    assert "5 more" in err
