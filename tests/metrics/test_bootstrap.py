"""Intervals and rules with values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from tlkit.metrics.bootstrap import Draws, accuracy, one_standard_error, standard_error
from tlkit.metrics.multiclass import wilson_interval

ALONE = np.arange(40)


def of(right, n=40):
    return np.arange(n) < right


def test_images_that_stand_alone_have_wilsons_interval():
    found = accuracy(of(30), ALONE)
    assert found.value == 0.75
    np.testing.assert_allclose(found[1:], wilson_interval(30, 40))


def test_a_image_that_is_there_twice_counts_once():
    once = accuracy(of(30), ALONE)
    pairs = accuracy(np.repeat(of(30), 2), np.repeat(ALONE, 2))
    np.testing.assert_allclose(pairs, once)


def test_all_right_in_few_groups_is_no_more_than_these_groups():
    found = accuracy(np.ones(40, bool), ALONE // 4)
    np.testing.assert_allclose(found, (1.0, *wilson_interval(10, 10)))
    assert standard_error(found) > 0.05


def test_the_standard_error_is_that_of_a_share():
    found = accuracy(of(3000, 4000), np.arange(4000))
    np.testing.assert_allclose(standard_error(found), np.sqrt(0.1875 / 4000), rtol=1e-3)


def test_the_cheapest_within_one_standard_error():
    shares = [0.80, 0.89, 0.91, 0.90]
    assert one_standard_error(shares, 0.015, [1, 3, 4, 2]) == 3
    assert one_standard_error(shares, 0.025, [1, 2, 4, 3]) == 1
    assert one_standard_error(shares, 0.0, [1, 2, 4, 3]) == 2
    # Of those that cost the same, the better.
    assert one_standard_error(shares, 0.2, [5, 5, 5, 5]) == 2


def test_a_paired_difference():
    one, other = of(30), of(26)
    found = Draws(ALONE).difference(one, other)
    assert found.value == pytest.approx(0.1)
    # Four of forty differ, all one way: a share of 0.1 with this spread.
    spread = 1.96 * np.sqrt(0.1 * 0.9 / 40)
    np.testing.assert_allclose(found[1:], [0.1 - spread, 0.1 + spread], atol=0.03)
    assert Draws(ALONE).difference(one, one) == (0, 0, 0)


def test_groups_widen_a_difference():
    one, other = of(32), of(24)
    alone = Draws(ALONE).difference(one, other)
    grouped = Draws(ALONE // 8).difference(one, other)
    assert grouped.value == alone.value
    assert grouped.high - grouped.low > 1.5 * (alone.high - alone.low)


def best(shares):
    return int(shares.argmax())


def test_the_best_of_many_coins_is_but_a_coin():
    draws, tops, expected = Draws(np.arange(100)), [], []
    for seed in range(10):
        right = np.random.default_rng(seed).random((100, 50)) < 0.5
        tops.append(right.mean(axis=0).max())
        expected.append(tops[-1] - draws.optimism(right, best))
    assert np.mean(tops) > 0.6
    assert np.mean(expected) == pytest.approx(0.5, abs=0.03)


def test_a_choice_that_is_none_flatters_nobody():
    right = of(30)[:, None]
    assert Draws(ALONE).optimism(right, best) < 0.01
