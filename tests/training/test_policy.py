"""Phases: as listed, or found out; what they start from, and what is kept."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.training.test_candidates import scored
from tests.training.test_finetune import weights_of
from tlkit.backbones import registry
from tlkit.backbones.graph import build_backbone
from tlkit.backbones.weights.load import load_weights
from tlkit.config import build_config, resolve
from tlkit.errors import UsageError
from tlkit.progress import Silent
from tlkit.runs.run import Run
from tlkit.training import policy
from tlkit.training.callbacks import Budget, EpochLines
from tlkit.training.checkpoint import Checkpoint
from tlkit.training.finetune import finetune, resume
from tlkit.training.policy import select_tuned
from tlkit.training.probe import fit_probe
from tlkit.training.trainer import Trainer

pytestmark = pytest.mark.usefixtures("plain_plots")

PRETRAINED: dict[str, Any] = {
    "backbone": "nano", "cut": "stage2_block3", "size": 32, "augment": "light",
    "views": 2, "batch": 8, "workers": 0, "head": "gap,dropout:0.3",
    "precision": "float32",
}  # fmt: skip


@pytest.fixture
def large_val():
    """As if the validation split were large enough to select on."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(policy, "LEAST_IMAGES", 1)
        yield


@pytest.fixture(scope="module")
def found(prepared, tmp_path_factory):
    """A run that has found out by itself how deep to tune."""
    place = tmp_path_factory.mktemp("found") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(policy, "LEAST_IMAGES", 1)
        return finetune(prepared.directory, place, epochs=4, **PRETRAINED)


def test_an_automatic_choice_is_recorded_and_can_be_repeated(found, tmp_path):
    names = [one["name"] for one in found.info["candidates"]]
    # 36 images: 60 steps of 8 are 12 passes
    assert names[:4] == ["probe", "head", "top", "top-averaged"]
    phases = found.config.train.phases
    assert phases.startswith("head:4@0.001,top:")
    assert Run.read(found.directory).config.train.phases == phases
    named = {one["name"]: one for one in found.info["candidates"]}
    kept = min(named, key=lambda name: named[name]["scaled_loss"])
    assert found.info["selected"] == kept
    assert found.metrics()["loss"] == pytest.approx(named[kept]["loss"], abs=1e-4)
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


def test_a_listed_run_is_resumed_in_its_second_phase(prepared, tmp_path, monkeypatch):
    settings = {**PRETRAINED, "phases": "head:2,top:3@1e-3"}
    whole = finetune(prepared.directory, tmp_path / "whole", **settings)

    class Stop(BaseException):
        pass

    def die(self, epoch, logs=None):
        if self.phase == "top" and epoch == 2:
            raise Stop

    with monkeypatch.context() as patch:
        patch.setattr("tlkit.training.checkpoint.Checkpoint.on_epoch_begin", die)
        with pytest.raises(Stop):
            finetune(prepared.directory, tmp_path / "part", **settings)
    resumed = resume(tmp_path / "part")
    for a, b in zip(weights_of(whole), weights_of(resumed), strict=True):
        assert a.tobytes() == b.tobytes()
    tables = [(r.directory / "history.csv").read_text() for r in (whole, resumed)]
    assert tables[0] == tables[1]


def test_what_lies_below_a_phase_does_not_change(prepared, tmp_path):
    """The upper third begins behind stage2_block2 here; what is below stays."""
    run = finetune(
        prepared.directory, tmp_path / "run", phases="top:2@1e-2", probe=False,
        **PRETRAINED, monitor="val_accuracy",
    )  # fmt: skip
    base_model = build_backbone(registry.find("nano"), 32)
    load_weights(registry.find("nano"), base_model, base_model, "own")
    model = run.model()
    for place in ("stem", "stage1_block1", "stage2_block2", "stage2_block3"):
        name = f"{place}_{'conv' if place == 'stem' else 'pointwise'}"
        before, after = (
            np.asarray(one.get_layer(name).kernel) for one in (base_model, model)
        )
        assert (before == after).all() == (place != "stage2_block3"), name


