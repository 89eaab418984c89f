from __future__ import annotations

import pytest

import tlkit
from tests.experiments.test_label_issues import features_by_name
from tlkit.cli import run
from tlkit.experiments import label_issues

NETWORK = (
    "--backbone", "smallcnn", "--weights", "none", "--size", "32", "--workers", "0",
)  # fmt: skip


@pytest.fixture
def data(photo_folder, tmp_path):
    root = photo_folder({"disc": 20, "bar": 20})
    for i in (3, 4):
        (root / "disc" / f"disc_{i:03d}.png").rename(root / "bar" / f"disc_{i:03d}.png")
    tlkit.prepare(root, tmp_path / "data", near=False, workers=0, test=0.4)
    return tmp_path / "data"


def test_the_worst_are_printed_and_the_next_step_works(
    data, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr(label_issues, "features_of", features_by_name)
    out = tmp_path / "label_issues"
    assert run(["label-issues", str(data), "--out", str(out), *NETWORK]) == 0
    shown = capsys.readouterr()
    assert (
        "label issues: 2 of 40 examples probably have an incorrect label" in shown.out
    )
    assert shown.out.count("bar/disc_00") == 2
    printed = shown.err.replace("\n", "")
    next_step = (
        f"tlkit annotate {data} --select label-issues --label-issues {out} "
        "--out to-correct"
    )
    assert next_step in printed
    in_test = sum("bar/disc" in e.path for e in tlkit.Manifest.read(data).of("test"))
    assert ("remove none of them" in printed) == (in_test > 0)
    work = [
        "--select",
        "label-issues",
        "--label-issues",
        str(out),
        "--out",
        str(tmp_path / "w"),
    ]
    assert run(["annotate", str(data), *work, "--no-start"]) == 0
    assert "label-issues: 2 images to correct" in capsys.readouterr().out


def test_with_a_real_network(data, tmp_path, capsys, own_cache):
    out = tmp_path / "label_issues"
    assert run(["label-issues", str(data), "--out", str(out), *NETWORK]) == 0
    assert "of 40 examples" in capsys.readouterr().out
    assert (out / "label_issues.html").is_file()
    assert run(["label-issues", str(data), "--out", str(out), *NETWORK]) == 2
    assert "--overwrite" in capsys.readouterr().err


def test_no_label_issues(photo_folder, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(label_issues, "features_of", features_by_name)
    root = photo_folder({"disc": 10, "bar": 10})
    tlkit.prepare(root, tmp_path / "data", near=False, workers=0)
    out = tmp_path / "label_issues"
    assert (
        run(["label-issues", str(tmp_path / "data"), "--out", str(out), *NETWORK]) == 0
    )
    shown = capsys.readouterr()
    assert "label issues: 0 of 20" in shown.out
    assert "Next: tlkit finetune" in shown.err
