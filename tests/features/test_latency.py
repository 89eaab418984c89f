"""Time up to each output, by a fake clock."""

from __future__ import annotations

import keras
import pytest

from tlkit.features import latency
from tlkit.features.engines.base import FrozenNetwork
from tlkit.features.latency import milliseconds
from tlkit.features.machine import Measurements


@pytest.fixture
def network():
    image = keras.Input((8, 8, 3), dtype="uint8")
    low = keras.layers.Rescaling(1 / 255)(image)
    high = keras.layers.Conv2D(2, 3)(low)
    return FrozenNetwork(keras.Model(image, [low, high]))


def test_the_fastest_counts_and_a_deeper_output_is_no_faster(
    network, tmp_path, monkeypatch
):
    taken = iter([0.009, 0.005, 0.004, 0.003] + 100 * [0.008, 0.006])
    monkeypatch.setattr(latency, "_seconds", lambda part, image: next(taken))
    measurements = Measurements(tmp_path)
    assert milliseconds(network, ["low", "high"], "net", measurements) == {
        "low": 3.0,
        "high": 3.0,
    }


def test_what_was_measured_is_remembered(network, tmp_path, monkeypatch):
    measurements = Measurements(tmp_path)
    found = milliseconds(network, ["low", "high"], "net", measurements)
    assert 0 < found["low"] <= found["high"]
    monkeypatch.setattr(latency, "_measure", None)
    assert milliseconds(network, ["high"], "net", measurements) == {
        "high": found["high"]
    }