def test_the_probe_is_the_output_layer_when_nothing_beats_it(prepared, tmp_path):
    """At a rate of next to nothing, no phase has less loss than the probe."""
    run = finetune(
        prepared.directory, tmp_path / "run", lr=1e-12,
        phases="head:1", **{**PRETRAINED, "head": "gap"},
    )  # fmt: skip
    losses = [one["loss"] for one in run.info["candidates"]]
    assert losses[0] == pytest.approx(losses[1], abs=1e-6)
    assert run.info["choice"]["baseline"] in ("", "probe")


def test_a_head_that_is_not_linear_does_not_start_from_the_probe(prepared, tmp_path):
    run = finetune(
        prepared.directory, tmp_path / "run", phases="head:2",
        **{**PRETRAINED, "head": "gap,dense:8"},
    )  # fmt: skip
    assert [one["name"] for one in run.info["candidates"]] == ["head"]


def test_no_time_no_tuning(large_val, prepared, tmp_path):
    run = finetune(
        prepared.directory, tmp_path / "run", minutes=0.01, epochs=2,
        **PRETRAINED,
    )  # fmt: skip
    assert "top" not in {one["name"] for one in run.info["candidates"]}


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"phases": "head"}, "ABOVE:EPOCHS"),
        ({"phases": "head:0"}, "ABOVE:EPOCHS"),
        ({"phases": "head:3@nan"}, "ABOVE:EPOCHS"),
        ({"phases": "head:3", "epochs": 4}, "with epochs 4: each phase has"),
        ({"phases": "probe", "epochs": 4}, "with epochs 4: each phase has"),
        ({"phases": "probe", "label_smoothing": 0.1}, "label_smoothing have no effect"),
        ({"phases": "probe", "augment": "strong"}, "augment, .*have no effect"),
        ({"phases": "probe", "lr": 1e-3}, "lr have no effect"),
        ({"phases": "probe", "probe": False}, "leaves nothing to train"),
        ({"phases": "probe", "head": "gap,dense:4"}, "is not"),
        ({"phases": "deep:3", "average_weights": True}, "a candidate there anyway"),
        (
            {"phases": "head:3", "freeze_to": "stage1_block2"},
            "both decide what is frozen",
        ),
        ({"epochs": 3, "steps": 9}, "both set the length"),
        ({"phases": "head:3@1e-3", "lr": 1e-4}, "lr has no effect"),
        ({"phases": "head:3@1e-3,top:2", "lr": 1e-4}, "lr has no effect"),
        ({"phases": "top:2", "lr": 1e-4}, "no phase for the head"),
        ({"phases": "deep:2@1e-3", "patience": 3}, "patience has no effect"),
        (
            {"phases": "deep:2", "patience": 0, "lr_patience": 2},
            "patience, lr_patience have",
        ),
    ],
)
def test_phases_that_contradict_other_options(options, word):
    with pytest.raises(UsageError, match=word):
        resolve(build_config(options={**PRETRAINED, **options}))


@pytest.fixture(scope="module")
def selected_by_folds(prepared, tmp_path_factory):
    """A run whose validation split is too small to select on."""
    place = tmp_path_factory.mktemp("folds") / "run"
    return finetune(prepared.directory, place, **PRETRAINED)


def test_folds_of_the_training_split_select_where_val_is_small(
    selected_by_folds, prepared
):
    run = selected_by_folds
    assert len(prepared.of("val")) < policy.LEAST_IMAGES
    held = {one["name"]: one for one in run.info["held_out"]}
    assert list(held) == ["probe", "deep", "deep-averaged"]
    least = min(held, key=lambda name: held[name]["scaled_loss"])
    chosen_by = run.info["choice"]["selected_by"]
    assert chosen_by.startswith(
        "folds" if run.info["selected"] == least else "the default"
    )
    # Each training image is held out once.
    errors = (1 - held["probe"]["accuracy"]) * len(prepared.of("train"))
    assert errors == pytest.approx(round(errors))
    assert not (run.directory / "folds").exists()


