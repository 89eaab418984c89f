"""Freeze points: the layer up to which a backbone stays as it is in a phase."""

from __future__ import annotations

import math
from collections.abc import Mapping

import keras

from tlkit.backbones.cut_points import (
    NOTHING,
    backbone_operations,
    cut_operations,
    inputs_below,
)
from tlkit.backbones.graph import output_of, producer, sublayers
from tlkit.errors import UsageError
from tlkit.model.cost import layer_flops
from tlkit.model.head import MOMENTUM
from tlkit.model.phases import ALL, DEEP, HEAD, TOP

# Of the operations of a backbone up to its cut, the share that lies above the freeze
# point. Early layers cost most, for their feature maps are large, and change least in
# tuning.
SHARES = {TOP: 1 / 3, DEEP: 2 / 3}
# A point is good enough if this much of its share lies above it. Of those the one with
# the smallest output is taken, because its output is what gets cached.
NEAR = 0.7


def freeze_point(base_model: keras.Model, trainable_from: str) -> str:
    """Return the layer to freeze up to.

    Args:
        base_model: A backbone behind its preprocessing, its output the cut.
        trainable_from: Lowest part that trains: "head", "top", "deep", "all" or the
            name of a layer, above which all trains.

    Returns:
        The name of a layer at which the graph can be split, or "none".

    Raises:
        UsageError: "top" or "deep", and no layer leaves so little above it.
    """
    if trainable_from == HEAD:
        return str(producer(base_model.output).name)
    if trainable_from == ALL:
        return NOTHING
    if trainable_from not in SHARES:
        return trainable_from
    point = _share_point(base_model, SHARES[trainable_from])
    if point is None:
        raise UsageError(
            f"phases: {base_model.name} up to {producer(base_model.output).name!r} has "
            f"no layer to freeze up to for {trainable_from!r}: none leaves up to "
            f"{SHARES[trainable_from]:.0%} of the computing to train.",
            hint="Use head or all, or name a layer of tlkit backbones show.",
        )
    return point


def tunable(base_model: keras.Model, trainable_from: str) -> bool:
    """Return whether a backbone has a freeze point for "top" or "deep".

    Args:
        base_model: As for `freeze_point`.
        trainable_from: As for `freeze_point`.

    Returns:
        False where `freeze_point` raises.
    """
    share = SHARES.get(trainable_from)
    return share is None or _share_point(base_model, share) is not None


def _share_point(base_model: keras.Model, share: float) -> str | None:
    shares = shares_above(base_model)
    for least in (NEAR * share, 0.0):
        fit = {name: s for name, s in shares.items() if least < s <= share}
        if fit:
            sizes = {
                point.name: math.prod(output_of(point).shape[1:])
                for point in cut_operations(base_model)
            }
            return min(fit, key=lambda name: (sizes[name], -fit[name]))
    return None


def shares_above(base_model: keras.Model) -> dict[str, float]:
    """Return the share of the computing above each layer that the graph splits at."""
    points = {id(point) for point in cut_operations(base_model)}
    below, total = {}, 0
    for operation in backbone_operations(base_model):
        if isinstance(operation, keras.layers.Layer):
            total += layer_flops(operation)
        if id(operation) in points:
            below[operation.name] = total
    return {name: 1 - done / max(total, 1) for name, done in below.items()}


def freeze_layers(
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
