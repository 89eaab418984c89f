"""DenseNet-BC for 32 px (Huang, Liu, van der Maaten, Weinberger, CVPR 2017)."""

from __future__ import annotations

import functools

import keras

BLOCKS = 3
_convolution = functools.partial(
    keras.layers.Conv2D,
    padding="same",
    use_bias=False,
    kernel_initializer="he_normal",
)


def densenet_bc(
    pixels: keras.KerasTensor, depth: int = 40, growth: int = 12
) -> keras.KerasTensor:
    """Apply three dense blocks with bottlenecks; transitions halve map and channels."""
    x = _convolution(2 * growth, 3, name="conv0")(pixels)
    for block in range(1, BLOCKS + 1):
        for layer in range(1, (depth - 4) // (2 * BLOCKS) + 1):
            x = _dense_layer(x, growth, f"block{block}_layer{layer}")
        if block < BLOCKS:
            x = _transition(x, f"transition{block}")
    return _active(x, "final")


def _dense_layer(x: keras.KerasTensor, growth: int, name: str) -> keras.KerasTensor:
    new = _active(x, f"{name}_1")
    new = _convolution(4 * growth, 1, name=f"{name}_1_conv")(new)
    new = _active(new, f"{name}_2")
    new = _convolution(growth, 3, name=f"{name}_2_conv")(new)
    return keras.layers.Concatenate(name=name)([x, new])


def _transition(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    x = _active(x, name)
    x = _convolution(x.shape[-1] // 2, 1, name=f"{name}_conv")(x)
    return keras.layers.AveragePooling2D(2, name=f"{name}_pool")(x)


def _active(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    x = keras.layers.BatchNormalization(epsilon=1e-5, name=f"{name}_bn")(x)
    return keras.layers.ReLU(name=f"{name}_relu")(x)
