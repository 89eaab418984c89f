from __future__ import annotations

import numpy as np
import pytest

from tests.training.test_probe import blobs
from tlkit.errors import RunError
from tlkit.experiments import subsets as module
from tlkit.experiments.subsets import Measured, check_classes, measure
from tlkit.progress import Silent
from tlkit.training.probe import fit_probe


class Counted(Silent):
    total = done = 0

    def start(self, task, total=None):
        self.total += total or 0

    def advance(self, steps=1):
        self.done += steps


def test_a_curve_falls_and_every_example_is_judged_by_what_never_saw_it(monkeypatch):
    features, targets, groups = blobs(3, 20, 12, spread=0.9)
    learned = []
    real = fit_probe

    def spy(rows, *rest, **options):
        learned.append(rows)
        probe = real(rows, *rest, **options)

        def answer(held):
            both = {row.tobytes() for row in rows} & {row.tobytes() for row in held}
            assert not both
            return probe(held)

        return answer

    monkeypatch.setattr(module, "fit_probe", spy)
    monkeypatch.setattr(module, "MOST_ROUNDS", 2)
    progress = Counted()
    found = measure(features, targets, groups, classes=3, seed=0, progress=progress)
    # 16 of 20 groups are left without a fold: 16, 11.3, 8, 5.7, 4 of them; 2.8 are few.
    assert found.sizes.tolist() == [12, 17, 24, 34, 48]
    assert found.wrong.shape == (2, 5, 60)
    assert progress.done == progress.total == len(learned) == 2 * 5 * 5
    assert found.errors[-1] < found.errors[0]


def test_large_sets_are_gone_through_once(monkeypatch):
    monkeypatch.setattr(module, "EXAMPLES_OF_ALL_ROUNDS", 50)
    features, targets, groups = blobs(2, 15, 4)
    found = measure(features, targets, groups, classes=2, seed=0, progress=Silent())
    assert len(found.wrong) == 1


def test_a_class_that_is_too_small_is_refused():
    """12 groups leave 9 without a fold, and 9 / 2**1.5 is 3.2; 11 leave 8."""
    targets = np.repeat([0, 1], [30, 12])
    assert check_classes(targets, np.arange(42)) == 9
    with pytest.raises(RunError, match=r"has 11 .* at least 12"):
        check_classes(targets[:-1], np.arange(41))


def test_intervals_are_as_wide_as_the_binomial_says():
    """0.2 of 400 are wrong: standard error sqrt(0.2 * 0.8 / 400) = 0.02."""
    wrong = np.zeros((1, 1, 400), bool)
    wrong[..., :80] = True
    drawn = Measured(np.array([300.0]), wrong, np.arange(400)).resampled(0)
    assert drawn.mean() == pytest.approx(0.2, abs=0.005)
    assert drawn.std() == pytest.approx(0.02, rel=0.1)
    # In groups of four that stand or fall together there are 100 draws: 0.04.
    grouped = Measured(np.array([300.0]), wrong, np.arange(400) // 4).resampled(0)
    assert grouped.std() == pytest.approx(0.04, rel=0.1)


def test_no_mistake_is_no_proof_that_none_will_be_made():
    none = Measured(np.array([80.0]), np.zeros((2, 1, 100), bool), np.arange(100))
    high = np.percentile(none.resampled(0), 97.5)
    # Jeffreys' interval ends at 0.025.
    assert 0.01 < high < 0.03
