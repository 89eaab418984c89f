"""A search: what is kept, what is given up, and what its scores are worth."""

from __future__ import annotations

import json
import time

import numpy as np
import optuna
import pandas as pd
import pytest

import tlkit
from tests.conftest import SMALL
from tlkit.cli import run as command
from tlkit.config import build_config, resolve
from tlkit.errors import DatasetError, RunError, UsageError
from tlkit.experiments import cross_validate
from tlkit.experiments import study as search
from tlkit.experiments.trials import STRIDE, OutOfTime, Reached, Watch

OPTIONS = {
    name: value for name, value in SMALL.items() if name not in ("head", "batch")
} | {"freeze_to": "block4", "hflip": True, "views": 1, "epochs": 2}  # fmt: skip


def tune(prepared, place, **changes):
    options = {**OPTIONS, "folds": 2, "trials": 3, **changes}
    return tlkit.search(prepared.directory, place, **options)


@pytest.fixture(scope="module")
def tuned(prepared, tmp_path_factory):
    return tune(prepared, tmp_path_factory.mktemp("tuned") / "first")


def test_the_best_trial_is_a_recipe_and_a_run(tuned):
    table = pd.read_csv(tuned.directory / "trials.csv")
    assert len(table) == 3
    assert set(table["state"]) == {"complete"}
    best = table.sort_values("loss").iloc[0]
    assert tuned.metrics["best"] == {
        "trial": best["trial"],
        "loss": pytest.approx(best["loss"]),
        "accuracy": pytest.approx(best["accuracy"]),
    }
    assert tuned.config.model.head == best["head"]
    assert tuned.config.train.lr == pytest.approx(best["lr"])
    assert tuned.config.model.freeze_to == "block4"
    recipe = tuned.directory / "best.yaml"
    assert resolve(build_config(recipe=recipe)) == tuned.config
    assert "bright side" in recipe.read_text()
    assert tuned.run.state == "finished"
    assert tuned.run.config == tuned.config
    assert tuned.metrics["run"] == tuned.run.metrics()
    assert (tuned.directory / "search.png").read_bytes().startswith(b"\x89PNG")
    assert not (tuned.directory / "work").exists()


def test_the_first_trial_is_the_default(tuned):
    first = pd.read_csv(tuned.directory / "trials.csv").iloc[0]
    assert first["head"] == "gap,dropout:0.2"
    assert first["optimizer"] == "adam"
    assert tuned.metrics["first"]["loss"] == pytest.approx(first["loss"])


def quadratic(trial, config, rounds, directory, *, until, progress):
    """As good as the rate is near to 3e-3."""
    for one in rounds:
        assert not one.manifest.of("test")
    return Reached(abs(np.log10(config.train.lr / 3e-3)) + 0.1, 0.5)


@pytest.fixture
def quick(monkeypatch):
    """No trial trains, and no run is made of the best."""
    monkeypatch.setattr(search, "run_trial", quadratic)
    monkeypatch.setattr("tlkit.experiments.search._refit", lambda *_: _Finished())


class _Finished:
    def metrics(self):
        return {}


class Lines:
    def __init__(self):
        self.lines = []

    def start(self, task, total=None):
        pass

    def advance(self, steps=1):
        pass

    def note(self, message):
        self.lines.append(message)

    warn = note


def test_trials_that_fail_are_written_down_and_end_nothing(
    prepared, tmp_path, monkeypatch, quick
):
    def failing(trial, *rest, **more):
        if trial.number == 1:
            raise MemoryError("too large\nby far")
        if trial.number == 2:
            raise RunError("Training diverged.")
        if trial.number == 3:
            trial.report(2.0, 0)
            raise optuna.TrialPruned
        return quadratic(trial, *rest, **more)

    monkeypatch.setattr(search, "run_trial", failing)
    lines = Lines()
    found = tune(prepared, tmp_path / "out", trials=5, progress=lines)
    table = pd.read_csv(tmp_path / "out" / "trials.csv", keep_default_na=False)
    assert table["state"].tolist() == ["complete", "fail", "fail", "pruned", "complete"]
    assert table["reason"].tolist()[1:3] == [
        "MemoryError: too large", "RunError: Training diverged.",
    ]  # fmt: skip
    assert found.metrics["trials"] == {"complete": 2, "fail": 2, "pruned": 1}
    assert any("failed, MemoryError: too large" in line for line in lines.lines)


def test_what_is_wrong_with_the_data_ends_the_search(prepared, tmp_path, monkeypatch):
    def broken(*_, **__):
        raise DatasetError("An image has gone.")

    monkeypatch.setattr(search, "run_trial", broken)
    with pytest.raises(DatasetError, match="has gone"):
        tune(prepared, tmp_path / "out")


