"""A classifier: a backbone up to a cut, a head, and the weights of both.

The model takes uint8 [B, size, size, 3] and returns float32 probabilities. It is one
flat graph of Keras' own layers and operations: `keras.models.load_model` reads it
where tlkit is not installed.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Mapping
from dataclasses import dataclass

import keras

from tlkit.backbones.cut_points import NOTHING, find_cut, find_freeze
from tlkit.backbones.graph import build_backbone, output_of, sublayers, symbolic
from tlkit.backbones.spec import RANDOM, Backbone
from tlkit.backbones.weights.load import layers_checksum, load_weights, weights_checksum
from tlkit.model.freezing import freeze_layers
from tlkit.model.head import BOTH, HeadLayer, apply_head
from tlkit.tasks.task import Task


@dataclass(frozen=True)
class Classifier:
    """A model and how it was put together.

    Attributes:
        model: uint8 [B, size, size, 3] to float32 probabilities, [B, units] of its
            task.
        backbone: The backbone it was built from.
        cut: Name of the layer where the backbone ends and the head begins.
        freeze_to: Name of the layer up to which nothing trains, "none" if all does.
        frozen: Names of the layers with weights that never change: all up to
            `freeze_to`, and every batch normalization of a pretrained backbone.
        weights_checksum: SHA-256 of names and values of the backbone as loaded.
        head_parameters: Number of weights above the cut.
        feature_shape: (height, width, channels) at the cut.
        head: The layers above the cut.
        head_inputs: Numbers per image that the first dense layer takes.
        base_model: The layers of `model` up to the cut.
        pretrained: Whether the backbone was given weights.
        dropouts: Rates of the backbone's own dropout where it is not frozen, by the id
            of the layer.
        task: The task it solves.
    """

    model: keras.Model
    backbone: Backbone
    cut: str
    freeze_to: str
    frozen: tuple[str, ...]
    weights_checksum: str
    head_parameters: int
    feature_shape: tuple[int, int, int]
    head: tuple[HeadLayer, ...]
    head_inputs: int
    base_model: keras.Model
    pretrained: bool
    dropouts: Mapping[int, float]
    task: Task

    def frozen_checksum(self) -> str:
        """Return the SHA-256 of the frozen weights now, statistics included."""
        return layers_checksum([self.model.get_layer(name) for name in self.frozen])


def build_classifier(
    backbone: Backbone,
    *,
    size: int,
    cut: str | None,
    freeze_to: str | None,
    head: tuple[HeadLayer, ...],
    n_classes: int,
    multi_label: bool = False,
    weights: str,
    seed: int,
) -> Classifier:
    """Build a classifier.

    Batch normalization of a pretrained backbone stays as it is in every phase, above
    the freeze point too: moving its statistics on small batches undoes the pretraining.
    One with random weights has nothing to keep and trains above that point, with
    statistics that forget a tenth per step. Dropout inside the frozen part is switched
    off: frozen layers give the same features for an image every time.

    Args:
        backbone: Of any source.
        size: Image size in pixels.
        cut: Layer where the backbone ends; its own end if None.
        freeze_to: Layer up to which nothing trains; the cut if None, "none" for
            nothing.
        head: From `parse_head`.
        n_classes: At least 2.
        multi_label: Whether an image may have several labels.
        weights: "imagenet", "none", "own" for those that the backbone brings, or the
            path of a weights file.
        seed: Of random initial weights and dropout. Python, NumPy and the backend keep
            their random state.

    Returns:
        The classifier, not compiled.

    Raises:
        UsageError: A layer is unknown, the graph cannot be split at the freeze point,
            or the size is too small.
        WeightsError: The weights cannot be downloaded or read, do not fit, or are
            damaged.
    """
    task = Task(n_classes, multi_label)
    # Random values would only be overwritten; above the cut they are not used at all.
    with contextlib.nullcontext() if weights == RANDOM else symbolic():
        whole = build_backbone(backbone, size, seed=seed)
    cut_operation = find_cut(whole, cut or backbone.cuts[-1], backbone.name)
    features = output_of(cut_operation)
    image = whole.inputs[0]
    base_model = keras.Model(image, features, name=whole.name)
    freeze = find_freeze(base_model, freeze_to, backbone.name)
    outputs = apply_head(features, head, task, seed)
    load_weights(backbone, whole, base_model, weights)
    checksum = weights_checksum(base_model)
    dropouts = {
        id(part): part.rate
        for layer in base_model.layers
        for part in sublayers(layer)
        if isinstance(part, keras.layers.Dropout)
    }
    pretrained = weights != RANDOM
    frozen = freeze_layers(base_model, freeze, dropouts, pretrained=pretrained)
    model = keras.Model(image, outputs, name="classifier")
    return Classifier(
        model=model,
        backbone=backbone,
        cut=cut_operation.name,
        freeze_to=freeze.name if freeze else NOTHING,
        frozen=frozen,
        weights_checksum=checksum,
        head_parameters=model.count_params() - base_model.count_params(),
        feature_shape=tuple(features.shape[1:]),
        head=head,
        head_inputs=_head_inputs(features, head),
        base_model=base_model,
        pretrained=pretrained,
        dropouts=dropouts,
        task=task,
    )


def _head_inputs(features: keras.KerasTensor, head: tuple[HeadLayer, ...]) -> int:
    shape = features.shape[1:]
    kinds = [layer.kind for layer in head]
    if "flatten" in kinds:
        return math.prod(shape)
    return int(shape[-1]) * (2 if BOTH in kinds else 1)
