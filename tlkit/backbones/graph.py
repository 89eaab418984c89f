"""The graph of a backbone, and every use of Keras' private interface.

A backbone is one flat graph: uint8 pixels, preprocessing, layers. Its names and, for
the same seed, its random weights do not depend on what else the process has built.
"""

from __future__ import annotations

import random
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

import keras
import numpy as np
from keras.src.backend.common import global_state
from keras.src.models.functional import Functional

from tlkit.backbones.spec import IMAGE, PREPROCESS, Backbone, Preprocessing, short_name

# A model that consists of layers connected as a graph.
Graph: TypeAlias = Functional


def build_backbone(backbone: Backbone, size: int, *, seed: int = 0) -> keras.Model:
    """Build a backbone behind its preprocessing, with random weights.

    Args:
        backbone: Of any source.
        size: Image size in pixels.
        seed: Of the random weights.

    Returns:
        A functional model: uint8 [B, size, size, 3] to the features of the last cut,
        float32 [B, h, w, C].

    Raises:
        UsageError: The backbone does not accept the size.
    """
    backbone.check_size(size)
    image = keras.Input((size, size, 3), dtype="uint8", name=IMAGE)
    with seeded(seed):
        model = backbone.build(backbone, preprocess(image, backbone.preprocessing))
    name = backbone.name
    if backbone.custom:
        # TensorFlow uses it as a scope, which allows fewer characters than a path.
        name = re.sub(r"\W", "_", f"own_{short_name(name)}", flags=re.ASCII)
    # keras.applications wraps the input in a list; callers pass a plain array.
    return keras.Model(image, model.outputs[0], name=name)


def preprocess(
    image: keras.KerasTensor, preprocessing: Preprocessing
) -> keras.KerasTensor:
    """Return pixels as the backbone expects them, by Keras' own operations."""
    pixels = keras.ops.flip(image, axis=-1) if preprocessing.order == "bgr" else image
    return keras.layers.Rescaling(
        list(preprocessing.scale),
        offset=list(preprocessing.offset),
        name=PREPROCESS,
        dtype="float32",
    )(pixels)


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Draw the initial weights of layers built inside from the seed.

    An initializer without a seed takes one from Python's `random` when it is made.
    `keras.utils.set_random_seed` would re-seed Python, NumPy and the backend for good.
    """
    state = random.getstate()
    random.seed(seed)
    try:
        yield
    finally:
        random.setstate(state)


@contextmanager
def symbolic() -> Iterator[None]:
    """Give layers built inside shapes and names, but no memory for their weights.

    Keras keeps a list of variables to initialize later. Those made inside are
    removed from it, or the next layer built would allocate them all.

    Yields:
        Nothing.
    """
    key = "uninitialized_variables"
    before = list(global_state.get_global_attribute(key) or [])
    try:
        with keras.StatelessScope(initialize_variables=False):
            yield
    finally:
        global_state.set_global_attribute(key, before)


def set_value(variable: keras.Variable, value: np.ndarray) -> None:
    """Set a variable, also one that `symbolic` left without memory."""
    if variable._value is None:
        variable._initialize(value)
        variable._initializer = None
    else:
        variable.assign(value)


def initialize_rest(model: keras.Model) -> None:
    """Initialize what `symbolic` left without a value, such as dropout seeds."""
    for layer in model.layers:
        for variable in layer.variables:
            if variable._value is None:
                variable._deferred_initialize()


def running_means(
    optimizer: keras.optimizers.Optimizer,
) -> dict[int, keras.Variable]:
    """Return the running mean that an optimizer keeps of each variable it trains.

    Args:
        optimizer: Also one wrapped for scaled losses.

    Returns:
        The mean by the id of its variable; nothing without `use_ema`.
    """
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)
    if not optimizer.use_ema:
        return {}
    means = optimizer._model_variables_moving_average
    pairs = zip(optimizer._trainable_variables, means, strict=True)
    return {id(variable): mean for variable, mean in pairs}


def parents(operation: keras.Operation) -> list[keras.Operation]:
    """Return the operations that one takes its inputs from, where it was made.

    Keras' `input` and `output` are those of the first call; splitting a model calls its
    layers again.
    """
    return [producer(tensor) for tensor in keras.tree.flatten(operation.input)]


def outputs_of(operation: keras.Operation) -> list[keras.KerasTensor]:
    """Return all outputs of an operation in the graph it was made in."""
    return keras.tree.flatten(operation.output)  # type: ignore[no-any-return]


def output_of(operation: keras.Operation) -> keras.KerasTensor:
    """Return the output of an operation in the graph it was made in.

    Args:
        operation: A layer or operation of a functional model.

    Returns:
        Its first output, symbolic.
    """
    return outputs_of(operation)[0]


def producer(tensor: keras.KerasTensor) -> keras.Operation:
    """Return the operation that a symbolic tensor is the output of.

    Args:
        tensor: Of a functional model.

    Returns:
        The layer or operation.
    """
    return tensor._keras_history.operation


def sublayers(layer: keras.layers.Layer) -> list[keras.layers.Layer]:
    """Return a layer and all layers that it is made of."""
    return list(layer._flatten_layers())


def functional_graph(model: keras.Model) -> Graph | None:
    """Return the graph of layers that a model is; None if it has none."""
    if isinstance(model, keras.Sequential):
        return model._functional
    return model if isinstance(model, Functional) else None


def run_graph(
    graph: Graph,
    inputs: list[keras.KerasTensor],
    call: Callable[[keras.Operation], Callable[..., Any]],
) -> list[keras.KerasTensor]:
    """Apply `call(operation)` in place of each operation of a graph."""
    outputs = graph._run_through_graph(inputs, operation_fn=call)
    return keras.tree.flatten(outputs)  # type: ignore[no-any-return]


def automatic_name(operation: keras.Operation) -> str:
    """Return the name Keras gives an operation without one, such as max_pooling2d."""
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", type(operation).__name__)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()


def unique_name(stem: str, used: Counter[str]) -> str:
    """Return a name by Keras' numbering (conv2d, conv2d_1, ...) and count it."""
    name = f"{stem}_{used[stem]}" if used[stem] else stem
    used[stem] += 1
    return name


def renumber(model: keras.Model) -> None:
    """Give automatically named layers the names of a fresh process.

    Keras counts conv2d, conv2d_1, ... over all models of a process, in the order in
    which layers were made. That order is kept.
    """
    automatic = defaultdict(list)
    for operation in model.operations:
        stem = automatic_name(operation)
        match = re.fullmatch(rf"{stem}(?:_(\d+))?", operation.name)
        if match:
            automatic[stem].append((int(match[1] or 0), operation))
    used: Counter[str] = Counter()
    for stem, numbered in automatic.items():
        for _, operation in sorted(numbered, key=lambda pair: pair[0]):
            operation.name = unique_name(stem, used)
