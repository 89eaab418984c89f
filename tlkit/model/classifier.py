"""Backbone, cut, head and weights in, one keras.Model with what it is made of out.

The model takes uint8 [B, size, size, 3] and answers float32 probabilities. It is one
flat graph of Keras' own layers and operations: `keras.models.load_model` reads it
where tlkit is not installed.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import keras

from tlkit.backbones.cut_points import (
    NOTHING,
    body_operations,
    find_cut,
    find_freeze,
    inputs_below,
    output_of,
)
from tlkit.backbones.graph import build_body, symbolic
from tlkit.backbones.registry import RANDOM, Backbone
from tlkit.backbones.weights.load import layers_digest, load_weights, weights_digest
from tlkit.model.head import (
    BOTH,
    MAP_POOLINGS,
    MOMENTUM,
    HeadLayer,
    apply_head,
    layer_name,
)
from tlkit.tasks.task import Task


@dataclass(frozen=True)
class Classifier:
    """A model and how it was put together.

    Args:
        model: uint8 [B, size, size, 3] in; out float32 probabilities, [B, units] of its
            task.
        backbone: Row of the table.
        cut: Name of the layer where the body ends and the head begins.
        freeze_to: Name of the layer up to which nothing trains, "none" if all does.
        frozen: Names of the layers with weights that never change: all up to
            `freeze_to`, and every batch normalization of a pretrained body.
        weights_digest: SHA-256 of names and values of the body as loaded.
        head_parameters: Of the layers above the cut.
        feature_shape: At the cut, (height, width, channels).
        head: The layers above the cut.
        head_inputs: How many numbers an image gives to the first dense layer.
        body: The same layers up to the cut.
        pretrained: Whether the body was given weights.
        dropouts: Rates of the body's own dropout where it is not frozen, by layer.
        task: What it is asked.
    """

    model: keras.Model
    backbone: Backbone
    cut: str
    freeze_to: str
    frozen: tuple[str, ...]
    weights_digest: str
    head_parameters: int
    feature_shape: tuple[int, int, int]
    head: tuple[HeadLayer, ...]
    head_inputs: int
    body: keras.Model
    pretrained: bool
    dropouts: Mapping[int, float]
    task: Task

    def frozen_digest(self) -> str:
        """Returns the SHA-256 of the frozen weights now, statistics included."""
        return layers_digest([self.model.get_layer(name) for name in self.frozen])


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
    """Put a classifier together.

    Batch normalization of a pretrained body stays as it is in every phase, above the
    freeze point too: moving its statistics on small batches undoes the pretraining.
    One with random weights has nothing to keep and trains above that point, with
    statistics that forget a tenth a step. Dropout inside the frozen part is switched
    off: what is frozen gives one answer for an image.

    Args:
        backbone: Row of the table.
        size: Input side in pixels.
        cut: Layer where the body ends; the whole body if None.
        freeze_to: Layer up to which nothing trains; the cut if None, "none" for
            nothing.
        head: As `parse_head` gives it.
        n_classes: At least 2.
        multi_label: Whether an image may be of several of them.
        weights: "imagenet", "none", "own" for a network of the user's own, or the path
            of a weights file.
        seed: Of random initial weights and dropout. Python, NumPy and the backend keep
            their random state.

    Returns:
        The classifier, not compiled.

    Raises:
        UsageError: If a layer is unknown, the graph does not split at the freeze
            point, or the size is too small.
        WeightsError: If the weights cannot be had, do not fit or are damaged.
    """
    task = Task(n_classes, multi_label)
    # Random values would only be overwritten, and above the cut not even that.
    with contextlib.nullcontext() if weights == RANDOM else symbolic():
        body = build_body(backbone, size, seed=seed)
    cut_operation = find_cut(body, cut or backbone.cuts[-1], backbone.name)
    features = output_of(cut_operation)
    image = body.inputs[0]
    cut_body = keras.Model(image, features, name=body.name)
    freeze = find_freeze(cut_body, freeze_to, backbone.name)
    outputs = apply_head(features, head, task, seed)
    load_weights(backbone, body, cut_body, weights)
    checksum = weights_digest(cut_body)
    dropouts = {
        id(part): part.rate
        for layer in cut_body.layers
        for part in layer._flatten_layers()
        if isinstance(part, keras.layers.Dropout)
    }
    pretrained = weights != RANDOM
    frozen = _freeze(cut_body, freeze, dropouts, pretrained=pretrained)
    model = keras.Model(image, outputs, name="classifier")
    return Classifier(
        model=model,
        backbone=backbone,
        cut=cut_operation.name,
        freeze_to=freeze.name if freeze else NOTHING,
        frozen=frozen,
        weights_digest=checksum,
        head_parameters=model.count_params() - cut_body.count_params(),
        feature_shape=tuple(features.shape[1:]),
        head=head,
        head_inputs=_head_inputs(features, head),
        body=cut_body,
        pretrained=pretrained,
        dropouts=dropouts,
        task=task,
    )


def refreeze(classifier: Classifier, freeze_to: str | None) -> Classifier:
    """The same network, frozen up to another layer.

    Args:
        classifier: As built; its layers are changed in place.
        freeze_to: As `build_classifier` takes it.

    Returns:
        The classifier with what is frozen now; to be compiled again.

    Raises:
        UsageError: If the layer is unknown or the graph does not split there.
    """
    freeze = find_freeze(classifier.body, freeze_to, classifier.backbone.name)
    frozen = _freeze(
        classifier.body, freeze, classifier.dropouts, pretrained=classifier.pretrained
    )
    name = freeze.name if freeze else NOTHING
    return dataclasses.replace(classifier, freeze_to=name, frozen=frozen)


def _freeze(
    cut_body: keras.Model,
    freeze: keras.Operation | None,
    dropouts: Mapping[int, float],
    *,
    pretrained: bool,
) -> tuple[str, ...]:
    """Returns the names of layers whose weights stay, after setting what trains."""
    below = {id(one) for one in inputs_below(cut_body, freeze)} if freeze else set()
    frozen = []
    for layer in body_operations(cut_body):
        if not isinstance(layer, keras.layers.Layer):
            continue
        layer.trainable = id(layer) not in below
        # A layer may be made of others.
        for part in layer._flatten_layers():
            if id(part) in dropouts:
                part.rate = 0.0 if id(layer) in below else dropouts[id(part)]
            if not isinstance(part, keras.layers.BatchNormalization):
                continue
            if pretrained:
                part.trainable = False
            else:
                part.momentum = min(part.momentum, MOMENTUM)
        if layer.weights and not layer.trainable:
            frozen.append(layer.name)
    return tuple(frozen)


def _head_inputs(features: keras.KerasTensor, head: tuple[HeadLayer, ...]) -> int:
    shape = features.shape[1:]
    kinds = [layer.kind for layer in head]
    if "flatten" in kinds:
        return math.prod(shape)
    return int(shape[-1]) * (2 if BOTH in kinds else 1)


class Parts(NamedTuple):
    """A classifier in two, sharing their layers with it.

    Attributes:
        prefix: What never changes: uint8 [B, size, size, 3] to the map at the freeze
            point, [B, H, W, C]; None if nothing is frozen.
        pooling: One of head.MAP_POOLINGS if the head begins with it right at the freeze
            point: it has no weights, so that what it gives never changes either. Else
            "".
        suffix: What trains: the map, [B, C] after the pooling if there is one, [B, 2 C]
            after both, or pixels if nothing is frozen, to probabilities.
    """

    prefix: keras.Model | None
    pooling: str
    suffix: keras.Model


def split_at_freeze(classifier: Classifier) -> Parts:
    """The frozen and the trainable part.

    Args:
        classifier: As built.

    Returns:
        Both; suffix(pooling(prefix(x))) equals model(x). Layers of the suffix then
        have a second inbound node, so ask `model` for tensors inside it by
        `tlkit.backbones.cut_points.output_of`.
    """
    model = classifier.model
    if classifier.freeze_to == NOTHING:
        return Parts(None, "", model)
    operations = {operation.name: operation for operation in model.operations}
    features = output_of(operations[classifier.freeze_to])
    prefix = keras.Model(model.inputs[0], features, name="prefix")
    first = classifier.head[0].kind
    pooling = first if first in MAP_POOLINGS else ""
    if pooling and classifier.freeze_to == classifier.cut:
        features = output_of(operations[layer_name(1, first)])
    else:
        pooling = ""
    return Parts(
        prefix, pooling, keras.Model(features, model.outputs[0], name="suffix")
    )
