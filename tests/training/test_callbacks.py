"""The rate of every step, worked out by hand, and a schedule that fits the time."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest

from tlkit.progress import Silent
from tlkit.training.callbacks import Annealing, Budget
from tlkit.training.checkpoint import State


def made(steps, minutes=None, each=5):
    one = Annealing(0.4, steps, Budget(minutes), State(), Silent())
    one.set_params({"steps": each})
    optimizer = SimpleNamespace(iterations=0, learning_rate=0.0)
    one.set_model(SimpleNamespace(optimizer=optimizer, stop_training=False))
    return one


def test_it_rises_over_a_quarter_and_falls_by_a_cosine():
    one = made(200)
    assert one.rate(0) == pytest.approx(0.4 / 51)
    assert one.rate(49) == pytest.approx(0.4 * 50 / 51)
    assert one.rate(50) == pytest.approx(0.4)
    # Half way down a cosine of 150 steps, and two thirds.
    assert one.rate(125) == pytest.approx(0.2)
    assert one.rate(150) == pytest.approx(0.2 * (1 + math.cos(math.pi * 2 / 3)))
    assert one.rate(200) == pytest.approx(0)


def test_a_phase_of_a_few_steps():
    """One step of four rises; a cosine of three steps is at 3/4 and 1/4 between."""
    one = made(4)
    assert [one.rate(step) for step in range(5)] == pytest.approx(
        [0.2, 0.4, 0.3, 0.1, 0]
    )


def steps_taken(one, seconds, monkeypatch):
    """Run it on a clock that moves by so many seconds a step."""
    now = [1000.0]
    monkeypatch.setattr("tlkit.training.callbacks.time.monotonic", lambda: now[0])
    taken = 0
    while not one.model.stop_training and taken < 1000:
        one.on_train_batch_begin(taken % 5)
        now[0] += seconds
        taken += 1
        one.model.optimizer.iterations = taken
        one.on_train_batch_end(taken % 5)
    return taken


def test_it_ends_behind_its_last_step(monkeypatch):
    assert steps_taken(made(30), 1.0, monkeypatch) == 30


def test_it_is_laid_over_the_time_there_is_in_whole_epochs(monkeypatch):
    one = made(100, minutes=1.0)
    monkeypatch.setattr(Budget, "left", 50.0)
    # At step 10, 50 s are left, 0.8 of it for steps of 1 s: 50 steps.
    assert steps_taken(one, 1.0, monkeypatch) == 50
    assert one.rate(50) == pytest.approx(0)


def test_one_epoch_is_always_whole(monkeypatch):
    one = made(100, minutes=1.0)
    monkeypatch.setattr(Budget, "left", 0.1)
    # Ten steps are over when it is measured, so that the third epoch is the last.
    assert steps_taken(one, 1.0, monkeypatch) == 15


def test_a_budget_and_a_part_of_it():
    whole = Budget(2.0)
    assert 119 < whole.left <= 120
    assert Budget(None).left == math.inf
    assert whole.at_most(5.0) is whole
    assert whole.at_most(math.inf) is whole
    assert 29 < whole.at_most(0.5).left <= 30
