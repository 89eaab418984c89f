"""The frozen network that an engine computes, and the interface of engines."""

from __future__ import annotations

import functools
from collections.abc import Generator, Iterable, Sequence
from typing import Any, Protocol

import keras
import numpy as np
import tensorflow as tf

from tlkit.backbones.weights.load import layers_checksum

# Images that are handed to an engine at a time.
GROUP = 16


class FrozenNetwork:
    """Frozen layers as one TensorFlow function, traced on first use, for any batch.

    Args:
        model: uint8 [B, S, S, 3] to one or several feature maps [B, H, W, C], the
            deepest last; its weights must not change any more.
    """

    def __init__(self, model: keras.Model) -> None:
        self.model = model

    def only(self, outputs: Sequence[int]) -> FrozenNetwork:
        """Return the network with these outputs alone; itself if these are all."""
        present = self.model.outputs
        if len(outputs) == len(present):
            return self
        chosen = [present[output] for output in outputs]
        inputs = self.model.inputs[0]
        model = keras.Model(inputs, chosen if chosen[1:] else chosen[0], name="prefix")
        return FrozenNetwork(model)

    @functools.cached_property
    def checksum(self) -> str:
        """SHA-256 of the names and values of its weights."""
        return layers_checksum(self.model.layers)

    @functools.cached_property
    def function(self) -> Any:
        """A TensorFlow ConcreteFunction from images to the list of outputs."""
        image = tf.TensorSpec(self.model.input_shape, tf.uint8, "image")
        function = tf.function(
            lambda image: keras.tree.flatten(self.model(image, training=False)),
            input_signature=[image],
        )
        return function.get_concrete_function()


class Engine(Protocol):
    """A way to compute feature maps from images."""

    name: str
    # All that decides the bits of the result besides network and images.
    numerics: str
    # Precision of the multiplications: "float32", "bfloat16" or "float16".
    compute: str
    # float32 or bfloat16, whichever holds all digits of the result.
    dtype: np.dtype[Any]

    def run(
        self, groups: Iterable[np.ndarray]
    ) -> Generator[tuple[np.ndarray, ...], None, None]:
        """Compute the float32 maps of groups of images, several groups ahead."""
        ...

    def only(self, outputs: Sequence[int]) -> Engine:
        """Return the engine for these outputs of its network alone."""
        ...