@pytest.mark.parametrize("most", [{"steps": 6}, {"epochs": 2}], ids=str)
def test_a_given_length_is_the_most_of_every_phase(
    prepared, tmp_path, monkeypatch, eager, most
):
    """29 images in batches of 8: 6 steps are an epoch of 4 and one of 2."""
    monkeypatch.setattr(policy, "select_tuned", lambda candidates, *_: candidates[1])
    taken = []
    monkeypatch.setattr(
        EpochLines, "on_train_batch_end", lambda self, batch, logs=None: taken.append(1)
    )
    run = finetune(prepared.directory, tmp_path / "run", **PRETRAINED, **most)
    # Three folds of 20 images, then the whole training split.
    each = {"steps": 6, "epochs": 2 * 3}
    last = {"steps": 6, "epochs": 2 * 4}
    name = next(iter(most))
    assert len(taken) == 3 * each[name] + last[name]
    assert str(run.config.train.phases).startswith("deep:")
    again = finetune(recipe=run.directory / "config.yaml", out=tmp_path / "again")
    for a, b in zip(weights_of(run), weights_of(again), strict=True):
        assert a.tobytes() == b.tobytes()


@pytest.mark.parametrize("kept", [0, 1])
def test_options_of_a_head_are_warned_of_where_folds_select(
    prepared, tmp_path, monkeypatch, kept
):
    monkeypatch.setattr(policy, "select_tuned", lambda candidates, *_: candidates[kept])
    warnings: list[str] = []

    class Listener(Silent):
        def warn(self, message: str) -> None:
            warnings.append(message)

    run = finetune(
        prepared.directory, tmp_path / "run", progress=Listener(),
        **PRETRAINED, lr=10.0, patience=3, steps=4,
    )  # fmt: skip
    (line,) = [one for one in warnings if "of no effect" in one]
    assert line.startswith("lr 10, patience 3: of no effect")
    assert (run.config.train.lr, run.config.train.patience) == (None, 8)
    again = finetune(
        prepared.directory, tmp_path / "again", recipe=run.directory / "config.yaml"
    )
    for a, b in zip(weights_of(run), weights_of(again), strict=True):
        np.testing.assert_array_equal(a, b)


def test_what_folds_have_chosen_is_repeated_to_the_byte(selected_by_folds, tmp_path):
    again = finetune(
        recipe=selected_by_folds.directory / "config.yaml", out=tmp_path / "again"
    )
    assert again.info["selected"] == selected_by_folds.info["selected"]
    assert not again.info["held_out"]
    for a, b in zip(weights_of(selected_by_folds), weights_of(again), strict=True):
        assert a.tobytes() == b.tobytes()


def test_a_run_that_is_resumed_does_not_train_its_folds_again(
    selected_by_folds, prepared, tmp_path, monkeypatch
):
    class Stop(BaseException):
        pass

    def dying(self, epoch, logs=None):
        if "folds" not in str(self.directory) and epoch == 2:
            raise Stop

    with monkeypatch.context() as patch:
        patch.setattr(Checkpoint, "on_epoch_begin", dying, raising=False)
        patch.setattr(policy, "select_tuned", lambda candidates, *_: candidates[-1])
        with pytest.raises(Stop):
            finetune(prepared.directory, tmp_path / "run", **PRETRAINED)
    trained = []
    with monkeypatch.context() as patch:
        patch.setattr(
            Checkpoint, "on_epoch_begin",
            lambda self, epoch, logs=None: trained.append(str(self.directory)),
            raising=False,
        )  # fmt: skip
        patch.setattr(policy, "select_tuned", lambda candidates, *_: candidates[-1])
        run = resume(tmp_path / "run")
    assert trained
    assert not any("folds" in place for place in trained)
    assert run.info["selected"] == "deep-averaged"
    ours, theirs = ({c["name"]: c["loss"] for c in one.info["held_out"]}
                    for one in (run, selected_by_folds))  # fmt: skip
    assert ours == theirs
    assert not (run.directory / "folds").exists()


