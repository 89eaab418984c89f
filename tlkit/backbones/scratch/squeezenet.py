"""SqueezeNet 1.1 (Iandola et al., arXiv:1602.07360, 2016; 1.1 as its authors released).

The classification top of the original, dropout and a 1x1 convolution, is the head's.
"""

from __future__ import annotations

import functools

import keras

# Squeeze and expand widths of fire2 to fire9; a pooling stands before these.
FIRES = {
    2: (16, 64), 3: (16, 64), 4: (32, 128), 5: (32, 128),
    6: (48, 192), 7: (48, 192), 8: (64, 256), 9: (64, 256),
}  # fmt: skip
POOLED = (2, 4, 6)
_convolution = functools.partial(
    keras.layers.Conv2D, activation="relu", kernel_initializer="he_normal"
)


def squeezenet(pixels: keras.KerasTensor) -> keras.KerasTensor:
    """Apply a convolution and eight fire modules that squeeze and expand channels."""
    x = _convolution(64, 3, strides=2, name="conv1")(pixels)
    for number, (squeeze, expand) in FIRES.items():
        if number in POOLED:
            x = keras.layers.MaxPooling2D(3, strides=2, name=f"pool{number - 1}")(x)
        x = _convolution(squeeze, 1, name=f"fire{number}_squeeze1x1")(x)
        near = _convolution(expand, 1, name=f"fire{number}_expand1x1")(x)
        wide = _convolution(expand, 3, padding="same", name=f"fire{number}_expand3x3")(
            x
        )
        x = keras.layers.Concatenate(name=f"fire{number}")([near, wide])
    return x
