"""A comparison shows what was measured, on the splits that may be used."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.metrics import f1_score

import tlkit
from tlkit.cli import run as command_line
from tlkit.config import build_config
from tlkit.dataset.manifest import Manifest
from tlkit.errors import RunError, UsageError
from tlkit.experiments.comparison import Entry, conclude, megabytes, probe_entry
from tlkit.features.cut_features import CutFeatures
from tlkit.inputs.views import ViewMaker
from tlkit.metrics.intervals import wilson_interval
from tlkit.training.cut_probes import Probed, Subjects

SETTINGS: dict[str, Any] = {
    "backbones": ["smallcnn"], "sizes": [32], "weights": "none", "workers": 0,
}  # fmt: skip


@pytest.fixture(scope="module")
def found(prepared, tmp_path_factory):
    place = tmp_path_factory.mktemp("compare") / "out"
    return tlkit.compare(prepared.directory, place, **SETTINGS)


def test_every_cut_and_pooling_is_a_row(found, prepared):
    assert len(found.entries) == 4 * 3
    assert {entry.pooling for entry in found.entries} == {"gap", "gmp", "gap_gmp"}
    images = len(prepared.of("train")) + len(prepared.of("val"))
    assert {entry.images for entry in found.entries} == {images}
    assert [entry.ms for entry in found.entries] == sorted(
        entry.ms for entry in found.entries
    )
    shares = [entry.accuracy.value for entry in found.entries]
    assert found.entries[found.best].accuracy.value == max(shares)
    assert found.entries[found.best].difference == (0, 0, 0)
    assert max(shares) > 0.6


def test_the_files_have_the_same_content(found):
    table = pd.read_csv(found.directory / "compare.csv")
    shares = [entry.accuracy.value for entry in found.entries]
    np.testing.assert_allclose(table["accuracy"], shares)
    np.testing.assert_allclose(
        table["difference_low"], [e.difference.low for e in found.entries]
    )
    info = json.loads((found.directory / "compare.json").read_text())
    assert info["best"] == found.best
    assert info["command"] == list(found.command)
    assert info["entries"][3]["cut"] == found.entries[3].cut
    with Image.open(found.directory / "compare.png") as image:
        assert image.width > 500


def test_the_command_trains_what_was_measured(found, prepared):
    words = list(found.command)
    entry = found.entries[found.cheapest]
    assert words[:3] == ["tlkit", "finetune", str(prepared.directory)]
    options = dict(zip(words[3::2], words[4::2], strict=True))
    given = {name[2:].replace("-", "_"): value for name, value in options.items()}
    config = build_config(options={**given, "size": int(given["size"])})
    assert config.model.cut == config.model.freeze_to == entry.cut
    assert config.model.head == f"{entry.pooling},dropout:0.2"


def test_the_test_split_is_not_used(prepared, tmp_path, own_cache, monkeypatch):
    made = set()
    make = ViewMaker.make

    def record(self, asked, out):
        made.add(asked.example.id)
        return make(self, asked, out)

    monkeypatch.setattr(ViewMaker, "make", record)
    tlkit.compare(prepared.directory, tmp_path / "out", cuts=["block1"], **SETTINGS)
    used = {e.id for split in ("train", "val") for e in prepared.of(split)}
    assert prepared.of("test")
    assert made == used


def scored(cut, correct, ms, targets, pooling="gap"):
    """Make a probe whose first predictions, as many as given, are correct."""
    predicted = np.where(np.arange(len(targets)) < correct, targets, 1 - targets)
    scores = np.where(predicted[:, None] == [0, 1], 0.9, 0.1)
    at = CutFeatures(cut, 10, 2 * 10**9, 1000, ms, ())
    return Probed(at, pooling, scores)


@pytest.fixture
def subjects():
    manifest = Manifest(Path("ants"), Path(), ("a", "b"), (), "", {})
    targets = np.tile([0, 1], 50)
    return Subjects(manifest, ("train",), targets, np.arange(100), 5, 0)


def compared(subjects, probes, cost="ms"):
    empty = Entry("SmallCNN", "none", 32)
    rows = [(probe_entry(empty, one, subjects), one.scores) for one in probes]
    return conclude(rows, subjects, cost, "squash", Path("out"))


def test_metrics_by_hand(subjects):
    one = scored("high", 90, 2.0, subjects.targets, "gap_gmp")
    (entry,) = compared(subjects, [one]).entries
    assert entry.accuracy == (0.9, *wilson_interval(90, 100))
    predicted = one.scores.argmax(axis=1)
    assert entry.macro_f1 == f1_score(subjects.targets, predicted, average="macro")
    assert entry.loss == pytest.approx(-0.9 * np.log(0.9) - 0.1 * np.log(0.1))
    assert entry.gflop == 2
    # 1000 weights, and one output for two classes on twice ten features.
    assert entry.mb == 4 * (1000 + 21) / 1e6
    assert megabytes(1000, 10, 3) == 4 * (1000 + 33) / 1e6


def test_the_cheapest_within_one_standard_error_is_advised(subjects):
    # The error of 0.90 of 100 is about 0.03.
    probes = [
        scored(cut, correct, ms, subjects.targets)
        for cut, correct, ms in (
            ("a", 84, 1),
            ("b", 88, 3),
            ("c", 90, 9),
            ("d", 87.5, 5),
        )
    ]
    found = compared(subjects, probes)
    assert [entry.cut for entry in found.entries] == ["a", "b", "d", "c"]
    assert found.entries[found.best].cut == "c"
    assert found.entries[found.cheapest].cut == "b"
    assert found.entries[0].difference.value == pytest.approx(-0.06)
    assert not found.entries[0].within_noise
    assert found.entries[found.best].within_noise
    assert all(0 <= share < 0.03 for share in found.optimism)


def test_a_network_that_fails_is_a_row_with_the_reason(prepared, tmp_path, own_cache):
    found = tlkit.compare(
        prepared.directory,
        tmp_path / "out",
        **{
            **SETTINGS,
            "backbones": ["smallcnn", "vgg16"],
            "weights": {"smallcnn": "none", "vgg16": str(tmp_path / "gone.h5")},
        },
        cuts=["good"],
        poolings=["gap"],
    )
    *measured, failed = found.entries
    assert len(measured) == 4
    assert failed.backbone == "VGG16"
    assert "gone.h5 is not there" in failed.failed
    table = pd.read_csv(tmp_path / "out" / "compare.csv")
    assert "gone.h5" in table["failed"].iloc[-1]
    assert np.isnan(table["accuracy"].iloc[-1])


def test_it_is_an_error_if_all_networks_fail(prepared, tmp_path):
    with pytest.raises(RunError, match=r"Nothing could be compared.*gone\.h5"):
        tlkit.compare(
            prepared.directory,
            tmp_path / "out",
            **{**SETTINGS, "weights": str(tmp_path / "gone.h5")},
        )
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"poolings": ["flatten"]}, "pooling 'flatten'"),
        ({"cost": "watt"}, "cost 'watt'"),
        ({"folds": 1}, "2 to 100"),
        ({"backbones": ["nope"]}, "backbone 'nope'"),
        ({"weights": {"vgg16": "x.h5"}}, "compared backbones, got VGG16"),
        ({"epochs": 3}, "option 'epochs'"),
        ({"resize": "bend"}, "squash"),
        ({"sizes": [4]}, "16 to 4096"),
    ],
)
def test_invalid_options_are_errors_at_once(prepared, options, word):
    with pytest.raises(UsageError, match=word):
        tlkit.compare(prepared.directory, **{**SETTINGS, **options})


def test_too_few_images_to_hold_any_out(photo_folder, tmp_path):
    source = photo_folder({"disc": 8, "bar": 1})
    data = tlkit.prepare(
        source, tmp_path / "data", workers=0, near=False, test=0, val=0
    )
    with pytest.raises(RunError, match="fewer than two"):
        tlkit.compare(data.directory, tmp_path / "out", **SETTINGS)


def test_on_the_command_line(prepared, tmp_path, capsys):
    words = [
        "compare", str(prepared.directory), "--backbone", "smallcnn", "--size", "32",
        "--weights", "none", "--workers", "0", "--pooling", "gap", "--cost", "mb",
        "--out", str(tmp_path / "out"),
    ]  # fmt: skip
    assert command_line(words) == 0
    shown = capsys.readouterr()
    assert shown.out.count("SmallCNN") == 4
    plain = shown.err.replace("\n", " ")
    assert "Cheapest (mb) within one standard error" in plain
    assert "It was selected by its accuracy" in plain
    assert "on new images expect" in plain
    assert "Next: tlkit finetune" in shown.err
    assert command_line(words) == 2
    assert command_line([*words, "--overwrite", "--weights", "vgg16=x.h5"]) == 2
