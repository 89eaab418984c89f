"""A small AlexNet (Krizhevsky, Sutskever, Hinton, NIPS 2012)."""

from __future__ import annotations

import keras

# Of one of the two columns that the paper spread over two GPUs.
WIDTHS = (48, 128, 192, 192, 128)


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
    x = _convolution(1, 5, strides=2)(pixels)
    x = _pooling(1)(x)
    x = _convolution(2, 5)(x)
    x = _pooling(2)(x)
    for i in (3, 4, 5):
        x = _convolution(i, 3)(x)
    return _pooling(5)(x)


def _convolution(number: int, kernel: int, strides: int = 1) -> keras.layers.Layer:
    return keras.layers.Conv2D(
        WIDTHS[number - 1],
        kernel,
        strides=strides,
        padding="same",
        activation="relu",
        kernel_initializer="he_normal",
        name=f"conv{number}",
    )


def _pooling(number: int) -> keras.layers.Layer:
    return keras.layers.MaxPooling2D(3, strides=2, name=f"pool{number}")
