"""A search on a data set: its files, its limits, and how it is resumed."""

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
from tlkit.experiments import study
from tlkit.experiments.study import OutOfTime, Scores

OPTIONS = {
    name: value for name, value in SMALL.items() if name not in ("head", "batch")
} | {"freeze_to": "block4", "hflip": True, "views": 1, "epochs": 2}  # fmt: skip


def search(prepared, place, **changes):
    options = {**OPTIONS, "folds": 2, "trials": 3, **changes}
    return tlkit.search(prepared.directory, place, **options)


@pytest.fixture(scope="module")
def found(prepared, tmp_path_factory):
    return search(prepared, tmp_path_factory.mktemp("search") / "first")


def test_the_best_trial_is_a_recipe_and_a_run(found):
    table = pd.read_csv(found.directory / "trials.csv")
    assert len(table) == 3
    assert set(table["state"]) <= {"complete", "pruned"}
    best = table.sort_values("scaled_loss").iloc[0]
    metrics = found.metrics()
    assert metrics["best"] == {
        "trial": best["trial"],
        "scaled_loss": pytest.approx(best["scaled_loss"]),
        "loss": pytest.approx(best["loss"]),
        "accuracy": pytest.approx(best["accuracy"]),
    }
    # The best temperature can only lower the loss.
    assert best["scaled_loss"] <= best["loss"]
    assert found.config.model.head == best["head"]
    assert found.config.train.lr == pytest.approx(best["lr"])
    assert found.config.model.freeze_to == "block4"
    recipe = found.directory / "best.yaml"
    assert resolve(build_config(recipe=recipe)) == found.config
    assert "Optimistic" in recipe.read_text()
    assert found.run.state == "finished"
    assert found.run.config == found.config
    assert metrics["run"] == found.run.metrics()
    assert (found.directory / "search.png").read_bytes().startswith(b"\x89PNG")
    assert not (found.directory / "work").exists()


def test_the_first_trial_is_the_default(found):
    first = pd.read_csv(found.directory / "trials.csv").iloc[0]
    assert first["head"] == "gap,dropout:0.2"
    assert first["optimizer"] == "adam"
    assert found.metrics()["first"]["loss"] == pytest.approx(first["loss"])


def quadratic(trial, config, splits, work, *, until, progress):
    """As good as the learning rate is near to 3e-3."""
    for split in splits:
        assert not split.manifest.of("test")
    loss = float(abs(np.log10(config.train.lr / 3e-3)) + 0.1)
    return Scores(loss, loss, 0.5)


class _Finished:
    def metrics(self):
        return {}


@pytest.fixture
def quick(monkeypatch):
    """Trials do not train, and no run is made of the best."""
    monkeypatch.setattr(study, "run_trial", quadratic)
    monkeypatch.setattr("tlkit.experiments.search._train_best", lambda *_: _Finished())


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


