"""Keras as the engine: on GPUs, for reference, and where OpenVINO has no wheel."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tlkit.features.engines.base import FrozenNetwork

# One group is computed while the one before is fetched from the device.
AHEAD = 1


class KerasEngine:
    """Keras itself, as one compiled function in the precision of the network."""

    name = "keras"

    def __init__(self, network: FrozenNetwork, device: str = "cpu:0") -> None:
        self._network = network
        self._device = device
        self.compute = network.model.layers[-1].compute_dtype
        self.numerics = f"keras {keras.__version__} tensorflow {tf.__version__}"
        self.numerics += f" {self.compute} {device.partition(':')[0]}"
        self.dtype = np.dtype(np.float32)

    def only(self, outputs: Sequence[int]) -> KerasEngine:
        """See Engine."""
        return KerasEngine(self._network.only(outputs), self._device)

    def run(
        self, groups: Iterable[np.ndarray]
    ) -> Generator[tuple[np.ndarray, ...], None, None]:
        """See Engine."""
        waiting: deque[Any] = deque()
        for group in groups:
            waiting.append(self._network.function(tf.constant(group)))
            if len(waiting) > AHEAD:
                yield _arrays(waiting.popleft())
        for maps in waiting:
            yield _arrays(maps)


def _arrays(maps: Sequence[Any]) -> tuple[np.ndarray, ...]:
    return tuple(np.asarray(one, np.float32) for one in maps)