@pytest.mark.parametrize("chosen", ["probe", "deep", "deep-averaged"])
def test_what_folds_choose_is_what_comes_out(prepared, tmp_path, monkeypatch, chosen):
    def score(trainer, tune):
        fold = trainer.for_fold(trainer.manifest, tmp_path / "fold", 9.0, Silent())
        fold.probe()
        tune(fold)
        trainer.network.restore_weights({})
        return [
            dataclasses.replace(
                one,
                scaled_loss=float(one.name != chosen),
                losses=np.full_like(one.losses, one.name != chosen),
            )
            for one in fold.candidates
        ]

    monkeypatch.setattr(policy, "score_on_folds", score)
    run = finetune(prepared.directory, tmp_path / "run", **PRETRAINED)
    assert run.info["selected"] == chosen
    # 29 images in batches of 8: 32 times each is 116 steps, 12 times less than 60.
    if chosen != "probe":
        epochs = {one["name"]: one["epochs"] for one in run.info["candidates"]}
        assert epochs["deep"] * 4 == pytest.approx(116, abs=4)
        assert run.config.train.monitor == "last"
    phases = str(run.config.train.phases)
    assert phases.startswith("deep:" if chosen != "probe" else "probe")
    assert run.config.train.average_weights == (chosen == "deep-averaged")
    again = finetune(recipe=run.directory / "config.yaml", out=tmp_path / "again")
    for a, b in zip(weights_of(run), weights_of(again), strict=True):
        assert a.tobytes() == b.tobytes()


def test_too_few_for_folds_keep_the_mean(prepared, tmp_path, monkeypatch):
    """Half way between the probe and the tuned network, whatever val shows."""
    monkeypatch.setattr(policy, "FOLDS", 1)
    run = finetune(prepared.directory, tmp_path / "run", **PRETRAINED)
    names = [one["name"] for one in run.info["candidates"]]
    assert names == ["probe", "deep", "deep-averaged"]
    assert run.info["selected"] == "deep-averaged"
    assert str(run.config.train.phases).startswith("deep:")
    assert run.config.train.average_weights
    assert run.info["selected_weights"].startswith("the mean of the weights before")
    assert run.info["best_epoch"] == run.info["epochs"]


def test_a_probe_alone(prepared, tmp_path):
    run = finetune(
        prepared.directory, tmp_path / "run", phases="probe",
        **{**PRETRAINED, "batch": None, "views": None, "augment": None},
    )  # fmt: skip
    assert run.info["selected"] == "probe"
    assert "epoch" not in run.metrics()["used_for_selection"]
    assert run.info["best_epoch"] == 0
    assert run.metrics()["n"] == len(prepared.of("val"))


@pytest.mark.parametrize(
    "options", [{"class_weights": "balanced"}, {"sampling": "balanced"}, {}], ids=str
)
def test_classes_weigh_the_same_in_a_probe_if_they_are_to(
    prepared, tmp_path, monkeypatch, options
):
    asked = []

    def listening(*args, balanced, **more):
        asked.append(balanced)
        return fit_probe(*args, balanced=balanced, **more)

    monkeypatch.setattr("tlkit.training.trainer.fit_probe", listening)
    settings: dict[str, Any] = {**PRETRAINED, "phases": "probe", **options}
    for name in ("batch", "views", "augment"):
        del settings[name]
    finetune(prepared.directory, tmp_path / "run", **settings)
    assert asked == [bool(options)]


def test_a_probe_alone_is_for_one_label(several, tmp_path):
    common: dict[str, Any] = {
        **PRETRAINED,
        "batch": None,
        "views": None,
        "augment": None,
    }
    with pytest.raises(UsageError, match="needs one label per image"):
        finetune(
            several.directory, tmp_path / "run", phases="probe",
            **common,
        )  # fmt: skip


def test_a_place_that_is_none_is_refused_before_anything_slow(
    prepared, tmp_path, monkeypatch
):
    monkeypatch.setattr(Trainer, "probe", None)
    with pytest.raises(UsageError, match="nolayer"):
        finetune(
            prepared.directory, tmp_path / "run",
            phases="head:1,nolayer:1", **PRETRAINED,
        )  # fmt: skip


def test_a_run_whose_time_was_up_records_the_epochs_it_has_done(
    prepared, tmp_path, monkeypatch
):
    """The clock stands still until the 14th step, and is then over."""
    steps = 0

    def count(self, batch, logs=None):
        nonlocal steps
        steps += 1

    with monkeypatch.context() as patch:
        patch.setattr(policy, "LEAST_IMAGES", 1)
        patch.setattr("tlkit.training.callbacks.EpochLines.on_train_batch_end", count)
        patch.setattr(Budget, "left", property(lambda _: 100.0 if steps < 14 else -1.0))
        run = finetune(prepared.directory, tmp_path / "run", **PRETRAINED)
    assert steps == 15
    # 4 steps an epoch: the fourth is begun.
    assert run.info["epochs"] == 4
    assert run.config.train.phases == "head:4@0.001"
    again = finetune(recipe=run.directory / "config.yaml", out=tmp_path / "again")
    assert again.info["epochs"] == 4