def test_a_search_that_gets_nowhere_says_why(prepared, tmp_path, monkeypatch):
    calls = []

    def failing(*_, **__):
        calls.append(1)
        raise MemoryError("too large")

    monkeypatch.setattr(search, "run_trial", failing)
    with pytest.raises(RunError, match=r"Not one of 5 .* MemoryError: too large"):
        tune(prepared, tmp_path / "out", trials=20)
    assert len(calls) == 5


class Stop(BaseException):
    pass


def test_an_interrupted_search_goes_on(prepared, tmp_path, monkeypatch, quick):
    def dying(trial, *rest, **more):
        if trial.number == 2:
            raise Stop
        return quadratic(trial, *rest, **more)

    monkeypatch.setattr(search, "run_trial", dying)
    with pytest.raises(Stop):
        tune(prepared, tmp_path / "out", trials=4)
    assert (
        json.loads((tmp_path / "out" / "search.json").read_text())["state"] == "failed"
    )
    monkeypatch.setattr(search, "run_trial", quadratic)
    found = tlkit.search(resume=tmp_path / "out")
    table = pd.read_csv(tmp_path / "out" / "trials.csv", keep_default_na=False)
    done = "complete"
    assert table["state"].tolist() == [done, done, "cut short", done, done]
    assert table["reason"].tolist()[2] == "it was interrupted"
    # It is tried again, and counts once.
    lr = table["lr"].tolist()
    assert lr[3] == lr[2]
    assert len(set(lr)) == 4
    # More trials can be asked for.
    more = tlkit.search(resume=tmp_path / "out", trials=6)
    assert more.metrics["trials"] == {"complete": 6, "cut short": 1}
    assert more.metrics["best"]["loss"] <= found.metrics["best"]["loss"]


def test_the_default_is_tried_again_where_the_first_trial_was_interrupted(
    prepared, tmp_path, monkeypatch, quick
):
    def dying(trial, *rest, **more):
        raise Stop

    monkeypatch.setattr(search, "run_trial", dying)
    with pytest.raises(Stop):
        tune(prepared, tmp_path / "out", trials=2)
    monkeypatch.setattr(search, "run_trial", quadratic)
    found = tlkit.search(resume=tmp_path / "out")
    table = pd.read_csv(tmp_path / "out" / "trials.csv", keep_default_na=False)
    assert table["state"].tolist() == ["cut short", "complete", "complete"]
    assert table["lr"][1] == table["lr"][0]
    assert found.metrics["first"]["trial"] == 2


def test_the_time_limit_holds_but_for_the_first_trial(
    prepared, tmp_path, monkeypatch, quick
):
    now, ends = [0.0], []

    class Clock:
        monotonic = staticmethod(lambda: now[0])
        perf_counter = staticmethod(time.perf_counter)

    def slow(trial, *rest, until, **more):
        ends.append(until)
        now[0] += 50
        if now[0] > until:
            raise OutOfTime
        return quadratic(trial, *rest, until=until, **more)

    monkeypatch.setattr(search, "time", Clock)
    monkeypatch.setattr(search, "run_trial", slow)
    found = tune(prepared, tmp_path / "out", trials=9, minutes=2)
    # The first may take as long as it takes; the third is late, and what comes of it
    # could not be compared.
    assert ends == [float("inf"), 120, 120]
    assert found.metrics["trials"] == {"complete": 2, "cut short": 1}
    table = pd.read_csv(tmp_path / "out" / "trials.csv", keep_default_na=False)
    assert table["reason"].tolist() == ["", "", "the time was over"]


def test_a_nested_search_scores_what_no_search_has_seen(
    prepared, tmp_path, monkeypatch, quick
):
    seen, searches = [], []

    def looking(trial, config, rounds, *rest, **more):
        train = {e.id for one in rounds for e in one.manifest.examples}
        if trial.number == 0:
            searches.append(train)
        return quadratic(trial, config, rounds, *rest, **more)

    from tlkit.experiments import search as module

    held_out = cross_validate.held_out

    def noting(config, one, *rest):
        seen.append({e.id for e in one.manifest.of("test")})
        return held_out(config, one, *rest)

    monkeypatch.setattr(search, "run_trial", looking)
    monkeypatch.setattr(module, "held_out", noting)
    found = tune(prepared, tmp_path / "out", trials=2, nested=2)
    pool = {e.id for side in ("train", "val") for e in prepared.of(side)}
    assert seen[0] | seen[1] == pool
    assert searches[0] == {e.id for e in prepared.of("train")}
    for searched, held in zip(searches[1:], seen, strict=True):
        assert searched < pool
        assert not searched & held
    assert found.metrics["nested"]["n"] == len(pool)
    with pytest.raises(UsageError, match="goes on as it was"):
        tlkit.search(resume=tmp_path / "out", trials=9)
    # What is done is not done again.
    tlkit.search(resume=tmp_path / "out")
    assert len(seen) == 2


