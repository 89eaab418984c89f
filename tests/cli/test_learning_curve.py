from __future__ import annotations

import tlkit
from tests.cli.test_label_issues import NETWORK
from tlkit.cli import run
from tlkit.experiments import subsets


def test_the_curve_is_printed_with_its_verdict(
    photo_folder, tmp_path, capsys, own_cache, monkeypatch
):
    monkeypatch.setattr(subsets, "MOST_REPEATS", 1)
    root = photo_folder({"disc": 16, "bar": 16})
    data, out = tmp_path / "data", tmp_path / "curve"
    tlkit.prepare(root, data, near=False, workers=0, test=0)
    assert run(["learning-curve", str(data), "--out", str(out), *NETWORK]) == 0
    shown = capsys.readouterr()
    assert "expected of 2 times as many" in shown.out
    assert "expected of 4 times as many" in shown.out
    assert "Four times as many should bring" in shown.out
    assert str(out / "learning_curve.png") in shown.err.replace("\n", "")
    assert "Next: tlkit" in shown.err
