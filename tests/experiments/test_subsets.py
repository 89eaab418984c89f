from __future__ import annotations

import numpy as np
import pytest

from tests.training.test_probe import blobs
from tlkit.errors import RunError
from tlkit.experiments import subsets as module
from tlkit.experiments.subsets import (
    SubsetErrors,
    check_classes,
    measure,
    nested_subsets,
    usable_sizes,
)
from tlkit.progress import Silent
from tlkit.training.probe import fit_probe


class Counted(Silent):
    total = done = 0

    def start(self, task, total=None):
        self.total += total or 0

    def advance(self, steps=1):
        self.done += steps


def test_errors_fall_and_probes_never_see_what_they_are_scored_on(
    monkeypatch,
):
    features, targets, groups = blobs(2, 20, 3, spread=0.5)
    learned = []
    real = fit_probe

    def spy(rows, *rest, **options):
        learned.append(rows)
        probe = real(rows, *rest, **options)

        def predict(held):
            both = {row.tobytes() for row in rows} & {row.tobytes() for row in held}
            assert not both
            return probe(held)

        return predict

    monkeypatch.setattr(module, "fit_probe", spy)
    monkeypatch.setattr(module, "MOST_REPEATS", 2)
    progress = Counted()
    found = measure(features, targets, groups, classes=2, seed=0, progress=progress)
    # 16 of 20 groups are left without a fold: 16, 11.3, 8, 5.7, 4 of them; 2.8 are few.
    assert found.sizes.tolist() == [8, 11, 16, 23, 32]
    assert found.incorrect.shape == (2, 5, 40)
    assert progress.done == progress.total == len(learned) == 2 * 5 * 5
    assert found.errors[-1] < found.errors[0]


def test_large_data_sets_are_not_repeated(monkeypatch):
    monkeypatch.setattr(module, "EXAMPLES_OF_ALL_REPEATS", 50)
    features, targets, groups = blobs(2, 15, 4)
    found = measure(features, targets, groups, classes=2, seed=0, progress=Silent())
    assert len(found.incorrect) == 1


def test_a_class_that_is_too_small_is_refused():
    """12 groups leave 9 without a fold, and 9 / 2**1.5 is 3.2; 11 leave 8."""
    targets = np.repeat([0, 1], [30, 12])
    assert check_classes(targets, np.arange(42)) == 9
    with pytest.raises(RunError, match=r"at least 12 .* has 11"):
        check_classes(targets[:-1], np.arange(41))


def test_intervals_are_as_wide_as_the_binomial_expects():
    """0.2 of 400 are incorrect: standard error sqrt(0.2 * 0.8 / 400) = 0.02."""
    incorrect = np.zeros((1, 1, 400), bool)
    incorrect[..., :80] = True
    drawn = SubsetErrors(np.array([300.0]), incorrect, np.arange(400)).resampled(0)
    assert drawn.mean() == pytest.approx(0.2, abs=0.005)
    assert drawn.std() == pytest.approx(0.02, rel=0.1)
    # In groups of four that stand or fall together there are 100 draws: 0.04.
    fours = np.arange(400) // 4
    grouped = SubsetErrors(np.array([300.0]), incorrect, fours).resampled(0)
    assert grouped.std() == pytest.approx(0.04, rel=0.1)


def test_no_error_does_not_prove_that_none_will_be_made():
    none = SubsetErrors(np.array([80.0]), np.zeros((2, 1, 100), bool), np.arange(100))
    high = np.percentile(none.resampled(0), 97.5)
    # Jeffreys' interval ends at 0.025.
    assert 0.01 < high < 0.03


def test_sizes_go_down_by_a_root_of_two_while_each_class_has_three():
    # 12 groups: 12, 8.5, 6, 4.2, 3 of them are at least 3.
    assert usable_sizes(100, 12) == [25, 35, 50, 71, 100]
    assert usable_sizes(100, 2) == []
    assert len(usable_sizes(10_000, 5000)) == 8


def test_each_part_lies_within_the_next_and_has_its_share_of_every_class():
    targets = np.repeat([0, 1, 2], [40, 20, 10])
    parts = nested_subsets(targets, np.arange(70), [14, 35, 70], seed=3)
    assert [len(part) for part in parts] == [14, 35, 70]
    assert set(parts[0]) < set(parts[1]) < set(parts[2]) == set(range(70))
    for part, share in zip(parts, (0.2, 0.5, 1.0), strict=True):
        counts = np.bincount(targets[part], minlength=3)
        assert np.abs(counts - share * np.array([40, 20, 10])).max() <= 1


def test_groups_stay_whole():
    groups = np.repeat(np.arange(20), 5)
    targets = np.repeat(np.arange(2), 50)
    parts = nested_subsets(targets, groups, [20, 50], seed=0)
    for part, size in zip(parts, (20, 50), strict=True):
        assert len(part) == size
        assert (np.bincount(groups[part], minlength=20) % 5 == 0).all()


def test_groups_with_several_classes_are_spread_by_their_rarest():
    """Every photo has many of class 0; every fifth also one of class 1."""
    groups = np.repeat(np.arange(50), 4)
    targets = np.zeros(200, int)
    targets[::20] = 1
    part = nested_subsets(targets, groups, [100, 200], seed=1)[0]
    assert abs((targets[part] == 1).sum() - 5) <= 1


def test_the_seed_decides():
    targets, groups = np.repeat([0, 1], 30), np.arange(60)
    a, b, c = (nested_subsets(targets, groups, [20], seed=s)[0] for s in (1, 1, 2))
    assert a.tolist() == b.tolist()
    assert set(a) != set(c)
