from __future__ import annotations

import shlex
import subprocess
import sys

import numpy as np
import pandas
import pytest
from PIL import Image

import tlkit
from tlkit.cli import run
from tlkit.dataset.annotate import annotate


@pytest.fixture
def data(photo_folder, tmp_path):
    root = photo_folder({"disc": 8, "bar": 8})
    pixels = np.random.default_rng(0).integers(0, 256, (40, 40, 3)).astype(np.uint8)
    for name in ("disc", "bar"):
        Image.fromarray(pixels).save(root / name / "both.png")
    (root / "broken.jpg").write_bytes(b"x")
    tlkit.prepare(root, tmp_path / "data", near=False, workers=0)
    return tmp_path / "data"


def test_it_says_what_to_do(data, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(annotate, "labelme_command", lambda work: None)
    assert run(["annotate", str(data), "--out", str(tmp_path / "work")]) == 0
    shown = capsys.readouterr()
    assert "rejected: 2 images" in shown.out
    told = shown.err.replace("\n", "")
    assert "broken.jpg cannot be shown" in told
    assert '.venv/bin/pip install ".[annotate]"' in told
    assert f"--corrections {tmp_path / 'work'}" in told


def test_it_names_what_is_not_offered(data, tmp_path, capsys):
    root = tmp_path / "photos"
    (root / "bar" / "bar_000.png").write_bytes(b"")
    for i in range(12):
        twin = root / "disc" / f"twin {i}.png"
        twin.write_bytes((root / "disc" / "disc_000.png").read_bytes())
    (root / "disc" / "both.png").unlink()
    (root / "broken.jpg").unlink()
    (root / "loose.png").write_bytes((root / "bar" / "bar_001.png").read_bytes())
    again = ["prepare", str(root), "--out", str(data), "--no-near"]
    assert run(again) == 0
    capsys.readouterr()
    options = ["--out", str(tmp_path / "work"), "--no-start"]
    assert run(["annotate", str(data), *options]) == 0
    shown = capsys.readouterr()
    assert shown.out == "rejected: 1 image to correct\n"
    assert "  1 empty: bar/bar_000.png\n" in shown.err
    assert "  12 duplicate: disc/twin 0.png, " in shown.err
    assert "disc/twin 9.png and 2 more\n" in shown.err
    assert "loose.png" not in shown.err


def test_a_message_without_run(data, tmp_path, capsys):
    options = ["--select", "errors", "--out", str(tmp_path / "work")]
    assert run(["annotate", str(data), *options]) == 2
    assert "got --select errors without --run" in capsys.readouterr().err


def test_the_next_command_has_the_options_of_the_first(data, tmp_path, capsys):
    options = ["--no-near", "--val", "0.0", "--group-by", r"_0(0 ?\d)"]
    source = str(tmp_path / "photos")
    assert run(["prepare", source, "--out", str(data), "--overwrite", *options]) == 0
    work = tmp_path / "my work"
    assert run(["annotate", str(data), "--out", str(work), "--no-start"]) == 0
    told = capsys.readouterr().err
    program, *words = shlex.split(told.rpartition("Next: ")[2])
    assert program == "tlkit"
    fixed = ["prepare", source, "--out", str(data), "--corrections", str(work)]
    assert words[:6] == fixed
    assert sorted(words[6:]) == sorted(options)
    assert run(words) == 0


def test_what_was_made_in_python_has_no_command(tmp_path, photo_folder, capsys):
    root = photo_folder({"disc": 8, "bar": 8})
    paths = sorted(map(str, root.rglob("*.png")))
    rows = [{"path": p, "label": ("a", "b")[i % 2]} for i, p in enumerate(paths)]
    frame = pandas.DataFrame([*rows, {"path": paths[0], "label": "b"}])
    tlkit.prepare(frame, tmp_path / "data", near=False, workers=0)
    options = ["--out", str(tmp_path / "work"), "--no-start"]
    assert run(["annotate", str(tmp_path / "data"), *options]) == 0
    told = capsys.readouterr().err
    assert f"corrections={str(tmp_path / 'work')!r}" in told
    assert "tlkit prepare" not in told


@pytest.mark.parametrize("code", [0, 3])
def test_it_starts_labelme(data, tmp_path, capsys, monkeypatch, code):
    touch = f"open({str(tmp_path / 'ran')!r}, 'w'); raise SystemExit({code})"
    command = [sys.executable, "-c", touch]
    monkeypatch.setattr(annotate, "labelme_command", lambda work: command)
    options = ["--select", "conflicts", "--out", str(tmp_path / "work")]
    assert run(["annotate", str(data), *options, "--no-start"]) == 0
    assert not (tmp_path / "ran").exists()
    assert run(["annotate", str(data), *options, "--overwrite"]) == 0
    assert (tmp_path / "ran").exists()
    assert ("ended with code 3" in capsys.readouterr().err) == bool(code)


def test_corrections_are_taken_in(data, tmp_path, capsys):
    work = tmp_path / "work"
    run(
        [
            "annotate",
            str(data),
            "--select",
            "conflicts",
            "--out",
            str(work),
            "--no-start",
        ]
    )
    page = next(work.glob("*1 both.json"))
    text = page.read_text().replace('"bar": true', '"bar": false')
    page.write_text(text.replace('"disc": false', '"disc": true'))
    source = str(tmp_path / "photos")
    options = ("--out", str(data), "--no-near", "--corrections", str(work))
    assert run(["prepare", source, *options]) == 0
    assert "0 images with two labels" in " ".join(capsys.readouterr().out.split())
    assert run(["prepare", source, *options[:-1], str(tmp_path)]) == 2


def test_it_does_not_wait_for_tensorflow():
    code = (
        "import sys, tlkit.experiments.annotate; "
        "sys.exit(bool({'keras', 'tensorflow'} & set(sys.modules)))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
