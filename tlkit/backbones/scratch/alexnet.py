"""A small AlexNet (Krizhevsky, Sutskever, Hinton, NIPS 2012)."""

from __future__ import annotations

import keras

# Width and kernel, of one of the two columns that the paper spread over two GPUs.
CONVOLUTIONS = ((48, 5), (128, 5), (192, 3), (192, 3), (128, 3))
POOLED = (1, 2, 5)


def alexnet_small(pixels: keras.KerasTensor) -> keras.KerasTensor:
    """Apply five convolutions and three overlapping poolings, at the size of a laptop.

    Changed against the paper: one of its two columns; a first convolution of 5x5 with
    stride 2 for its 11x11 with stride 4, which suits 224 px; no local response
    normalization, which Simonyan and Zisserman (2015) found to gain nothing; He's
    initial weights. The two dense layers of 4096 are left to the head.

    Args:
        pixels: float32 [B, size, size, 3] in -1..1, size at least 32.

    Returns:
        float32 [B, h, h, 128], h = 3 at 64 px.
    """
    x = pixels
    for number, (width, kernel) in enumerate(CONVOLUTIONS, start=1):
        x = keras.layers.Conv2D(
            width,
            kernel,
            strides=2 if number == 1 else 1,
            padding="same",
            activation="relu",
            kernel_initializer="he_normal",
            name=f"conv{number}",
        )(x)
        if number in POOLED:
            x = keras.layers.MaxPooling2D(3, strides=2, name=f"pool{number}")(x)
    return x
