"""Corrected intervals, against figures by hand."""

from __future__ import annotations

import numpy as np
import pytest

from tlkit.metrics.intervals import (
    accuracy,
    one_standard_error,
    spread,
    standard_error,
    wilson_interval,
)

ALONE = np.arange(40)


def of(right, n=40):
    return np.arange(n) < right


def test_the_corrected_interval_by_hand():
    # Mean .85, deviations -.05, -.05, .05, .05: variance .01 / 3.
    found = spread(np.array([0.8, 0.8, 0.9, 0.9]), tested=1 / 3)
    sd = np.sqrt(0.01 / 3)
    assert found.mean == pytest.approx(0.85)
    assert found.sd == pytest.approx(sd)
    # t of 3 degrees of freedom at .975, from a table; 1/4 + 1/3 = 7/12.
    half = 3.18245 * sd * np.sqrt(7 / 12)
    assert found.high - 0.85 == pytest.approx(half, rel=1e-5)
    assert 0.85 - found.low == pytest.approx(half, rel=1e-5)


def test_p_is_below_a_twentieth_where_the_interval_leaves_zero_out():
    near = spread(np.array([0.01, 0.03, 0.02]), tested=0.5)
    far = spread(np.array([0.09, 0.11, 0.10]), tested=0.5)
    assert near.low < 0
    assert near.p > 0.05
    assert far.low > 0
    assert far.p < 0.05


def test_differences_that_are_all_the_same():
    none = spread(np.zeros(4), tested=0.25)
    assert (none.mean, none.low, none.high, none.p) == (0, 0, 0, 1)
    assert spread(np.full(4, 0.5), tested=0.25).p == 0


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
