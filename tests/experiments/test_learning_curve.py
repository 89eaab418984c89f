from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

import tlkit
from tests.experiments.test_label_issues import OPTIONS, features_by_name
from tlkit.errors import RunError
from tlkit.experiments import learning_curve
from tlkit.experiments import subsets as measuring
from tlkit.experiments.subsets import SubsetErrors

SIZES = np.array([50, 71, 100, 141, 200, 283, 400, 566.0])


def measured(errors, examples=4000):
    """Make curves with given errors."""
    rank = np.random.default_rng(0).permutation(examples) / examples
    incorrect = np.array([rank < error for error in errors])[None]
    return SubsetErrors(SIZES, incorrect, np.arange(examples))


def test_a_power_law_is_extrapolated(tmp_path):
    """0.02 + 2 n^-0.5: 0.104 now, 0.079 at twice, 0.062 at four times as many."""
    made = learning_curve.extrapolate(
        measured(0.02 + 2 * SIZES**-0.5), tmp_path, seed=0
    )
    twice, four_times = made.expected
    assert (twice.images, four_times.images) == (1132, 2264)
    assert twice.accuracy == pytest.approx(0.921, abs=0.004)
    assert four_times.accuracy == pytest.approx(0.938, abs=0.006)
    assert twice.low < 0.921 < twice.high
    assert four_times.low < 0.938 < four_times.high
    assert made.gain[0] == pytest.approx(0.042, abs=0.006)
    assert made.verdict == "pays"
    last = 1 - 0.02 - 2 * 566**-0.5
    assert made.measured[-1].accuracy == pytest.approx(last, abs=1e-3)


def test_a_flat_curve_is_called_flat(tmp_path):
    """0.127 incorrect now, 0.122 at four times as many."""
    made = learning_curve.extrapolate(
        measured(0.12 + 4 / SIZES, 20_000), tmp_path, seed=0
    )
    assert made.gain[2] < 0.01
    assert made.verdict == "flat"


def test_few_images_leave_it_unclear(tmp_path):
    made = learning_curve.extrapolate(
        measured(0.25 + 0.5 * SIZES**-0.5, examples=40), tmp_path, seed=0
    )
    assert made.gain[1] < 0.01 < made.gain[2]
    assert made.verdict == "unclear"


def test_the_files_and_that_the_test_split_is_not_used(
    photo_folder, tmp_path, monkeypatch
):
    root = photo_folder({"disc": 18, "bar": 18})
    tlkit.prepare(root, tmp_path / "data", near=False, workers=0)
    manifest = tlkit.Manifest.read(tmp_path / "data")
    asked = []

    def features_of(config, root, examples, task, progress):
        asked.extend(examples)
        return features_by_name(config, root, examples, task, progress)

    monkeypatch.setattr(learning_curve, "features_of", features_of)
    monkeypatch.setattr(measuring, "MOST_REPEATS", 1)
    made = tlkit.learning_curve(tmp_path / "data", tmp_path / "curve", **OPTIONS)
    assert {e.split for e in asked} == {"train", "val"}
    assert len(asked) == len(manifest.of("train")) + len(manifest.of("val"))
    info = json.loads((tmp_path / "curve" / "learning_curve.json").read_text())
    assert [point["images"] for point in info["measured"]] == [
        point.images for point in made.measured
    ]
    assert info["verdict"] == made.verdict
    assert abs(info["expected"][1]["images"] - 4 * made.measured[-1].images) <= 2
    with Image.open(tmp_path / "curve" / "learning_curve.png") as image:
        assert image.size[0] > 600
    again = tlkit.learning_curve(tmp_path / "data", tmp_path / "again", **OPTIONS)
    assert again.expected == made.expected


def test_too_few_images_are_refused_before_any_work(photo_folder, tmp_path):
    root = photo_folder({"disc": 20, "bar": 9})
    tlkit.prepare(root, tmp_path / "data", near=False, workers=0)
    with pytest.raises(RunError, match="needs at least 12"):
        tlkit.learning_curve(tmp_path / "data", tmp_path / "curve", **OPTIONS)
    assert not (tmp_path / "curve").exists()