def test_two_phases_of_one_kind(prepared, tmp_path):
    run = finetune(
        prepared.directory, tmp_path / "run", phases="top:2,top:3@1e-3", **PRETRAINED
    )
    names = [one["name"] for one in run.info["candidates"]]
    assert names == ["probe", "top", "top-averaged", "top-2", "top-2-averaged"]
    history = pd.read_csv(run.directory / "history.csv")
    assert history["phase"].tolist() == ["top"] * 2 + ["top-2"] * 3


def test_what_cannot_be_tuned_is_not_tried(large_val, prepared, tmp_path, monkeypatch):
    """As of a cut so low that the backbone comes apart nowhere below it."""

    monkeypatch.setattr(policy, "tunable", lambda backbone, above: False)
    notes: list[str] = []

    class Listener(Silent):
        def note(self, message: str) -> None:
            notes.append(message)

    run = finetune(
        prepared.directory, tmp_path / "run", epochs=1, progress=Listener(),
        **PRETRAINED,
    )  # fmt: skip
    assert [one["name"] for one in run.info["candidates"]] == ["probe", "head"]
    assert sum("No layer to freeze up to" in note for note in notes) == 2


def test_a_mean_needs_something_before_it(prepared, tmp_path):
    with pytest.raises(UsageError, match="needs a probe or a head phase before"):
        finetune(
            prepared.directory, tmp_path / "run", phases="deep:1", probe=False,
            monitor="last", average_weights=True, **PRETRAINED,
        )  # fmt: skip


class Notes(Silent):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def note(self, message: str) -> None:
        self.lines.append(message)


def with_losses(name, *losses):
    found = np.array(losses)
    return dataclasses.replace(
        scored(name, 0.9, 0.8, 0.7, 0.6), losses=found, scaled_loss=float(found.mean())
    )


PROBE = with_losses("probe", 0.1, 0.1, 0.1, 0.1)
# Behind the probe by 0.2 with a standard error of 0.1; by 0.075 with 0.175.
WORSE = with_losses("deep", 0.2, 0.2, 0.2, 0.6)
HARDLY = with_losses("deep", 0.0, 0.0, 0.0, 0.7)
BETTER = with_losses("deep", 0.1, 0.1, 0.1, 0.0)
# Ahead of WORSE by 0.25 with 0.12; of HARDLY by 0.125 with 0.1931.
MEAN = with_losses("deep-averaged", 0.1, 0.1, 0.0, 0.0)


@pytest.mark.parametrize(
    ("held_out", "kept", "line"),
    [
        ([PROBE, WORSE], "probe", []),
        ([PROBE, HARDLY], "deep", ["probe is better", "0.0750 ± 0.1750"]),
        ([PROBE, BETTER, HARDLY], "deep", []),
        ([PROBE, WORSE, MEAN], "deep-averaged", []),
        ([PROBE, HARDLY, MEAN], "deep", ["deep-averaged is better", "0.1250 ± 0.1931"]),
        ([PROBE], "probe", []),
    ],
)
def test_what_has_changed_less_has_to_be_significantly_better(held_out, kept, line):
    notes = Notes()
    assert select_tuned(held_out, "val_loss", notes).name == kept
    assert len(notes.lines) == bool(line)
    for part in line:
        assert part in notes.lines[0]


def test_a_probe_that_is_ahead_in_accuracy_only():
    """Right once more, but with more loss: that is no gain, and none is claimed."""
    held = [dataclasses.replace(PROBE, accuracy=1.0),
            dataclasses.replace(BETTER, accuracy=0.75)]  # fmt: skip
    notes = Notes()
    assert select_tuned(held, "val_accuracy", notes).name == "deep"
    assert "gain in temperature-scaled log loss, -0.0250" in notes.lines[0]
    assert "not significant" in notes.lines[0]
