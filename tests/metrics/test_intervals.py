"""Corrected intervals, against figures by hand."""

from __future__ import annotations

import numpy as np
import pytest

from tlkit.metrics.intervals import spread


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
