import math

import numpy as np
import pytest

from tlkit.metrics.intervals import wilson_interval
from tlkit.metrics.multiclass import measure


def test_figures_worked_out_by_hand():
    truth = np.array([0, 0, 0, 1, 1, 2])
    called = np.array([0, 0, 1, 1, 0, 1])
    scores = np.full((6, 3), 0.1, np.float32)
    scores[np.arange(6), called] = 0.8
    got = measure(truth, scores, list("uvwxyz"), ["a", "b", "c"])
    assert got["n"] == 6
    assert got["accuracy"] == pytest.approx(3 / 6)
    assert got["loss"] == pytest.approx(-(3 * math.log(0.8) + 3 * math.log(0.1)) / 6)
    assert got["confusion"] == [[2, 1, 0], [1, 1, 0], [0, 1, 0]]
    a, b, c = got["per_class"]
    assert (a["precision"], a["recall"]) == pytest.approx((2 / 3, 2 / 3))
    assert (b["precision"], b["recall"]) == pytest.approx((1 / 3, 1 / 2))
    assert (c["precision"], c["recall"], c["f1"], c["support"]) == (0, 0, 0, 1)
    assert got["macro_f1"] == pytest.approx((2 / 3 + 0.4 + 0) / 3)


def test_crops_of_one_photo_widen_the_interval():
    """Ten crops each of eight photos, six of them correct: as 6 of 8, not 60 of 80."""
    photos = np.repeat(np.arange(8), 10)
    truth = np.zeros(80, int)
    scores = np.where((photos < 6)[:, None], [[0.9, 0.1]], [[0.1, 0.9]])
    got = measure(truth, scores, [str(photo) for photo in photos], ["a", "b"])
    assert got["accuracy"] == 0.75
    assert got["accuracy_ci95"] == pytest.approx(wilson_interval(6, 8))
