"""Planted incorrect labels are found, with features whose class is known."""

from __future__ import annotations

import csv
import dataclasses
import json
import zlib
from typing import Any

import numpy as np
import pytest

import tlkit
from tlkit.errors import RunError, UsageError
from tlkit.experiments import label_issues
from tlkit.experiments.confident_learning import find_suspects
from tlkit.training.probe import fit_probe

KINDS = ("disc", "bar", "cross")


def features_by_name(config, root, examples, task, progress):
    """Return features as of a good network: the kind in the file name, and noise.

    Numbers three and four of each kind are as clear as can be.
    """
    rows = np.zeros((len(examples), 8), np.float32)
    for row, example in zip(rows, examples, strict=True):
        name = example.path.rpartition("/")[2]
        row[next(i for i, kind in enumerate(KINDS) if name.startswith(kind))] = 3.5
        if not name.endswith(("_003.png", "_004.png")):
            rng = np.random.default_rng(zlib.crc32(name.encode()))
            row *= 3 / 3.5
            row += 0.7 * rng.normal(size=8)
    return rows


@pytest.fixture
def data(photo_folder, tmp_path, monkeypatch):
    """Two discs among the bars."""
    root = photo_folder({"disc": 20, "bar": 20, "cross": 20})
    for name in ("disc_003.png", "disc_004.png"):
        (root / "disc" / name).rename(root / "bar" / name)
    tlkit.prepare(root, tmp_path / "data", near=False, workers=0, test=0.3)
    monkeypatch.setattr(label_issues, "features_of", features_by_name)
    return tmp_path / "data"


OPTIONS: dict[str, Any] = {
    "backbone": "smallcnn",
    "weights": "none",
    "size": 32,
    "workers": 0,
}


