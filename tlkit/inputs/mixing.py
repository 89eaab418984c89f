"""Mixed or distorted images with soft targets, by keras-cv.

The one module that imports keras_cv.
"""

from __future__ import annotations

from typing import Any

import numpy as np

# mixup blends images and targets in pairs (Zhang et al. 2018, alpha 0.2), cutmix
# pastes patches (Yun et al. 2019), randaugment distorts each image by 2 operations at
# magnitude 0.3 (Cubuk et al. 2020), augmix blends each with 3 chains of distortions of
# itself (Hendrycks et al. 2020). None of them flips.
MIXES = ("none", "mixup", "cutmix", "randaugment", "augmix")
# Those that put two images together.
PAIRED = ("mixup", "cutmix")
# Up to so many images per class a warning is due: BiT's rule leaves mixup away below
# 20,000 images in all (Kolesnikov et al. 2020, arXiv 1912.11370).
FEW = 50


def mix_batch(
    pixels: np.ndarray, targets: np.ndarray, *, mix: str, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Mix or distort the images of a batch; a pure function of its arguments."""
    if mix == "none" or (len(pixels) < 2 and mix in PAIRED):
        return pixels, targets
    import keras
    import tensorflow as tf

    # keras_cv draws from TensorFlow's global generator as well as from its own.
    tf.random.set_seed(seed)
    batch = {
        "images": keras.ops.convert_to_tensor(pixels, dtype="float32"),
        "labels": keras.ops.convert_to_tensor(targets, dtype="float32"),
    }
    mixed = _layer(mix, seed)(batch, training=True)
    images = np.clip(np.rint(np.asarray(mixed["images"])), 0, 255).astype(np.uint8)
    return images, np.asarray(mixed["labels"], dtype=np.float32)


def caution(mix: str, images: int) -> str:
    """Return a warning against mixing so few images.

    Args:
        mix: One of MIXES.
        images: To train on, of the smallest class.

    Returns:
        A sentence or two; "" where there is no reason for a warning.
    """
    if mix not in PAIRED or images > FEW:
        return ""
    return (
        f"{mix} puts images together in pairs, and the smallest class has {images} "
        f"to train on. With {FEW} or fewer, blurred targets are learned from images "
        "that do not separate the classes well yet; published recipes mix from "
        "thousands on. Compare with --mix none."
    )


def _layer(mix: str, seed: int) -> Any:
    import keras_cv.layers as kcv

    levels: dict[str, Any] = {"value_range": (0, 255)}
    kinds: dict[str, tuple[Any, dict[str, Any]]] = {
        "mixup": (kcv.MixUp, {"alpha": 0.2}),
        "cutmix": (kcv.CutMix, {}),
        "augmix": (kcv.AugMix, levels),
        "randaugment": (
            kcv.RandAugment,
            {**levels, "augmentations_per_image": 2, "magnitude": 0.3},
        ),
    }
    kind, options = kinds[mix]
    return kind(**options, seed=seed)
