"""A run written as a SavedModel that takes raw images and returns class names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from tlkit.evaluation.postprocessing import postprocessing_of
from tlkit.exporting import tf_preprocessing
from tlkit.runs.run import Run

# Inputs of each signature, as metadata.json describes them.
SIGNATURES = {
    "serving_default": {
        "image_bytes": "string [B], content of JPEG, PNG, GIF, BMP, WebP files"
    },
    "pixels": {"pixels": "uint8 [B, H, W, 3], RGB, orientation applied, any size"},
}


def write(model: keras.Model, run: Run, directory: Path) -> None:
    """Write the model of a run, with decoding before it and class names behind it."""
    module, signatures = servable(model, run)
    tf.saved_model.save(module, str(directory), signatures=signatures)


def servable(
    model: keras.Model, run: Run
) -> tuple[tf.Module, dict[str, Callable[..., Any]]]:
    """Wrap a network with decoding before it and class names behind it."""
    module = tf.Module(name="tlkit_classifier")
    module.model = model
    module.class_names = tf.constant(list(run.labels))
    size, resize = run.size, run.config.inputs.resize
    one_column, postprocessing = run.task.one_column, postprocessing_of(run)

    def classify(pixels: tf.Tensor) -> dict[str, tf.Tensor]:
        scores = tf.cast(module.model(pixels, training=False), tf.float32)
        if one_column:
            scores = tf.concat([1.0 - scores, scores], axis=-1)
        return {
            **postprocessing.outputs(scores),
            "probabilities": scores,
            "class_names": tf.identity(module.class_names),
        }

    def from_bytes(image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        return classify(tf_preprocessing.decode_and_fit(image_bytes, size, resize))

    def from_pixels(pixels: tf.Tensor) -> dict[str, tf.Tensor]:
        return classify(tf_preprocessing.fit(pixels, size, resize))

    image_bytes = tf.TensorSpec([None], tf.string, "image_bytes")
    pixels = tf.TensorSpec([None, None, None, 3], tf.uint8, "pixels")
    return module, {
        "serving_default": tf.function(from_bytes, input_signature=[image_bytes]),
        "pixels": tf.function(from_pixels, input_signature=[pixels]),
    }
