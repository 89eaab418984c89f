from __future__ import annotations

import numpy as np
import pytest

from tlkit.metrics.power_law import fit_power_laws

SIZES = np.array([10.0, 20, 40, 80, 160, 320])


def fit(*curves):
    return fit_power_laws(SIZES, np.array(curves, float), np.ones(len(SIZES)))


@pytest.mark.parametrize(("a", "b", "c"), [(0.05, 0.9, 0.5), (0, 0.6, 0.25), (0, 2, 1)])
def test_a_law_without_noise_is_found_again(a, b, c):
    laws = fit(a + b * SIZES**-c)
    assert laws.exponent[0] == pytest.approx(c)
    assert laws.floor[0] == pytest.approx(a, abs=1e-9)
    np.testing.assert_allclose(
        laws([640, 1280])[0], a + b * np.array([640.0, 1280]) ** -c
    )


def test_errors_that_do_not_fall_make_a_flat_law():
    """Never one by which more data harms: the mean stays."""
    flat, rising = fit([0.2] * 6, [0.1, 0.2, 0.3, 0.4, 0.5, 0.6])([10, 10_000])
    np.testing.assert_allclose(flat, 0.2)
    np.testing.assert_allclose(rising, 0.35)


def test_no_law_tells_errors_below_nothing():
    laws = fit(np.maximum(0.5 - 0.1 * np.arange(6), 0))
    assert laws.floor[0] == 0
    assert (laws([320, 1280, 10**6]) >= 0).all()


def test_weights_decide_what_counts():
    """Almost only the last three: the first may lie anywhere."""
    errors = 0.1 + 0.8 * SIZES**-0.5
    errors[0] = 0.9
    weights = np.array([1e-9, 1, 1, 1, 1, 1])
    laws = fit_power_laws(SIZES, errors[None], weights)
    assert laws.floor[0] == pytest.approx(0.1, abs=1e-4)


def test_each_curve_has_a_law_of_its_own():
    laws = fit(0.1 + SIZES**-0.5, 0.3 + SIZES**-1.0)
    np.testing.assert_allclose(laws.floor, [0.1, 0.3], atol=1e-9)
    np.testing.assert_allclose(laws.exponent, [0.5, 1.0])
