"""The bootstrap over groups, with values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from tlkit.metrics.bootstrap import Bootstrap

ALONE = np.arange(40)


def of(right, n=40):
    return np.arange(n) < right


def test_a_paired_difference():
    one, other = of(30), of(26)
    found = Bootstrap(ALONE).difference(one, other)
    assert found.value == pytest.approx(0.1)
    # Four of forty differ, all one way: a share of 0.1 with this spread.
    spread = 1.96 * np.sqrt(0.1 * 0.9 / 40)
    np.testing.assert_allclose(found[1:], [0.1 - spread, 0.1 + spread], atol=0.03)
    assert Bootstrap(ALONE).difference(one, one) == (0, 0, 0)


def test_groups_widen_a_difference():
    one, other = of(32), of(24)
    alone = Bootstrap(ALONE).difference(one, other)
    grouped = Bootstrap(ALONE // 8).difference(one, other)
    assert grouped.value == alone.value
    assert grouped.high - grouped.low > 1.5 * (alone.high - alone.low)


def best(shares):
    return int(shares.argmax())


def test_the_best_of_many_coins_is_but_a_coin():
    draws, tops, expected = Bootstrap(np.arange(100)), [], []
    for seed in range(10):
        right = np.random.default_rng(seed).random((100, 50)) < 0.5
        tops.append(right.mean(axis=0).max())
        expected.append(tops[-1] - draws.optimism(right, best))
    assert np.mean(tops) > 0.6
    assert np.mean(expected) == pytest.approx(0.5, abs=0.03)


def test_a_single_candidate_has_no_optimism():
    right = of(30)[:, None]
    assert Bootstrap(ALONE).optimism(right, best) < 0.01


def test_groups_are_drawn_whole_and_by_the_seed():
    groups = ["x", "x", "x", "y", "z"]
    weights = Bootstrap(groups, seed=1).weights
    assert (weights[0] == 1).all()
    assert (weights[:, 0] == weights[:, 1]).all()
    assert (weights[:, 0] == weights[:, 2]).all()
    assert (weights[1:, [0, 3, 4]].sum(axis=1) == 3).all()
    assert np.array_equal(weights, Bootstrap(groups, seed=1).weights)
    assert not np.array_equal(weights, Bootstrap(groups, seed=2).weights)
