"""A classifier frozen up to another layer, and split there into two parts."""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import keras

from tlkit.backbones.cut_points import NOTHING, find_freeze
from tlkit.backbones.graph import output_of
from tlkit.model.classifier import Classifier
from tlkit.model.freezing import freeze_layers
from tlkit.model.head import MAP_POOLINGS, layer_name


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
    frozen = freeze_layers(
        base_model, freeze, classifier.dropouts, pretrained=classifier.pretrained
    )
    name = freeze.name if freeze else NOTHING
    return dataclasses.replace(classifier, freeze_to=name, frozen=frozen)


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
