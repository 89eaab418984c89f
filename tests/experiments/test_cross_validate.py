"""Cross-validation: each fold is a run, scored on images that selected nothing."""

from __future__ import annotations

import dataclasses
import json
import shutil

import numpy as np
import pandas as pd
import pytest

import tlkit
from tests.conftest import SMALL
from tlkit.dataset.dataset_files import checksum_of, write_contents
from tlkit.errors import RunError, UsageError
from tlkit.experiments import cross_validate as cross
from tlkit.experiments.cv_result import CVResult, summarize
from tlkit.training import network
from tlkit.training.cv_folds import outer_folds
from tlkit.training.fit_fold import fit_fold

# With dropout and batch normalization in the head: all that has a memory.
OPTIONS = {
    **SMALL,
    "freeze_to": "block4",
    "head": "gap,bn,dropout:0.3",
    "hflip": True,
    "views": 2,
    "lr": 0.01,
}


def measure(prepared, place, **changes):
    options = {**OPTIONS, "folds": 3, **changes}
    return tlkit.cross_validate(prepared.directory, place, **options)


@pytest.fixture(scope="module")
def folds(prepared, tmp_path_factory):
    return measure(prepared, tmp_path_factory.mktemp("folds") / "first")


def test_every_image_but_the_test_split_has_a_prediction(folds, prepared):
    table = folds.predictions()
    pool = {e.id for split in ("train", "val") for e in prepared.of(split)}
    assert sorted(table["id"]) == sorted(pool)
    labels = {e.id: e.label for e in prepared.examples}
    assert table["label"].tolist() == [labels[i] for i in table["id"]]
    scores = folds.probabilities(table)
    np.testing.assert_allclose(scores.sum(axis=1), 1, atol=1e-5)
    predicted = [folds.labels[i] for i in scores.argmax(axis=1)]
    assert table["predicted"].tolist() == predicted


def test_the_metrics_are_those_of_the_predictions(folds):
    metrics, table = folds.metrics(), folds.predictions()
    correct = table["predicted"] == table["label"]
    by_fold = correct.groupby(table["fold"]).mean()
    assert metrics["accuracy"] == pytest.approx(by_fold.mean())
    assert metrics["accuracy_sd"] == pytest.approx(by_fold.std(), abs=1e-12)
    index = [folds.labels.index(label) for label in table["label"]]
    losses = -np.log(folds.probabilities(table)[np.arange(36), index])
    by_fold = pd.Series(losses).groupby(table["fold"]).mean()
    assert metrics["loss"] == pytest.approx(by_fold.mean(), rel=1e-4)
    # 12 held out of 36; t of 2 degrees of freedom.
    half = 4.30265 * by_fold.std() * np.sqrt(1 / 3 + 12 / 24)
    low, high = metrics["loss_ci95"]
    assert low == pytest.approx(max(by_fold.mean() - half, 0), abs=1e-4)
    assert high == pytest.approx(by_fold.mean() + half, abs=1e-4)
    assert metrics["pooled"]["accuracy"] == pytest.approx(correct.mean())
    assert [row["support"] for row in metrics["pooled"]["per_class"]] == [12, 12, 12]
    assert sum(metrics["selected"].values()) == 3


def test_nothing_but_its_files_is_left(folds):
    assert {path.name for path in folds.directory.iterdir()} == {
        "folds.json", "config.yaml", "labels.txt", "oof_predictions.csv",
        "metrics.json", "confusion.png",
    }  # fmt: skip


def test_a_fold_is_the_run_that_a_user_would_get(folds, prepared, tmp_path):
    """The last one, so that nothing of the folds before has stayed in the network."""
    one = outer_folds(prepared, 3, 1, seed=0)[-1]
    shutil.copytree(prepared.directory, tmp_path / "data")
    write_contents(tmp_path / "data", prepared.labels, one.manifest.examples)
    info = json.loads((tmp_path / "data" / "dataset.json").read_text())
    info["checksum"] = checksum_of(prepared.labels, one.manifest.examples)
    (tmp_path / "data" / "dataset.json").write_text(json.dumps(info))
    run = tlkit.finetune(tmp_path / "data", tmp_path / "run", **OPTIONS)
    metrics = tlkit.evaluate(run, split="test", workers=0)
    expected = pd.read_csv(tmp_path / "run" / "evaluation" / "test" / "predictions.csv")
    row = folds.info["splits"][-1]
    assert row["accuracy"] == metrics["accuracy"]
    assert row["loss"] == pytest.approx(metrics["loss"], abs=1e-4)
    table = folds.predictions()
    table = table[table["fold"] == 3]
    assert table["id"].tolist() == expected["id"].tolist()
    names = [f"p_{label}" for label in prepared.labels]
    np.testing.assert_allclose(table[names], expected[names], atol=1e-4)


class Stop(BaseException):
    pass