def test_planted_labels_are_found_and_nothing_else(data, tmp_path):
    found = tlkit.label_issues(data, tmp_path / "label_issues", **OPTIONS)
    assert sorted(found.paths) == ["bar/disc_003.png", "bar/disc_004.png"]
    with (tmp_path / "label_issues" / "label_issues.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    split = {e.path: e.split for e in tlkit.Manifest.read(data).examples}
    for row in rows:
        assert (row["label"], row["suggested"]) == ("bar", "disc")
        assert row["split"] == split[row["path"]]
        assert float(row["p_label"]) < 0.5 < float(row["p_suggested"])
    assert [float(row["quality"]) for row in rows] == sorted(
        float(row["quality"]) for row in rows
    )
    info = json.loads((tmp_path / "label_issues" / "label_issues.json").read_text())
    assert sum(info["examples"].values()) == 60
    assert sum(info["label_issues"].values()) == 2
    assert 0.9 < info["agreement"] <= 58 / 60
    assert info["network"]["backbone"] == "SmallCNN"
    page = (tmp_path / "label_issues" / "label_issues.html").read_text()
    assert page.count("<figure") == 2
    assert page.count("data:image/jpeg") == 2
    assert "Labeled bar" in page


def test_duplicates_under_an_incorrect_label_confirm_nothing(data, tmp_path):
    """Ten near-duplicates, incorrectly labeled, are found only if in one group."""
    manifest = tlkit.Manifest.read(data)
    rng = np.random.default_rng(0)
    targets = np.repeat([0, 1], 40)
    features = np.eye(30, dtype=np.float32)[targets] * 3
    features += rng.normal(size=features.shape).astype(np.float32) / 3
    features[:10] = 2 * features[0]
    features[:10, 2] += 4  # something that only the duplicates have
    targets[:10] = 1
    apart = np.arange(80)
    for groups, listed in ((np.maximum(apart, 9), 10), (apart, 0)):
        probe = fit_probe(features, targets, groups, classes=2, seed=0)
        found = find_suspects(targets, probe.held_out).indices
        assert (found < 10).sum() == listed
    examples = [dataclasses.replace(e, group="one") for e in manifest.examples[:3]]
    groups = label_issues.groups_of([*examples, *manifest.examples[3:5]])
    assert groups[:3].tolist() == [groups[0]] * 3
    assert len(set(groups.tolist())) == 3


def test_label_issues_in_the_test_split_warn_of_removing_images(data, tmp_path):
    manifest = tlkit.Manifest.read(data)
    in_test = sum("bar/disc" in e.path for e in manifest.of("test"))
    found = tlkit.label_issues(data, tmp_path / "label_issues", **OPTIONS)
    page = (tmp_path / "label_issues" / "label_issues.html").read_text()
    assert found.info["label_issues"]["test"] == in_test
    assert ("remove none of them" in page) == bool(in_test)


def test_annotate_takes_label_issues(data, tmp_path):
    found = tlkit.label_issues(data, tmp_path / "label_issues", **OPTIONS)
    for given in (found, tmp_path / "label_issues"):
        work = tlkit.annotate(
            data,
            tmp_path / "work",
            select="label-issues",
            label_issues=given,
            overwrite=True,
        )
        assert work.images == 2
    table = tmp_path / "label_issues" / "label_issues.csv"
    table.write_text("".join(table.read_text().splitlines(keepends=True)[:2]))
    place = tmp_path / "label_issues"
    work = tlkit.annotate(
        data,
        tmp_path / "work",
        select="label-issues",
        label_issues=place,
        overwrite=True,
    )
    assert work.images == 1
    for options in (
        {"select": "conflicts", "label_issues": found},
        {"select": "label-issues", "label_issues": found, "run": "runs/first"},
        {"select": "label-issues"},
    ):
        with pytest.raises(UsageError, match="goes with"):
            tlkit.annotate(data, tmp_path / "other", **options)


def test_label_issues_of_a_data_set_that_has_changed(data, prepared, tmp_path):
    tlkit.label_issues(data, tmp_path / "label_issues", **OPTIONS)
    with pytest.raises(RunError, match="prepared again since"):
        tlkit.annotate(
            prepared.directory, tmp_path / "work", select="label-issues",
            label_issues=tmp_path / "label_issues",
        )  # fmt: skip


def test_folders_without_label_issues(tmp_path):
    with pytest.raises(RunError, match="tlkit label-issues DATASET --out"):
        tlkit.LabelIssues.read(tmp_path)
    (tmp_path / "label_issues.json").write_text("{}")
    for damaged in ("", "x\n", "file\na.png\n", 'path\n""\n'):
        (tmp_path / "label_issues.csv").write_text(damaged)
        with pytest.raises(RunError, match="is damaged"):
            tlkit.LabelIssues.read(tmp_path)
    (tmp_path / "label_issues.csv").write_text("file\na.png\n")
    with pytest.raises(RunError, match="need a path"):
        tlkit.LabelIssues.read(tmp_path)


def test_invalid_options_and_small_classes_are_refused(data, photo_folder, tmp_path):
    with pytest.raises(UsageError, match="epochs"):
        tlkit.label_issues(data, tmp_path / "label_issues", **OPTIONS, epochs=3)
    tlkit.label_issues(data, tmp_path / "label_issues", **OPTIONS)
    with pytest.raises(UsageError, match="--overwrite"):
        tlkit.label_issues(data, tmp_path / "label_issues", **OPTIONS)
    root = photo_folder({"disc": 6, "bar": 1}, where=tmp_path / "few")
    tlkit.prepare(root, tmp_path / "small", near=False, workers=0, val=0, test=0)
    with pytest.raises(RunError, match="too small: bar"):
        tlkit.label_issues(tmp_path / "small", tmp_path / "d", **OPTIONS)


def test_several_labels_and_a_single_class_are_refused(data, tmp_path):
    manifest = tlkit.Manifest.read(data)
    several = dataclasses.replace(manifest, info={"multi_label": True})
    with pytest.raises(RunError, match="several labels"):
        label_issues.one_label_each(several)
    single = dataclasses.replace(manifest, labels=("disc",))
    with pytest.raises(RunError, match="expected two"):
        label_issues._check_classes(single, np.zeros(2, int), np.arange(2))
