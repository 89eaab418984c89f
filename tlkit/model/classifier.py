"""A classifier: a backbone up to a cut, a head, and the weights of both.

The model takes uint8 [B, size, size, 3] and returns float32 probabilities. It is one
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
    backbone_operations,
    find_cut,
    find_freeze,
    inputs_below,
)
from tlkit.backbones.graph import build_backbone, output_of, sublayers, symbolic
from tlkit.backbones.spec import RANDOM, Backbone
from tlkit.backbones.weights.load import layers_checksum, load_weights, weights_checksum
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
    frozen = _freeze(base_model, freeze, dropouts, pretrained=pretrained)
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


def refreeze(classifier: Classifier, freeze_to: str | None) -> Classifier:
    """Freeze the same network up to another layer.

    Args:
        classifier: As built; its layers are changed in place.
        freeze_to: As for `build_classifier`.

    Returns:
        The classifier as it is frozen now; to be compiled again.

    Raises:
        UsageError: The layer is unknown or the graph cannot be split there.
    """
    base_model = classifier.base_model
    freeze = find_freeze(base_model, freeze_to, classifier.backbone.name)
    frozen = _freeze(
        base_model, freeze, classifier.dropouts, pretrained=classifier.pretrained
    )
    name = freeze.name if freeze else NOTHING
    return dataclasses.replace(classifier, freeze_to=name, frozen=frozen)


def _freeze(
    base_model: keras.Model,
    freeze: keras.Operation | None,
    dropouts: Mapping[int, float],
    *,
    pretrained: bool,
) -> tuple[str, ...]:
    """Set what trains, and return the names of layers whose weights stay."""
    below = {id(one) for one in inputs_below(base_model, freeze)} if freeze else set()
    frozen = []
    for layer in backbone_operations(base_model):
        if not isinstance(layer, keras.layers.Layer):
            continue
        layer.trainable = id(layer) not in below
        for part in sublayers(layer):
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
    """A classifier in two parts that share its layers.

    `prefix` never changes: uint8 [B, size, size, 3] to the feature map at the freeze
    point, [B, H, W, C]; None if nothing is frozen. `pooling` is one of
    head.MAP_POOLINGS if the head begins with it right at the freeze point, where its
    output never changes either; else "". `suffix` trains: the feature map ([B, C]
    after the pooling, [B, 2 C] after both), or pixels if nothing is frozen, to
    probabilities.
    """

    prefix: keras.Model | None
    pooling: str
    suffix: keras.Model


def split_at_freeze(classifier: Classifier) -> Parts:
    """Split a classifier into the frozen and the trainable part.

    Args:
        classifier: As built.

    Returns:
        Parts with suffix(pooling(prefix(x))) equal to model(x). Layers of the suffix
        then have a second inbound node: get tensors inside `model` by
        `tlkit.backbones.graph.output_of`.
    """
    model = classifier.model
    if classifier.freeze_to == NOTHING:
        return Parts(None, "", model)
    operations = {operation.name: operation for operation in model.operations}
    features = output_of(operations[classifier.freeze_to])
    prefix = keras.Model(model.inputs[0], features, name="prefix")
    pooling = classifier.head[0].kind
    if pooling in MAP_POOLINGS and classifier.freeze_to == classifier.cut:
        features = output_of(operations[layer_name(1, pooling)])
    else:
        pooling = ""
    suffix = keras.Model(features, model.outputs[0], name="suffix")
    return Parts(prefix, pooling, suffix)
