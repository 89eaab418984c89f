"""The study: how trials are scored, ranked and stopped."""

from __future__ import annotations

import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import optuna
import pytest

from tlkit.config import build_config
from tlkit.errors import RunError
from tlkit.experiments import study as module
from tlkit.experiments.study import (
    Deadline,
    OutOfTime,
    objective_of,
    open_study,
    run_trial,
)
from tlkit.progress import Silent
from tlkit.tasks.task import Task
from tlkit.training.candidates import score_candidate

CONFIG = build_config(options={"backbone": "smallcnn", "weights": "none"})
SPLITS: Any = [SimpleNamespace(manifest=SimpleNamespace(labels=("a", "b")))] * 4


@pytest.fixture
def folds(monkeypatch):
    """Candidates by fold, to be filled in; nothing is built or trained."""
    candidates: list[object] = []
    monkeypatch.setattr(module, "build_network", lambda *_: None)
    monkeypatch.setattr(
        module,
        "fit_fold",
        lambda *_, **__: SimpleNamespace(selected=candidates.pop(0)),
    )
    return candidates


def scored(value):
    return SimpleNamespace(scaled_loss=value, loss=value, accuracy=1 - value)


def run(trial):
    return run_trial(
        trial, CONFIG, SPLITS, Path("work"), until=float("inf"), progress=Silent()
    )


def test_scores_are_means_over_folds(tmp_path, folds):
    study = open_study(tmp_path, CONFIG)
    folds[:] = [scored(value) for value in (0.2, 0.4, 0.2, 0.4)]
    assert run(study.ask()) == pytest.approx((0.3, 0.3, 0.7))


def test_a_trial_ends_once_two_folds_are_worse_than_those_of_the_best(tmp_path, folds):
    study = open_study(tmp_path, CONFIG)
    folds[:] = [scored(value) for value in (0.2, 0.4, 0.2, 0.4)]
    trial = study.ask()
    study.tell(trial, run(trial).scaled_loss)
    # Worse than the best on the first fold, better on the second: both go on.
    folds[:] = [scored(value) for value in (0.3, 0.3, 0.3, 0.3)]
    assert run(study.ask()).loss == pytest.approx(0.3)
    folds[:] = [scored(value) for value in (0.3, 0.5, 0.1, 0.1)]
    with pytest.raises(optuna.TrialPruned):
        run(study.ask())
    assert len(folds) == 2


def test_trials_are_ranked_by_a_loss_that_label_smoothing_alone_does_not_change(
    tmp_path, folds
):
    """The same predictions, once as confident as 0.999, once smoothed to 0.9."""
    truth = np.eye(2, dtype=np.float32)[np.tile([0, 1], 20)]
    predicted = truth.copy()
    predicted[:2] = 1 - predicted[:2]
    study, scores = open_study(tmp_path, CONFIG), []
    for p in (0.999, 0.9):
        probabilities = np.where(predicted > 0.5, p, 1 - p)
        folds[:] = [
            score_candidate(
                Task(2), truth, np.arange(len(truth)), "one", "none", probabilities
            )
        ] * 4
        scores.append(run(study.ask()))
    sharp, smooth = scores
    assert sharp.loss > 1.5 * smooth.loss
    ranked = [getattr(one, objective_of(CONFIG)) for one in scores]
    assert ranked[0] == pytest.approx(ranked[1], rel=1e-3)
    by_accuracy = build_config(options={"monitor": "val_accuracy"})
    assert objective_of(by_accuracy) == "accuracy"


def test_the_deadline_ends_a_trial_between_two_batches():
    Deadline(float("inf")).on_train_batch_end(0)
    with pytest.raises(OutOfTime):
        Deadline(time.monotonic() - 1).on_train_batch_end(0)


def test_a_damaged_journal_is_explained(tmp_path):
    for text in ("x" * 200, "x\n" * 100, "1\n2\n", "{}\n{}\n"):
        (tmp_path / "trials.log").write_text(text)
        with pytest.raises(RunError, match=r"trials\.log is damaged"):
            open_study(tmp_path, CONFIG)
