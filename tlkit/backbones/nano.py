"""Nano: a small body of our own, with pretrained weights that come with the package.

It was taught on images drawn by formulas (examples/pretrain_nano), so that nobody's
photos or rights are in it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import keras

if TYPE_CHECKING:
    from tlkit.backbones.registry import Backbone

STEM = 16
# Channels and blocks of each stage; the first block of a stage halves the side.
STAGES = ((48, 2), (128, 3), (256, 3), (512, 2))
# These hand on what came in beside what they made of it.
HANDS_ON = (3, 4)


def build(backbone: Backbone, pixels: keras.KerasTensor) -> keras.Model:
    """The network of the table whose builder is this module."""
    return keras.Model(
        keras.utils.get_source_inputs(pixels), nano(pixels), name=backbone.name
    )


def nano(
    pixels: keras.KerasTensor,
    norm: type[keras.layers.BatchNormalization] = keras.layers.BatchNormalization,
) -> keras.KerasTensor:
    """Depthwise separable convolutions with shortcuts, nearly all work in matrices.

    Separable as in MobileNet (Howard et al. 2017, arXiv 1704.04861), shortcuts as in
    ResNet (He et al. 2015, arXiv 1512.03385). The last stages hand on what came in, for
    what was learned early carries over farther than what was learned last (Evci et al.
    2022, "Head2Toe", arXiv 2201.03529); normalized, for a classifier on few images
    heeds channels by their scale.

    Args:
        pixels: float32 [B, size, size, 3] in -1..1, size at least 32.
        norm: A layer that normalizes, for a training that has a faster one.

    Returns:
        float32 [B, size / 32, size / 32, 896], rounded up: the 128, 256 and 512
        channels of the last three stages, the earlier ones averaged to the places of
        the last, each of mean 0 and variance 1 over what it was taught on.
        stageS_blockB is the output of a block, stage3 that of the third with what it
        hands on.
    """
    x = keras.layers.Conv2D(
        STEM, 3, strides=2, padding="same", use_bias=False, name="stem_conv"
    )(pixels)
    x = _active(norm, x, "stem")
    for stage, (channels, blocks) in enumerate(STAGES, start=1):
        came = x
        for block in range(1, blocks + 1):
            name = f"stage{stage}_block{block}"
            x = _block(norm, x, channels, 2 if block == 1 else 1, name)
        if stage in HANDS_ON:
            came = keras.layers.AveragePooling2D(
                2, padding="same", name=f"stage{stage}_pool"
            )(came)
            x = keras.layers.Concatenate(name=f"stage{stage}_all")([came, x])
            x = norm(center=False, scale=False, name=f"stage{stage}")(x)
    return x


def _block(
    norm: type[keras.layers.BatchNormalization],
    x: keras.KerasTensor,
    channels: int,
    strides: int,
    name: str,
) -> keras.KerasTensor:
    before = x
    x = keras.layers.DepthwiseConv2D(
        3, strides=strides, padding="same", use_bias=False, name=f"{name}_depthwise"
    )(x)
    x = _active(norm, x, f"{name}_depthwise_relu")
    x = keras.layers.Conv2D(channels, 1, use_bias=False, name=f"{name}_pointwise")(x)
    x = norm(name=f"{name}_bn")(x)
    if strides == 1:
        x = keras.layers.Add(name=f"{name}_add")([before, x])
    return keras.layers.ReLU(name=name)(x)


def _active(
    norm: type[keras.layers.BatchNormalization], x: keras.KerasTensor, name: str
) -> keras.KerasTensor:
    return keras.layers.ReLU(name=name)(norm(name=f"{name}_bn")(x))
