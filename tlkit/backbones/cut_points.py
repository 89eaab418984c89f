"""Where a body can be cut and frozen: layer names in, places in the graph out."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

import keras

from tlkit.backbones.graph import PREPROCESS, build_body, symbolic
from tlkit.errors import UsageError, unknown_name

if TYPE_CHECKING:
    from tlkit.backbones.registry import Backbone

NOTHING = "none"


@dataclass(frozen=True)
class CutPoint:
    """A layer whose output alone carries everything that the layers above see.

    Args:
        name: Of the layer.
        shape: Of its output, (height, width, channels).
        parameters: Of it and all layers below.
        good: Whether the table of backbones recommends it.
    """

    name: str
    shape: tuple[int, int, int]
    parameters: int
    good: bool


def parents(operation: keras.Operation) -> list[keras.Operation]:
    """Returns what an operation takes its inputs from, in the graph it was made in.

    Splitting a model calls its layers a second time; `layer.input` then no longer
    answers, the first node still does.
    """
    node = operation._inbound_nodes[0]
    return [parent.operation for parent in node.parent_nodes]


def output_of(operation: keras.Operation) -> keras.KerasTensor:
    """Returns the output of an operation in the graph it was made in."""
    return operation._inbound_nodes[0].output_tensors[0]


def body_operations(model: keras.Model) -> list[keras.Operation]:
    """Returns all above the preprocessing, each after what it depends on."""
    operations = list(model.operations)
    names = [operation.name for operation in operations]
    return operations[names.index(PREPROCESS) + 1 :]


def cuttable(model: keras.Model) -> list[keras.Operation]:
    """The operations of a body that one can cut at.

    Args:
        model: A body behind its preprocessing, one output.

    Returns:
        Those of its trunk with [B, H, W, C] outputs, from the input up; the last is the
        output's.
    """
    return [one for one in trunk(model) if len(output_of(one).shape) == 4]


def trunk(model: keras.Model) -> list[keras.Operation]:
    """The operations of a body that every path from image to output passes through."""
    operations = list(model.operations)
    position = {id(operation): i for i, operation in enumerate(operations)}
    last_use = list(range(len(operations)))
    for i, operation in enumerate(operations):
        for parent in parents(operation):
            last_use[position[id(parent)]] = i
    points = []
    reach = -1
    inside = {id(operation) for operation in body_operations(model)}
    for i, operation in enumerate(operations):
        # Nothing below is still wanted further up, so all of it passes through here.
        if reach <= i and id(operation) in inside:
            points.append(operation)
        reach = max(reach, last_use[i])
    return [one for one in points if len(one._inbound_nodes[0].output_tensors) == 1]


def unfinished(model: keras.Model) -> set[str]:
    """The layers of a body in the middle of a step: odd places to cut at.

    Their numbers are still to be normalized or bent: an engine folds both into the
    layer, unless it has to answer there. Padding is but the start of what comes next.

    Args:
        model: A body behind its preprocessing.

    Returns:
        Their names.
    """
    ends = (keras.layers.BatchNormalization, keras.layers.Activation, keras.layers.ReLU)
    names: set[str] = set()
    for operation in body_operations(model):
        if isinstance(operation, ends):
            above = [one for one in parents(operation) if getattr(one, "weights", ())]
            names.update(one.name for one in above)
        if isinstance(operation, keras.layers.ZeroPadding2D):
            names.add(operation.name)
    return names


def cut_points(backbone: Backbone, size: int | None = None) -> list[CutPoint]:
    """The layers one can cut at, without allocating any weights.

    Args:
        backbone: Row of the table.
        size: Input side in pixels, the native one if None.

    Returns:
        From the input up.

    Raises:
        UsageError: If the size is below what the backbone accepts.
    """
    with symbolic():
        model = build_body(backbone, size or backbone.native)
    good = set(backbone.cuts)
    chosen = {id(operation) for operation in cuttable(model)}
    points = []
    parameters = 0
    # All operations before a cut point in this order lie below it.
    for operation in body_operations(model):
        if isinstance(operation, keras.layers.Layer):
            parameters += operation.count_params()
        if id(operation) in chosen:
            shape = tuple(output_of(operation).shape[1:])
            name = operation.name
            points.append(CutPoint(name, shape, parameters, name in good))
    return points


def find_cut(
    model: keras.Model, name: str, backbone: str | None = None
) -> keras.Operation:
    """The operation of a body to cut at.

    Args:
        model: The whole body.
        name: Of any layer of it.
        backbone: What the body is called in messages; the model's name if None.

    Returns:
        The operation of that name.

    Raises:
        UsageError: If there is none; the hint names the nearest one can cut at.
    """
    known = {operation.name: operation for operation in body_operations(model)}
    if name in known:
        return known[name]
    listed_by = shlex.join(("tlkit", "backbones", "show", backbone or model.name))
    points = [point.name for point in cuttable(model)]
    error = unknown_name("layer", name, points, listed_by=listed_by)
    if not error.hint.startswith("Did you mean"):
        error = unknown_name("layer", name, known, listed_by=listed_by)
    raise error


def find_freeze(
    model: keras.Model, name: str | None, backbone: str | None = None
) -> keras.Operation | None:
    """The operation up to which a cut body is frozen.

    Args:
        model: The body, its output the cut.
        name: Of a layer one can cut at; the cut itself if None; "none" for nothing.
        backbone: What the body is called in messages; the model's name if None.

    Returns:
        The operation, None if nothing is to be frozen.

    Raises:
        UsageError: If the layer is not in the cut body, or paths go around it, so that
            the graph cannot be split there.
    """
    points = {point.name: point for point in cuttable(model)}
    if name is None:
        return model.output._keras_history.operation
    if name == NOTHING:
        return None
    if name in points:
        return points[name]
    order = [operation.name for operation in body_operations(model)]
    if name not in order:
        listed_by = shlex.join(("tlkit", "backbones", "show", backbone or model.name))
        error = unknown_name("layer to freeze to", name, points, listed_by=listed_by)
        raise UsageError(
            f"{error.message} The body ends at the cut {order[-1]!r}.", hint=error.hint
        )
    at = order.index(name)
    below = [point for point in points if order.index(point) < at][-1:]
    above = [point for point in points if order.index(point) > at][:1]
    raise UsageError(
        f"Cannot freeze up to {name!r}: other paths lead around it, so the graph "
        "does not come apart there.",
        hint="Nearest layers that do: " + ", ".join(below + above) + ".",
    )


def inputs_below(
    model: keras.Model, operation: keras.Operation
) -> list[keras.Operation]:
    """Returns an operation and everything it depends on, from the input up."""
    wanted = {id(operation)}
    waiting = [operation]
    while waiting:
        for parent in parents(waiting.pop()):
            if id(parent) not in wanted:
                wanted.add(id(parent))
                waiting.append(parent)
    return [one for one in model.operations if id(one) in wanted]