def test_killed_folds_resume_after_the_last_finished_one(
    folds, prepared, tmp_path, monkeypatch
):
    calls: list[int] = []

    def dying(config, split, *rest, **more):
        calls.append(split.fold)
        if len(calls) == 2:
            raise Stop
        return fit_fold(config, split, *rest, **more)

    monkeypatch.setattr(cross, "fit_fold", dying)
    with pytest.raises(Stop):
        measure(prepared, tmp_path / "part")
    part = CVResult.read(tmp_path / "part", finished=False)
    assert (part.state, len(part.info["splits"])) == ("failed", 1)
    with pytest.raises(RunError, match="not finished"):
        CVResult.read(tmp_path / "part")
    # A kill between table and record leaves predictions that are not counted.
    table = tmp_path / "part" / "oof_predictions.csv"
    text = table.read_text().splitlines()
    table.write_text("\n".join([*text, text[-1].replace(",1,1,", ",1,2,")]) + "\n")
    done = tlkit.cross_validate(resume=tmp_path / "part")
    assert calls == [1, 2, 2, 3]
    assert table.read_bytes() == (folds.directory / "oof_predictions.csv").read_bytes()
    assert done.metrics() == folds.metrics()
    with pytest.raises(UsageError, match="nothing to resume"):
        tlkit.cross_validate(resume=tmp_path / "part")


def test_nothing_is_left_of_folds_that_never_began(prepared, tmp_path, monkeypatch):
    def fail(*_, **__):
        raise Stop

    monkeypatch.setattr(cross, "fit_fold", fail)
    with pytest.raises(Stop):
        measure(prepared, tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_two_settings_are_compared_on_the_same_folds(folds, prepared, tmp_path):
    other = measure(
        prepared, tmp_path / "other", head="gmp,dense:8", baseline=folds.directory
    )
    against = other.metrics()["baseline"]
    ours, theirs = other.metrics(), folds.metrics()
    for name in ("accuracy", "loss"):
        assert against[name] == pytest.approx(ours[name] - theirs[name])
    both = zip(other.info["splits"], folds.info["splits"], strict=True)
    gaps = np.array([a["accuracy"] - b["accuracy"] for a, b in both])
    half = 4.30265 * gaps.std(ddof=1) * np.sqrt(1 / 3 + 12 / 24)
    low, high = against["accuracy_ci95"]
    assert high - low == pytest.approx(2 * half, abs=1e-4)
    least, most = against["accuracy_bootstrap_ci95"]
    assert least <= against["accuracy"] <= most
    assert against["within_noise"] == (low <= 0 <= high or least <= 0 <= most)
    # What is finished can be held against others without training.
    again = tlkit.cross_validate(resume=folds.directory, baseline=other.directory)
    reverse = again.metrics()["baseline"]["accuracy"]
    assert reverse == pytest.approx(-against["accuracy"])


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"seed": 1}, "seed 1 here, 0 there"), ({"folds": 2}, "folds")],
)
def test_other_folds_are_not_compared(folds, prepared, tmp_path, changes, message):
    with pytest.raises(UsageError, match=message):
        measure(prepared, tmp_path / "no", baseline=folds.directory, **changes)
    assert not (tmp_path / "no").exists()


def test_folds_that_were_drawn_differently_are_not_compared(folds, tmp_path):
    shutil.copytree(folds.directory, tmp_path / "copy")
    table = folds.predictions()
    table.iloc[::-1].to_csv(tmp_path / "copy" / "oof_predictions.csv", index=False)
    with pytest.raises(UsageError, match="another version"):
        tlkit.cross_validate(resume=folds.directory, baseline=tmp_path / "copy")


def test_invalid_options_are_errors(folds, prepared, tmp_path):
    with pytest.raises(UsageError, match="no other option"):
        tlkit.cross_validate(resume=folds.directory, epochs=3)
    with pytest.raises(UsageError, match="repeats must be 1 or more, got 0"):
        measure(prepared, tmp_path / "no", repeats=0)
    with pytest.raises(UsageError, match="No data set"):
        tlkit.cross_validate(folds=3)
    with pytest.raises(RunError, match="is not a cross-validation"):
        measure(prepared, tmp_path / "no", baseline=prepared.directory)
    with pytest.raises(UsageError, match="exists already"):
        measure(prepared, folds.directory)


def test_equal_folds_leave_the_uncertainty_of_few_images(folds, tmp_path):
    shutil.copytree(folds.directory, tmp_path / "copy")
    table = folds.predictions()
    for name in ("p_bar", "p_cross", "p_disc"):
        table[name] = (table["label"] == name[2:]).astype(float)
    table["predicted"] = table["label"]
    table.to_csv(tmp_path / "copy" / "oof_predictions.csv", index=False)
    rows = [{**row, "accuracy": 1.0} for row in folds.info["splits"]]
    metrics = summarize(CVResult.read(tmp_path / "copy").update(splits=rows))
    # Wilson: 36 / (36 + 3.8415).
    assert metrics["accuracy_ci95"] == pytest.approx([0.90358, 1.0], abs=1e-4)
    assert "Wilson" in metrics["interval"]


def test_an_automatic_cut_is_chosen_in_each_fold(prepared, tmp_path, monkeypatch):
    """By what it learns from alone; folds that agree share a network."""
    tested_in: list[set[str]] = []

    def chosen(config, manifest, progress):
        tested = {e.id for e in manifest.of("test")}
        cut = "block3" if len(tested_in) == 1 else "block4"
        tested_in.append(tested)
        model = dataclasses.replace(config.model, cut=cut, freeze_to=cut)
        return dataclasses.replace(config, model=model), {"cut": cut}

    built = []
    build = network.build_network

    def building(config, *rest):
        built.append(config.model.cut)
        return build(config, *rest)

    monkeypatch.setattr(cross, "with_cut", chosen)
    monkeypatch.setattr(cross, "build_network", building)
    found = measure(prepared, tmp_path / "folds", epochs=1)
    assert [row["cut"] for row in found.info["splits"]] == [
        "block4",
        "block3",
        "block4",
    ]
    assert built == ["block4", "block3"]
