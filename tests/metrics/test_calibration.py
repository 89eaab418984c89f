import numpy as np
import pytest

from tlkit.metrics.calibration import calibration_error, fit_temperature, scale


def test_a_temperature_divides_the_logits():
    scores = np.array([[0.8, 0.1, 0.1], [0.5, 0.3, 0.2]])
    wanted = scores**0.5 / (scores**0.5).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(scale(scores, 2.0), wanted)
    np.testing.assert_allclose(scale(scores, 1.0), scores)
    np.testing.assert_allclose(scale(np.array([[1.0, 0.0]]), 1), [[1, 0]], atol=1e-6)


@pytest.mark.parametrize("wanted", [0.5, 1.0, 3.0])
def test_the_temperature_that_was_put_in_comes_out(wanted):
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(20_000, 4)) * 2
    true = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    truth = (true.cumsum(axis=1) > rng.random((len(true), 1))).argmax(axis=1)
    claimed = scale(true, 1 / wanted)
    found = fit_temperature(truth, claimed)
    assert found == pytest.approx(wanted, rel=0.05)
    right = claimed.argmax(axis=1) == truth
    after = calibration_error(right, scale(claimed, found).max(axis=1))
    assert after < 0.015
    if wanted != 1:
        assert calibration_error(right, claimed.max(axis=1)) > 5 * after


def test_without_errors_the_temperature_is_one():
    assert fit_temperature(np.array([0, 1]), np.array([[0.6, 0.4], [0.2, 0.8]])) == 1.0


def test_calibration_error_by_hand():
    right = np.array([True, False, True, True])
    confidence = np.array([0.9, 0.9, 0.62, 1.0])
    # Bins of 1/15: two at .9 with accuracy .5, one at .62, and one at 1.
    wanted = (abs(0.5 - 0.9) * 2 + abs(1 - 0.62) + 0) / 4
    assert calibration_error(right, confidence) == pytest.approx(wanted)