def test_failed_trials_are_recorded_and_do_not_end_the_search(
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

    monkeypatch.setattr(study, "run_trial", failing)
    lines = Lines()
    found = search(prepared, tmp_path / "out", trials=5, progress=lines)
    table = pd.read_csv(tmp_path / "out" / "trials.csv", keep_default_na=False)
    assert table["state"].tolist() == ["complete", "fail", "fail", "pruned", "complete"]
    assert table["reason"].tolist()[1:3] == [
        "MemoryError: too large", "RunError: Training diverged.",
    ]  # fmt: skip
    assert found.metrics()["trials"] == {"complete": 2, "fail": 2, "pruned": 1}
    assert any("failed, MemoryError: too large" in line for line in lines.lines)


def test_faulty_data_end_the_search(prepared, tmp_path, monkeypatch):
    def broken(*_, **__):
        raise DatasetError("An image has gone.")

    monkeypatch.setattr(study, "run_trial", broken)
    with pytest.raises(DatasetError, match="has gone"):
        search(prepared, tmp_path / "out")


def test_a_hopeless_search_ends_with_the_reason(prepared, tmp_path, monkeypatch):
    calls = []

    def failing(*_, **__):
        calls.append(1)
        raise MemoryError("too large")

    monkeypatch.setattr(study, "run_trial", failing)
    with pytest.raises(RunError, match=r"None of 5 .* MemoryError: too large"):
        search(prepared, tmp_path / "out", trials=20)
    assert len(calls) == 5


class Stop(BaseException):
    pass


def dying_at(number):
    def run_trial(trial, *rest, **more):
        if trial.number == number:
            raise Stop
        return quadratic(trial, *rest, **more)

    return run_trial


def test_an_interrupted_search_is_resumed(prepared, tmp_path, monkeypatch, quick):
    monkeypatch.setattr(study, "run_trial", dying_at(2))
    with pytest.raises(Stop):
        search(prepared, tmp_path / "out", trials=4)
    state = json.loads((tmp_path / "out" / "search.json").read_text())["state"]
    assert state == "failed"
    # A power cut may leave a part of a line.
    with (tmp_path / "out" / "trials.log").open("a") as journal:
        journal.write('{"op_code":')
    monkeypatch.setattr(study, "run_trial", quadratic)
    found = tlkit.search(resume=tmp_path / "out")
    table = pd.read_csv(tmp_path / "out" / "trials.csv", keep_default_na=False)
    done = "complete"
    assert table["state"].tolist() == [done, done, "cut short", done, done]
    assert table["reason"].tolist()[2] == "it was interrupted"
    # The trial is repeated, and counts once.
    lr = table["lr"].tolist()
    assert lr[3] == lr[2]
    assert len(set(lr)) == 4
    # More trials can be asked for.
    more = tlkit.search(resume=tmp_path / "out", trials=6)
    assert more.metrics()["trials"] == {"complete": 6, "cut short": 1}
    losses = [one.metrics()["best"]["scaled_loss"] for one in (more, found)]
    assert losses[0] <= losses[1]


def test_an_interrupted_first_trial_is_repeated(prepared, tmp_path, monkeypatch, quick):
    monkeypatch.setattr(study, "run_trial", dying_at(0))
    with pytest.raises(Stop):
        search(prepared, tmp_path / "out", trials=2)
    monkeypatch.setattr(study, "run_trial", quadratic)
    found = tlkit.search(resume=tmp_path / "out")
    table = pd.read_csv(tmp_path / "out" / "trials.csv", keep_default_na=False)
    assert table["state"].tolist() == ["cut short", "complete", "complete"]
    assert table["lr"][1] == table["lr"][0]
    assert found.metrics()["first"]["trial"] == 2


def test_the_time_limit_holds_for_all_but_the_first_trial(
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

    monkeypatch.setattr(study, "time", Clock)
    monkeypatch.setattr(study, "run_trial", slow)
    found = search(prepared, tmp_path / "out", trials=9, minutes=2)
    # The first has all the time it needs; the third is late, and its part of the folds
    # could not be compared.
    assert ends == [float("inf"), 120, 120]
    assert found.metrics()["trials"] == {"complete": 2, "cut short": 1}
    table = pd.read_csv(tmp_path / "out" / "trials.csv", keep_default_na=False)
    assert table["reason"].tolist() == ["", "", "the time was over"]
    # A resumed search begins with the trial that was late.
    monkeypatch.setattr(study, "run_trial", quadratic)
    tlkit.search(resume=tmp_path / "out", trials=3)
    table = pd.read_csv(tmp_path / "out" / "trials.csv", keep_default_na=False)
    assert table["lr"][3] == table["lr"][2]


def test_invalid_options_are_errors(prepared, tmp_path):
    pretrained = {"freeze_to": None, "weights": "imagenet", "backbone": "mobilenetv2"}
    for changes, message in (
        ({"phases": "auto", **pretrained}, "one phase on cached features"),
        ({"cut": "auto", **pretrained}, "searches the cut itself"),
        ({"trials": 0}, "trials must be 1 or more, got 0"),
        ({"folds": 99}, "2 to 10 folds"),
        ({"momentum": 0.9, "optimizer": "sgd", "lr": 1, "batch": 8, "head": "gap",
          "weight_decay": 0.1, "label_smoothing": 0.1}, "All options that are"),
    ):  # fmt: skip
        with pytest.raises(UsageError, match=message):
            search(prepared, tmp_path / "out", **changes)
    with pytest.raises(UsageError, match="No data set"):
        tlkit.search()
    with pytest.raises(UsageError, match="unchanged"):
        tlkit.search(resume=tmp_path, epochs=3)
    with pytest.raises(RunError, match="is not a search"):
        tlkit.search(resume=prepared.directory)


def test_options_of_a_recipe_are_searched(prepared, tmp_path, quick):
    recipe = tmp_path / "mine.yaml"
    recipe.write_text("train: {lr: 0.5, patience: 3}\nmodel: {head: gmp}\n")
    found = search(prepared, tmp_path / "out", recipe=recipe, trials=1)
    assert found.config.train.patience == 3
    assert found.config.train.lr == 1e-3
    recipe.unlink()
    again = tlkit.search(resume=tmp_path / "out", trials=2)
    assert again.config.train.patience == 3


def test_on_the_command_line(prepared, tmp_path, capsys):
    words = [
        "search", str(prepared.directory), "--backbone", "smallcnn", "--weights",
        "none", "--size", "32", "--freeze-to", "block4", "--epochs", "1",
        "--workers", "0", "--augment", "none", "--hflip", "--trials", "2",
        "--folds", "2", "--head", "gap", "--monitor", "val_accuracy",
        "--out", str(tmp_path / "out"),
    ]  # fmt: skip
    assert command(words) == 0
    shown = capsys.readouterr()
    assert "best of 2 trials (2 complete): temperature-scaled loss" in shown.out
    assert "val: accuracy" in shown.out
    assert "optimistic" in shown.err
    assert "No trial used the validation images" in shown.err
    assert f"tlkit evaluate {tmp_path / 'out' / 'run'}" in shown.err
    assert command(["search", "--resume", str(tmp_path / "no")]) == 1
