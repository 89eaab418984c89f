"""Nano: a small backbone of our own, whose pretrained weights come with the package.

It was trained on images drawn by formulas (examples/pretrain_nano), so that nobody's
photos or rights are in it.
"""

from __future__ import annotations

import keras

STEM = 16
# Channels and blocks of each stage; the first block of a stage halves the map.
STAGES = ((48, 2), (128, 3), (256, 3), (512, 2))
# These stages concatenate their input to their output.
CONCATENATED = (3, 4)


def nano(
    pixels: keras.KerasTensor,
    norm: type[keras.layers.BatchNormalization] = keras.layers.BatchNormalization,
) -> keras.KerasTensor:
    """Apply depthwise separable convolutions with shortcuts.

    Separable as in MobileNet (Howard et al. 2017, arXiv 1704.04861), with shortcuts as
    in ResNet (He et al. 2015, arXiv 1512.03385). The last stages pass on their input,
    because early features transfer better than late ones (Evci et al. 2022,
    "Head2Toe", arXiv 2201.03529). They are normalized, because a classifier on few
    images weighs channels by their scale.

    Args:
        pixels: float32 [B, size, size, 3] in -1..1, size at least 32.
        norm: A normalization layer, for a training that has a faster one.

    Returns:
        float32 [B, size / 32, size / 32, 896], rounded up: the 128, 256 and 512
        channels of the last three stages. The earlier ones are averaged to the
        resolution of the last. Each channel has mean 0 and variance 1 over the images
        of the pretraining. stageS_blockB is the output of a block, stage3 that of the
        third stage with its input.
    """
    x = keras.layers.Conv2D(
        STEM, 3, strides=2, padding="same", use_bias=False, name="stem_conv"
    )(pixels)
    x = _active(norm, x, "stem")
    for stage, (channels, blocks) in enumerate(STAGES, start=1):
        inputs = x
        for block in range(1, blocks + 1):
            name = f"stage{stage}_block{block}"
            x = _block(norm, x, channels, 2 if block == 1 else 1, name)
        if stage in CONCATENATED:
            inputs = keras.layers.AveragePooling2D(
                2, padding="same", name=f"stage{stage}_pool"
            )(inputs)
            x = keras.layers.Concatenate(name=f"stage{stage}_all")([inputs, x])
            x = norm(center=False, scale=False, name=f"stage{stage}")(x)
    return x


def _block(
    norm: type[keras.layers.BatchNormalization],
    x: keras.KerasTensor,
    channels: int,
    strides: int,
    name: str,
) -> keras.KerasTensor:
    shortcut = x
    x = keras.layers.DepthwiseConv2D(
        3, strides=strides, padding="same", use_bias=False, name=f"{name}_depthwise"
    )(x)
    x = _active(norm, x, f"{name}_depthwise_relu")
    x = keras.layers.Conv2D(channels, 1, use_bias=False, name=f"{name}_pointwise")(x)
    x = norm(name=f"{name}_bn")(x)
    if strides == 1:
        x = keras.layers.Add(name=f"{name}_add")([shortcut, x])
    return keras.layers.ReLU(name=name)(x)


def _active(
    norm: type[keras.layers.BatchNormalization], x: keras.KerasTensor, name: str
) -> keras.KerasTensor:
    return keras.layers.ReLU(name=name)(norm(name=f"{name}_bn")(x))
