import numpy as np
import pytest

from tlkit.metrics.label_thresholds import ENOUGH, best_threshold, choose_thresholds


def f1(truth, present):
    return 2 * (truth & present).sum() / (truth.sum() + present.sum())


def test_worked_out_by_hand():
    truth = np.array([True, True, False, True, False])
    scores = np.array([0.9, 0.8, 0.6, 0.3, 0.1])
    # Yes to the best 2: 4/5; 3: 4/6; 4: 6/7; all: 6/8.
    assert best_threshold(truth, scores) == pytest.approx(0.2)


def test_as_good_as_every_threshold_tried():
    rng = np.random.default_rng(0)
    for _ in range(50):
        truth = rng.random(30) < 0.3
        truth[0] = True
        scores = np.clip(truth * 0.3 + rng.random(30) * 0.7, 0, 1).round(1)
        got = f1(truth, scores >= best_threshold(truth, scores))
        tried = [f1(truth, scores >= t) for t in np.linspace(0, 1, 101)]
        assert got == pytest.approx(max(tried))


def test_of_equally_good_ones_that_nearest_to_a_half():
    truth = np.array([True, False, False])
    assert best_threshold(truth, np.array([0.9, 0.5, 0.1])) == pytest.approx(0.7)
    truth = np.array([True, True])
    assert best_threshold(truth, np.array([0.9, 0.8])) == pytest.approx(0.4)


def test_equal_scores_are_not_parted():
    truth = np.array([True, False, False])
    assert best_threshold(truth, np.array([0.6, 0.6, 0.2])) == pytest.approx(0.4)


def test_rare_classes_share_a_threshold():
    rng = np.random.default_rng(0)
    truth = np.zeros((60, 3), bool)
    truth[:ENOUGH, 0] = truth[: ENOUGH - 1, 1] = truth[: 60 - ENOUGH + 1, 2] = True
    scores = np.where(truth, 0.3, 0.1) + rng.random((60, 3)) * 0.1
    scores[:, 0] += 0.5
    often, rare, always = choose_thresholds(truth, scores, ["often", "rare", "always"])
    assert [row["by"] for row in (often, rare, always)] == ["class", "all", "all"]
    assert often["threshold"] == best_threshold(truth[:, 0], scores[:, 0])
    shared = best_threshold(truth.ravel(), scores.ravel())
    assert rare["threshold"] == always["threshold"] == shared


def test_too_few_for_any_choice():
    truth = np.eye(3, dtype=bool)
    rows = choose_thresholds(truth, np.eye(3), ["a", "b", "c"])
    assert {(row["threshold"], row["by"]) for row in rows} == {(0.5, "default")}
