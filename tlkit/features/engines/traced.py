"""A frozen network as one function, and what is asked of an engine that computes it."""

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


class Traced:
    """A network as one TensorFlow function, traced when first used, for any batch.

    Args:
        prefix: uint8 [B, S, S, 3] to [B, H, W, C], one or several of them, the deepest
            last; its weights stay as they are.
    """

    def __init__(self, prefix: keras.Model) -> None:
        self.prefix = prefix

    def only(self, ends: Sequence[int]) -> Traced:
        """The same network with only some of its outputs.

        Args:
            ends: Their numbers, in order.

        Returns:
            The network; itself if these are all.
        """
        outputs = self.prefix.outputs
        if len(ends) == len(outputs):
            return self
        wanted = [outputs[end] for end in ends]
        if len(wanted) == 1:
            (wanted,) = wanted
        return Traced(keras.Model(self.prefix.inputs[0], wanted, name="prefix"))

    @functools.cached_property
    def checksum(self) -> str:
        """SHA-256 of names and values of its weights."""
        return layers_checksum(self.prefix.layers)

    @functools.cached_property
    def function(self) -> Any:
        """A tf ConcreteFunction with the same input, and a list of the outputs."""
        image = tf.TensorSpec(self.prefix.input_shape, tf.uint8, "image")
        function = tf.function(
            lambda image: keras.tree.flatten(self.prefix(image, training=False)),
            input_signature=[image],
        )
        return function.get_concrete_function()


class Engine(Protocol):
    """Computes maps from images."""

    name: str
    # What decides the bits of the answer besides network and images.
    numerics: str
    # In what it multiplies: "float32", "bfloat16" or "float16".
    compute: str
    # float32 or bfloat16: all that the numbers hold.
    dtype: np.dtype[Any]

    def run(
        self, groups: Iterable[np.ndarray], images: int = 0
    ) -> Generator[tuple[np.ndarray, ...], None, None]:
        """Compute the maps of groups of images, several ahead."""
        ...

    def only(self, ends: Sequence[int]) -> Engine:
        """The engine for only some outputs of its network; see Traced.only."""
        ...
