import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from tlkit.metrics.intervals import wilson_interval
from tlkit.metrics.multilabel import average_precision, measure_labels

LABELS = ["a", "b", "c"]


def test_figures_worked_out_by_hand():
    truth = np.array([[1, 0, 0], [1, 1, 0], [0, 1, 0], [0, 0, 0]], bool)
    scores = np.array([[0.9, 0.1, 0.2], [0.4, 0.8, 0.7], [0.6, 0.3, 0.1], [0.2] * 3])
    got = measure_labels(truth, scores, scores >= 0.5, list("wxyz"), LABELS)
    a, b, c = got["per_class"]
    # a: true at ranks 1 and 3; b: at ranks 1 and 2; c: nowhere.
    assert a["ap"] == pytest.approx((1 + 2 / 3) / 2)
    assert b["ap"] == pytest.approx(1)
    assert c["ap"] is c["ap_ci95"] is c["recall"] is c["f1"] is None
    assert (a["precision"], a["recall"], a["f1"]) == pytest.approx((0.5, 0.5, 0.5))
    assert (b["precision"], b["recall"], b["f1"]) == pytest.approx((1, 0.5, 2 / 3))
    assert [row["support"] for row in (a, b, c)] == [2, 2, 0]
    assert [row["predicted"] for row in (a, b, c)] == [2, 1, 1]
    assert got["map"] == pytest.approx((5 / 6 + 1) / 2)
    assert got["macro_f1"] == pytest.approx((0.5 + 2 / 3) / 2)
    assert got["micro_f1"] == pytest.approx(2 * 2 / (4 + 4))
    assert got["subset_accuracy"] == 2 / 4
    p = np.where(truth, scores, 1 - scores)
    assert got["loss"] == pytest.approx(-np.log(p).mean())


def test_average_precision_is_scikit_learns_with_ties_and_weights():
    rng = np.random.default_rng(0)
    for _ in range(20):
        truth = rng.random(40) < 0.3
        truth[0] = True
        scores = rng.random(40).round(1)
        weights = rng.integers(1, 4, (3, 40)).astype(float)
        wanted = [
            average_precision_score(truth, scores, sample_weight=w) for w in weights
        ]
        np.testing.assert_allclose(average_precision(truth, scores, weights), wanted)


def test_a_draw_without_the_class_has_no_average_precision():
    got = average_precision(np.array([True, False]), np.ones(2), np.array([[0.0, 2.0]]))
    assert np.isnan(got).tolist() == [True]


def test_copies_widen_the_interval():
    rng = np.random.default_rng(0)
    truth = rng.random((200, 3)) < 0.4
    scores = np.clip(truth * 0.2 + rng.random((200, 3)) * 0.8, 0, 1)

    def width(groups):
        got = measure_labels(truth, scores, scores >= 0.5, groups, LABELS)
        low, high = got["map_ci95"]
        assert low < got["map"] < high
        return high - low

    single = width([str(i) for i in range(200)])
    assert width([str(i // 10) for i in range(200)]) > single
    # The standard error of a mean of 200 lies in this range.
    assert 0.05 < single < 0.2


def test_perfect_answers_are_not_certain():
    truth = np.eye(3, dtype=bool).repeat(5, axis=0)
    groups = [str(i) for i in range(15)]
    got = measure_labels(truth, truth * 0.9, truth, groups, LABELS)
    low = wilson_interval(15, 15)[0]
    assert got["map_ci95"] == got["micro_f1_ci95"] == [pytest.approx(low), 1.0]
    assert got["per_class"][0]["f1_ci95"] == [
        pytest.approx(wilson_interval(5, 5)[0]),
        1,
    ]
    assert got["subset_accuracy_ci95"] == [pytest.approx(low), 1.0]
