import math

import numpy as np
import pytest

from tlkit.metrics.multiclass import measure, wilson_interval


def test_the_interval_is_wilsons():
    # Newcombe 1998, table I: 81 of 263 and 15 of 148.
    assert wilson_interval(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson_interval(15, 148) == pytest.approx((0.0624, 0.1605), abs=5e-5)


def test_the_interval_ends_exactly_at_none_and_all():
    z2 = 1.959964**2
    for n in range(1, 500):
        low, high = wilson_interval(0, n)
        assert low == 0.0
        assert high == pytest.approx(z2 / (n + z2))
        low, high = wilson_interval(n, n)
        assert low == pytest.approx(n / (n + z2))
        assert high == 1.0


def test_figures_worked_out_by_hand():
    truth = np.array([0, 0, 0, 1, 1, 2])
    called = np.array([0, 0, 1, 1, 0, 1])
    scores = np.full((6, 3), 0.1, np.float32)
    scores[np.arange(6), called] = 0.8
    got = measure(truth, scores, ["a", "b", "c"])
    assert got["n"] == 6
    assert got["accuracy"] == pytest.approx(3 / 6)
    assert got["loss"] == pytest.approx(-(3 * math.log(0.8) + 3 * math.log(0.1)) / 6)
    assert got["confusion"] == [[2, 1, 0], [1, 1, 0], [0, 1, 0]]
    a, b, c = got["per_class"]
    assert (a["precision"], a["recall"]) == pytest.approx((2 / 3, 2 / 3))
    assert (b["precision"], b["recall"]) == pytest.approx((1 / 3, 1 / 2))
    assert (c["precision"], c["recall"], c["f1"], c["support"]) == (0, 0, 0, 1)
    assert got["macro_f1"] == pytest.approx((2 / 3 + 0.4 + 0) / 3)
