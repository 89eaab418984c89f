"""The layers at which a backbone can be cut or frozen."""

from __future__ import annotations

from dataclasses import dataclass

import keras

from tlkit.backbones.graph import (
    build_backbone,
    output_of,
    outputs_of,
    parents,
    producer,
    symbolic,
)
from tlkit.backbones.spec import PREPROCESS, Backbone, show_command
from tlkit.errors import UsageError, unknown_name

NOTHING = "none"


@dataclass(frozen=True)
class CutPoint:
    """A layer that every path from image to output passes through.

    `shape` is (height, width, channels) of its output, `parameters` counts it and all
    layers below, `recommended` is whether it is among the cuts of the backbone.
    """

    name: str
    shape: tuple[int, int, int]
    parameters: int
    recommended: bool


def backbone_operations(model: keras.Model) -> list[keras.Operation]:
    """Return all operations above the preprocessing, in topological order.

    Args:
        model: A backbone behind its preprocessing, or a classifier on one.

    Returns:
        Layers and operations, each after those it depends on.
    """
    operations = list(model.operations)
    names = [operation.name for operation in operations]
    return operations[names.index(PREPROCESS) + 1 :]


def cut_operations(model: keras.Model) -> list[keras.Operation]:
    """Return the operations at which a backbone can be cut.

    Args:
        model: A backbone behind its preprocessing, with one output.

    Returns:
        Operations of its trunk with [B, H, W, C] outputs, from the input up; the last
        is that of the output.
    """
    return [one for one in trunk(model) if len(output_of(one).shape) == 4]


def trunk(model: keras.Model) -> list[keras.Operation]:
    """Return the operations that every path from image to output passes through."""
    operations = list(model.operations)
    position = {id(operation): i for i, operation in enumerate(operations)}
    last_use = list(range(len(operations)))
    for i, operation in enumerate(operations):
        for parent in parents(operation):
            last_use[position[id(parent)]] = i
    points = []
    reach = -1
    inside = {id(operation) for operation in backbone_operations(model)}
    for i, operation in enumerate(operations):
        # No output from below is used further up, so every path passes through here.
        if reach <= i and id(operation) in inside:
            points.append(operation)
        reach = max(reach, last_use[i])
    return [one for one in points if len(outputs_of(one)) == 1]


def unfinished(model: keras.Model) -> set[str]:
    """Return the layers in the middle of a step, which are poor places to cut.

    Their output is normalized or activated next. An engine fuses both into the layer,
    unless the layer is an output. Padding only prepares the next layer.

    Args:
        model: A backbone behind its preprocessing.

    Returns:
        Their names.
    """
    closing = (
        keras.layers.BatchNormalization,
        keras.layers.Activation,
        keras.layers.ReLU,
    )
    names: set[str] = set()
    for operation in backbone_operations(model):
        if isinstance(operation, closing):
            before = (p for p in parents(operation) if getattr(p, "weights", ()))
            names.update(one.name for one in before)
        if isinstance(operation, keras.layers.ZeroPadding2D):
            names.add(operation.name)
    return names


def cut_points(backbone: Backbone, size: int | None = None) -> list[CutPoint]:
    """Return the layers at which a backbone can be cut, without allocating weights.

    Args:
        backbone: Of any source.
        size: Image size in pixels; the native one if None.

    Returns:
        From the input up.

    Raises:
        UsageError: The backbone does not accept the size.
    """
    with symbolic():
        model = build_backbone(backbone, size or backbone.native)
    found = {id(operation) for operation in cut_operations(model)}
    points = []
    parameters = 0
    # All operations before a cut point in this order lie below it.
    for operation in backbone_operations(model):
        if isinstance(operation, keras.layers.Layer):
            parameters += operation.count_params()
        if id(operation) in found:
            name, shape = operation.name, tuple(output_of(operation).shape[1:])
            points.append(CutPoint(name, shape, parameters, name in backbone.cuts))
    return points


def find_cut(model: keras.Model, name: str, backbone: str) -> keras.Operation:
    """Return the operation of a name, to cut at.

    Args:
        model: The whole backbone.
        name: Of any layer of it.
        backbone: Its name in messages.

    Returns:
        The operation.

    Raises:
        UsageError: There is none; the hint names the nearest cut point.
    """
    known = {operation.name: operation for operation in backbone_operations(model)}
    if name in known:
        return known[name]
    points = [point.name for point in cut_operations(model)]
    error = unknown_name("layer", name, points, listed_by=show_command(backbone))
    if not error.hint.startswith("Did you mean"):
        error = unknown_name("layer", name, known, listed_by=show_command(backbone))
    raise error


def find_freeze(
    model: keras.Model, name: str | None, backbone: str
) -> keras.Operation | None:
    """Return the operation up to which a cut backbone is frozen.

    Args:
        model: The backbone, its output the cut.
        name: A cut point; the cut itself if None; "none" to freeze nothing.
        backbone: Its name in messages.

    Returns:
        The operation, None if nothing is frozen.

    Raises:
        UsageError: The layer is not in the cut backbone, or paths lead around it, so
            that the graph cannot be split there.
    """
    points = {point.name: point for point in cut_operations(model)}
    if name is None:
        return producer(model.output)
    if name == NOTHING:
        return None
    if name in points:
        return points[name]
    order = [operation.name for operation in backbone_operations(model)]
    if name not in order:
        listed_by = show_command(backbone)
        error = unknown_name("layer to freeze to", name, points, listed_by=listed_by)
        raise UsageError(
            f"{error.message} The backbone ends at the cut {order[-1]!r}.",
            hint=error.hint,
        )
    at = order.index(name)
    below = [point for point in points if order.index(point) < at][-1:]
    above = [point for point in points if order.index(point) > at][:1]
    raise UsageError(
        f"Cannot freeze up to {name!r}: other paths lead around it, so the graph "
        "cannot be split there.",
        hint=f"Use a layer near it: {', '.join(below + above)}.",
    )


def inputs_below(
    model: keras.Model, operation: keras.Operation
) -> list[keras.Operation]:
    """Return an operation and everything it depends on, from the input up.

    Args:
        model: Contains the operation.
        operation: Any of its operations.

    Returns:
        In topological order.
    """
    found = {id(operation)}
    waiting = [operation]
    while waiting:
        for parent in parents(waiting.pop()):
            if id(parent) not in found:
                found.add(id(parent))
                waiting.append(parent)
    return [one for one in model.operations if id(one) in found]
