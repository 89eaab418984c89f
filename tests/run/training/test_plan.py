"""Phases: as listed, or found out; what they start from, and what is kept."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.run.test_train import weights_of
from tlkit.errors import UsageError
from tlkit.run.record import Run
from tlkit.run.train import finetune, resume
from tlkit.run.training import plan
from tlkit.run.training.learn import Candidate

# Random weights stand in for pretrained ones: they are read from a file.
PRETRAINED: dict[str, Any] = {
    "backbone": "smallcnn", "size": 32, "augment": "light", "views": 2, "batch": 8,
    "workers": 0, "head": "gap,dropout:0.3", "precision": "float32",
}  # fmt: skip


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A file of weights for SmallCNN."""
    from tlkit.model import backbones
    from tlkit.model.body import build_body

    path = tmp_path_factory.mktemp("weights") / "small.weights.h5"
    build_body(backbones.find("smallcnn"), 32, seed=3).save_weights(path)
    return str(path)


@pytest.fixture
def judged():
    """As if the validation side were large enough to judge by."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plan, "LEAST_JUDGES", 1)
        yield


@pytest.fixture(scope="module")
def found(prepared, weights, tmp_path_factory):
    """A run that has found out by itself how deep to tune."""
    place = tmp_path_factory.mktemp("found") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plan, "LEAST_JUDGES", 1)
        return finetune(
            prepared.directory, place, weights=weights, epochs=4, **PRETRAINED
        )


def test_what_was_found_out_is_told_and_can_be_repeated(found, tmp_path):
    names = [one["name"] for one in found.info["candidates"]]
    # 36 pictures: 60 steps of 8 are 12 passes
    assert names[:4] == ["probe", "head", "top", "top/2"]
    phases = found.config.train.phases
    assert phases.startswith("head:4@0.001,top:")
    assert Run.read(found.directory).config.train.phases == phases
    losses = {one["name"]: one["loss"] for one in found.info["candidates"]}
    assert found.info["kept"] == min(losses, key=losses.__getitem__)
    assert found.metrics()["loss"] == pytest.approx(min(losses.values()), abs=1e-4)
    again = finetune(recipe=found.directory / "config.yaml", out=tmp_path / "again")
    for a, b in zip(weights_of(found), weights_of(again), strict=True):
        assert a.tobytes() == b.tobytes()


def test_the_history_counts_through_all_phases(found):
    history = pd.read_csv(found.directory / "history.csv")
    assert history["epoch"].tolist() == list(range(1, len(history) + 1))
    assert history["phase"].unique()[:2].tolist() == ["head", "top"]
    assert (history["phase"] == "head").sum() == 4
    best = found.info["best_epoch"]
    assert 0 <= best <= len(history)


def test_a_listed_run_is_resumed_in_its_second_phase(
    prepared, weights, tmp_path, monkeypatch
):
    settings = {**PRETRAINED, "weights": weights, "phases": "head:2,top:3@1e-3"}
    whole = finetune(prepared.directory, tmp_path / "whole", **settings)

    class Stop(BaseException):
        pass

    def die(self, epoch, logs=None):
        if self.phase == "top" and epoch == 2:
            raise Stop

    with monkeypatch.context() as patch:
        patch.setattr("tlkit.run.training.checkpoint.Checkpoint.on_epoch_begin", die)
        with pytest.raises(Stop):
            finetune(prepared.directory, tmp_path / "part", **settings)
    resumed = resume(tmp_path / "part")
    for a, b in zip(weights_of(whole), weights_of(resumed), strict=True):
        assert a.tobytes() == b.tobytes()
    tables = [(r.directory / "history.csv").read_text() for r in (whole, resumed)]
    assert tables[0] == tables[1]


def test_what_lies_below_a_phase_does_not_change(prepared, weights, tmp_path):
    """Of SmallCNN the upper third is block 4: the three below are as in the file."""
    settings = {**PRETRAINED, "weights": weights, "monitor": "val_accuracy"}
    run = finetune(
        prepared.directory, tmp_path / "run", phases="top:2@1e-2", probe=False,
        **settings,
    )  # fmt: skip
    from tlkit.model import backbones
    from tlkit.model.body import build_body

    body = build_body(backbones.find("smallcnn"), 32, seed=3)
    body.load_weights(weights)
    model = run.model()
    for block in (1, 2, 3, 4):
        name = f"block{block}_conv1"
        before, after = (
            np.asarray(one.get_layer(name).kernel) for one in (body, model)
        )
        assert (before == after).all() == (block < 4), name


def test_the_probe_is_the_output_layer_when_nothing_beats_it(
    prepared, weights, tmp_path
):
    """At a rate of next to nothing, no phase has less loss than the probe."""
    run = finetune(
        prepared.directory, tmp_path / "run", weights=weights, lr=1e-12,
        phases="head:1", **{**PRETRAINED, "head": "gap"},
    )  # fmt: skip
    losses = [one["loss"] for one in run.info["candidates"]]
    assert losses[0] == pytest.approx(losses[1], abs=1e-6)
    assert run.info["choice"]["against"] in ("", "probe")


def test_a_head_that_is_not_linear_does_not_start_from_the_probe(
    prepared, weights, tmp_path
):
    run = finetune(
        prepared.directory, tmp_path / "run", weights=weights, phases="head:2",
        **{**PRETRAINED, "head": "gap,dense:8"},
    )  # fmt: skip
    assert [one["name"] for one in run.info["candidates"]] == ["head"]


def test_no_time_no_tuning(judged, prepared, weights, tmp_path):
    run = finetune(
        prepared.directory, tmp_path / "run", weights=weights, minutes=0.01, epochs=2,
        **PRETRAINED,
    )  # fmt: skip
    assert "top" not in {one["name"] for one in run.info["candidates"]}


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"phases": "head"}, "ABOVE:EPOCHS"),
        ({"phases": "head:0"}, "ABOVE:EPOCHS"),
        ({"phases": "head:3@nan"}, "ABOVE:EPOCHS"),
        ({"phases": "head:3", "epochs": 4}, "do not go with it"),
        ({"phases": "head:3", "freeze_to": "block1"}, "say what is frozen"),
        ({"epochs": 3, "steps": 9}, "give one of both"),
        ({"phases": "head:3@1e-3", "lr": 1e-4}, "would do nothing"),
        ({"freeze_to": "block4", "depth_decay": 0.1}, "would do nothing"),
    ],
)
def test_phases_that_cannot_be_meant(prepared, weights, tmp_path, options, word):
    with pytest.raises(UsageError, match=word):
        finetune(
            prepared.directory, tmp_path / "run", weights=weights,
            **{**PRETRAINED, **options},
        )  # fmt: skip


def test_with_few_pictures_to_judge_by_the_mean_is_kept(prepared, weights, tmp_path):
    """Half way between the probe's network and the tuned one, whatever val says."""
    few = sum(prepared.counts()[label]["val"] for label in prepared.labels)
    assert few < plan.LEAST_JUDGES
    run = finetune(prepared.directory, tmp_path / "run", weights=weights, **PRETRAINED)
    assert [one["name"] for one in run.info["candidates"]] == [
        "probe",
        "deep",
        "deep/2",
    ]
    assert run.info["kept"] == "deep/2"
    assert run.config.train.monitor == "last"
    assert run.info["best_epoch"] == run.info["epochs"]


def test_a_gain_has_to_be_more_than_chance():
    """Ten pictures: 0.1 less on each is clear, 1 less on one of them is not."""
    names = ("a", "head", np.zeros((10, 2)), np.ones(10))
    before = Candidate(*names, np.ones(10), 1.0, 1.0)
    clear = Candidate(*names, np.ones(10) - np.linspace(0.05, 0.15, 10), 0.9, 1.0)
    chance = Candidate(*names, np.r_[0.0, 1.1, np.ones(8)], 0.91, 1.0)
    assert clear.beats(before)
    assert not chance.beats(before)
    assert not before.beats(before)
