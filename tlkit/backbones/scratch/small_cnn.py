"""SmallCNN: our own network, small enough to train from scratch on small sets."""

from __future__ import annotations

import keras

# Width of each block; a block ends in a halving of the map.
WIDTHS = (24, 48, 96, 128)


def small_cnn(pixels: keras.KerasTensor) -> keras.KerasTensor:
    """Apply four blocks of convolution and pooling, without batch normalization."""
    x = pixels
    for block, filters in enumerate(WIDTHS, start=1):
        x = keras.layers.Conv2D(
            filters,
            3,
            padding="same",
            activation="relu",
            kernel_initializer="he_normal",
            name=f"block{block}_conv1",
        )(x)
        x = keras.layers.MaxPooling2D(name=f"block{block}")(x)
    return x
