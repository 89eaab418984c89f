"""LeNet-5 (LeCun, Bottou, Bengio, Haffner, Proceedings of the IEEE, 1998)."""

from __future__ import annotations

import functools

import keras

_convolution = functools.partial(keras.layers.Conv2D, kernel_size=5, activation="tanh")


def lenet5(pixels: keras.KerasTensor) -> keras.KerasTensor:
    """Apply the convolutional layers C1 to C5, for three channels.

    Unlike the paper, C3 sees all maps of S2, the subsampling has no weights of its own
    and tanh is not scaled. F6 is the head `flatten,dense:84`.

    Args:
        pixels: float32 [B, size, size, 3] in -1..1, size at least 32.

    Returns:
        float32 [B, h, h, 120], h = 1 at 32 px.
    """
    x = _convolution(6, name="c1")(pixels)
    x = keras.layers.AveragePooling2D(2, name="s2")(x)
    x = _convolution(16, name="c3")(x)
    x = keras.layers.AveragePooling2D(2, name="s4")(x)
    return _convolution(120, name="c5")(x)
