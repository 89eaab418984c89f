"""SmallCNN: a body of our own, small enough to train from scratch on small sets."""

from __future__ import annotations

import keras

# Convolutions a block, then their width; a block ends in a halving of the side.
BLOCKS = ((1, 24), (1, 48), (1, 96), (1, 128))


def small_cnn(pixels: keras.KerasTensor) -> keras.Model:
    """Four blocks of convolution and pooling, without batch normalisation.

    Args:
        pixels: float32 [B, size, size, 3] in -1..1, size at least 32.

    Returns:
        The body; blockN is the output of block N.
    """
    x = pixels
    for block, (depth, filters) in enumerate(BLOCKS, start=1):
        for i in range(1, depth + 1):
            x = keras.layers.Conv2D(
                filters,
                3,
                padding="same",
                activation="relu",
                kernel_initializer="he_normal",
                name=f"block{block}_conv{i}",
            )(x)
        x = keras.layers.MaxPooling2D(name=f"block{block}")(x)
    return keras.Model(keras.utils.get_source_inputs(pixels), x, name="small_cnn")
