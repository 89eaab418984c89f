"""The time that a network takes for one image, up to each of its outputs."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import (
    convert_variables_to_constants_v2,
)

from tlkit.features.engines.base import FrozenNetwork
from tlkit.features.machine import Measurements

# The fastest of so many calls of each output counts. Outputs take turns, so that a busy
# moment of the machine hits all alike; fewer turns if they take longer than SECONDS.
TURNS, LEAST_TURNS = 30, 5
SECONDS = 10.0


def milliseconds(
    network: FrozenNetwork,
    names: Sequence[str],
    about: str,
    measurements: Measurements,
) -> dict[str, float]:
    """Measure the milliseconds of one image up to each output, on this device."""
    keys = {name: f"ms {about} {name} tensorflow {tf.__version__}" for name in names}
    known = {name: measurements.get(key) for name, key in keys.items()}
    if any(ms is None for ms in known.values()):
        known = dict(zip(names, _measure(network), strict=True))
        for name, ms in known.items():
            measurements.put(keys[name], ms)
    return {name: float(ms) for name, ms in known.items()}


def _measure(network: FrozenNetwork) -> list[float]:
    """Return the milliseconds up to each output."""
    frozen = convert_variables_to_constants_v2(network.function)
    parts = [frozen.prune(frozen.inputs, [output]) for output in frozen.outputs]
    image = tf.constant(np.zeros((1, *network.model.input_shape[1:]), np.uint8))
    for part in parts:
        part(image)  # the first call sets the kernels up
    times: list[list[float]] = [[] for _ in parts]
    began = time.perf_counter()
    for turn in range(TURNS):
        for part, taken in zip(parts, times, strict=True):
            taken.append(_seconds(part, image))
        if turn + 1 >= LEAST_TURNS and time.perf_counter() - began > SECONDS:
            break
    fastest = [min(taken) for taken in times]
    # A deeper output needs all that a shallower one needs: less time is noise.
    return [round(1e3 * min(fastest[i:]), 2) for i in range(len(fastest))]


def _seconds(part: Any, image: tf.Tensor) -> float:
    began = time.perf_counter()
    np.asarray(part(image)[0])
    return time.perf_counter() - began