def test_what_cannot_be_meant_is_an_error(prepared, tmp_path):
    for changes, said in (
        ({"phases": "auto", "freeze_to": None, "weights": "imagenet",
          "backbone": "mobilenetv2"}, "one phase on cached features"),
        ({"cut": "auto", "freeze_to": None, "weights": "imagenet",
          "backbone": "mobilenetv2"}, "searches the cut itself"),
        ({"trials": 0}, "trials: expected 1 or more"),
        ({"nested": 1}, "nested: expected 2 or more"),
        ({"folds": 99}, "2 to 10 folds"),
        ({"momentum": 0.9, "optimizer": "sgd", "lr": 1, "batch": 8, "head": "gap",
          "weight_decay": 0.1, "label_smoothing": 0.1}, "All that could be searched"),
    ):  # fmt: skip
        with pytest.raises(UsageError, match=said):
            tune(prepared, tmp_path / "out", **changes)
    with pytest.raises(UsageError, match="No data set"):
        tlkit.search()
    with pytest.raises(UsageError, match="as it was"):
        tlkit.search(resume=tmp_path, epochs=3)
    with pytest.raises(RunError, match="holds no search"):
        tlkit.search(resume=prepared.directory)


def test_the_watch_reports_means_of_the_best_and_gives_up():
    study = optuna.create_study(pruner=optuna.pruners.ThresholdPruner(upper=0.9))
    trial = study.ask()
    watch = Watch(trial, 1, [0.2], "val_loss", until=float("inf"))
    for epoch, loss in enumerate((0.8, 0.6, 1.0)):
        watch.on_epoch_end(epoch, {"val_loss": loss})
    # Means with the .2 of the fold before: of .8, .6 and .6 again.
    values = study.trials[0].intermediate_values
    assert values == {
        STRIDE: pytest.approx(0.5),
        STRIDE + 1: pytest.approx(0.4),
        STRIDE + 2: pytest.approx(0.4),
    }
    bad = Watch(trial, 2, [1.0, 1.0], "val_loss", until=float("inf"))
    with pytest.raises(optuna.TrialPruned):
        bad.on_epoch_end(0, {"val_loss": 1.0})
    up = Watch(study.ask(), 0, [], "val_accuracy", until=time.monotonic() - 1)
    up.on_epoch_end(0, {"val_accuracy": 0.5})
    up.on_epoch_end(1, {"val_accuracy": 0.25})
    assert study.trials[1].intermediate_values == {0: 0.5, 1: 0.5}
    with pytest.raises(OutOfTime):
        up.on_train_batch_end(0)


def test_a_recipe_goes_below_and_is_searched(prepared, tmp_path, quick):
    recipe = tmp_path / "mine.yaml"
    recipe.write_text("train: {lr: 0.5, patience: 3}\nmodel: {head: gmp}\n")
    found = tune(prepared, tmp_path / "out", recipe=recipe, trials=1)
    assert found.config.train.patience == 3
    assert found.config.train.lr == 1e-3
    recipe.unlink()
    again = tlkit.search(resume=tmp_path / "out", trials=2)
    assert again.config.train.patience == 3


def test_on_the_command_line(prepared, tmp_path, capsys):
    words = [
        "search", str(prepared.directory), "--backbone", "smallcnn", "--weights",
        "none", "--size", "32", "--freeze-to", "block4", "--epochs", "1", "--workers",
        "0",
        "--augment", "none", "--hflip", "--trials", "2", "--folds", "2", "--head",
        "gap", "--monitor", "val_accuracy", "--out",
        str(tmp_path / "out"),
    ]  # fmt: skip
    assert command(words) == 0
    shown = capsys.readouterr()
    assert "best of 2 trials (2 complete): loss" in shown.out
    assert "val: accuracy" in shown.out
    assert "optimistic" in shown.err
    assert "No trial has seen the validation images" in shown.err
    assert f"tlkit evaluate {tmp_path / 'out' / 'run'}" in shown.err
    assert command(["search", "--resume", str(tmp_path / "no")]) == 1


def test_a_damaged_record_of_trials_is_explained(tmp_path):
    (tmp_path / "trials.db").write_text("x" * 200)
    settings = search.Settings(None, {}, ())
    with (
        pytest.raises(RunError, match=r"trials\.db is damaged"),
        search.opened(tmp_path, settings, 0),
    ):
        pass
