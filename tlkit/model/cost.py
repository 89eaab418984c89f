"""The computing cost of a network."""

from __future__ import annotations

import math

import keras

from tlkit.backbones.graph import output_of


def flops(model: keras.Model) -> int:
    """Return the floating point operations for one image.

    Convolutions and dense layers are counted, a multiplication with addition as two;
    all else is small against them.

    Args:
        model: One flat graph; its outputs have static shapes but for the batch.

    Returns:
        Their number.
    """
    return sum(map(layer_flops, model.layers))


def layer_flops(layer: keras.layers.Layer) -> int:
    """Return the share of a layer in `flops`."""
    # A kernel has two axes or more and is used once at every output position; biases,
    # scales and statistics have one.
    kernels = [w for w in layer.weights if len(w.shape) >= 2]
    if not kernels:
        return 0
    positions = math.prod(output_of(layer).shape[1:-1])
    return sum(2 * math.prod(kernel.shape) * positions for kernel in kernels)
