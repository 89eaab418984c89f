"""A network in, how long it takes for one image, at each of its outputs, out."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import (
    convert_variables_to_constants_v2,
)

from tlkit.features.engines.traced import Traced
from tlkit.features.machine import Memory

# Of every output the fastest of so many counts, taken by turns so that a busy moment
# of the machine hits all alike; fewer if they would take longer than SECONDS in all.
ROUNDS, LEAST_ROUNDS = 30, 5
SECONDS = 10.0


def milliseconds(
    network: Traced, names: Sequence[str], about: str, memory: Memory
) -> dict[str, float]:
    """How long one image takes, one at a time, on the current Keras device.

    Args:
        network: In the precision of the exported one.
        names: Of its outputs, each below the next.
        about: What else decides the time: network, size, device.
        memory: Where measurements of this machine are kept.

    Returns:
        Milliseconds up to each output.
    """
    keys = {name: f"ms {about} {name} tensorflow {tf.__version__}" for name in names}
    known = {name: memory.get(key) for name, key in keys.items()}
    if any(ms is None for ms in known.values()):
        known = dict(zip(names, _measure(network), strict=True))
        for name, ms in known.items():
            memory.put(keys[name], ms)
    return {name: float(ms) for name, ms in known.items()}


def _measure(network: Traced) -> list[float]:
    """Milliseconds of each output."""
    frozen = convert_variables_to_constants_v2(network.function)
    parts = [frozen.prune(frozen.inputs, [output]) for output in frozen.outputs]
    image = tf.constant(np.zeros((1, *network.prefix.input_shape[1:]), np.uint8))
    for part in parts:
        part(image)
    times: list[list[float]] = [[] for _ in parts]
    began = time.perf_counter()
    for done in range(ROUNDS):
        for part, taken in zip(parts, times, strict=True):
            taken.append(_seconds(part, image))
        if done + 1 >= LEAST_ROUNDS and time.perf_counter() - began > SECONDS:
            break
    fastest = [min(taken) for taken in times]
    # What a shallower output needs, a deeper one needs, too: more is but noise.
    return [round(1e3 * min(fastest[i:]), 2) for i in range(len(fastest))]


def _seconds(part: Any, image: tf.Tensor) -> float:
    began = time.perf_counter()
    np.asarray(part(image)[0])
    return time.perf_counter() - began
