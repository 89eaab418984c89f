"""Keras as the engine: on GPUs, for reference, and where there is no other."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tlkit.features.engines.traced import Traced


class KerasEngine:
    """Keras itself, as one compiled function; in the precision of the network.

    Args:
        network: What it computes.
        device: Where, from `device.choose_device`.
    """

    name = "keras"
    # One is computed while the one before is fetched from the device.
    AHEAD = 1

    def __init__(self, network: Traced, device: str = "cpu:0") -> None:
        self._network = network
        self._device = device
        self.compute = network.prefix.layers[-1].compute_dtype
        self.numerics = f"keras {keras.__version__} tensorflow {tf.__version__}"
        self.numerics += f" {self.compute} {device.partition(':')[0]}"
        self.dtype = np.dtype(np.float32)

    def only(self, ends: Sequence[int]) -> KerasEngine:
        """See Engine."""
        return KerasEngine(self._network.only(ends), self._device)

    def run(
        self, groups: Iterable[np.ndarray], images: int = 0
    ) -> Generator[tuple[np.ndarray, ...], None, None]:
        """See Engine; `images` changes nothing here."""
        del images
        waiting: deque[Any] = deque()
        for group in groups:
            waiting.append(self._network.function(tf.constant(group)))
            if len(waiting) > self.AHEAD:
                yield _arrays(waiting.popleft())
        for answer in waiting:
            yield _arrays(answer)


def _arrays(maps: Sequence[Any]) -> tuple[np.ndarray, ...]:
    return tuple(np.asarray(one, np.float32) for one in maps)
