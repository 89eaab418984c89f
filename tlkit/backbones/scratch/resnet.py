"""ResNet-20 for 32 px (He, Zhang, Ren, Sun, CVPR 2016, section 4.2)."""

from __future__ import annotations

import functools

import keras

WIDTHS = (16, 32, 64)
BLOCKS = 3
_convolution = functools.partial(
    keras.layers.Conv2D,
    kernel_size=3,
    padding="same",
    use_bias=False,
    kernel_initializer="he_normal",
)


def resnet20(pixels: keras.KerasTensor) -> keras.KerasTensor:
    """Apply three stages of three residual blocks, their shortcuts without weights."""
    x = _convolution(WIDTHS[0], name="conv1")(pixels)
    x = _normalized(x, "conv1")
    x = keras.layers.ReLU(name="conv1_relu")(x)
    for stage, width in enumerate(WIDTHS, start=1):
        for block in range(1, BLOCKS + 1):
            strides = 2 if block == 1 and stage > 1 else 1
            x = _block(x, width, strides, f"stage{stage}_block{block}")
    return x


def _block(
    x: keras.KerasTensor, width: int, strides: int, name: str
) -> keras.KerasTensor:
    y = _convolution(width, strides=strides, name=f"{name}_1_conv")(x)
    y = _normalized(y, f"{name}_1")
    y = keras.layers.ReLU(name=f"{name}_1_relu")(y)
    y = _convolution(width, name=f"{name}_2_conv")(y)
    y = _normalized(y, f"{name}_2")
    y = keras.layers.Add(name=f"{name}_add")([_shortcut(x, width, strides, name), y])
    return keras.layers.ReLU(name=f"{name}_out")(y)


def _shortcut(
    x: keras.KerasTensor, width: int, strides: int, name: str
) -> keras.KerasTensor:
    """Apply option A of the paper: every second pixel, zeros for the new channels."""
    if strides == 1:
        return x
    x = keras.layers.MaxPooling2D(1, strides=strides, name=f"{name}_shortcut")(x)
    new = width - x.shape[-1]
    return keras.ops.pad(x, [[0, 0], [0, 0], [0, 0], [new // 2, new - new // 2]])


def _normalized(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    return keras.layers.BatchNormalization(epsilon=1e-5, name=f"{name}_bn")(x)
