"""Backbone and size in, one flat graph out: uint8 pixels, preprocessing, body.

The same names and, for the same seed, the same random weights come out every time,
whatever else the process has built.
"""

from __future__ import annotations

import importlib
import random
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

import keras
import numpy as np
from keras.src.backend.common import global_state

from tlkit.backbones.registry import (
    OWN,
    Backbone,
    Preprocessing,
    check_size,
    short_name,
)

IMAGE = "image"
PREPROCESS = "preprocess"


def build_body(backbone: Backbone, size: int, *, seed: int = 0) -> keras.Model:
    """The whole body behind its preprocessing, with random weights.

    Args:
        backbone: Row of the table.
        size: Input side in pixels.
        seed: Of the random weights.

    Returns:
        A functional model, uint8 [B, size, size, 3] in, features of the last cut out.
    """
    check_size(backbone, size)
    image = keras.Input((size, size, 3), dtype="uint8", name=IMAGE)
    pixels = preprocess(image, backbone.preprocessing)
    with seeded(seed):
        body = importlib.import_module(backbone.builder).build(backbone, pixels)
    # keras.applications wraps the input in a list; callers feed a plain array.
    name = backbone.name
    if backbone.builder == OWN:
        # TensorFlow takes it for a scope, which cannot have all that a path can.
        name = re.sub(r"\W", "_", f"own_{short_name(name)}", flags=re.ASCII)
    return keras.Model(image, body.outputs[0], name=name)


def preprocess(
    image: keras.KerasTensor, preprocessing: Preprocessing
) -> keras.KerasTensor:
    """Pixels as the body expects them, by operations that Keras itself can reload."""
    pixels = keras.ops.flip(image, axis=-1) if preprocessing.order == "bgr" else image
    return keras.layers.Rescaling(
        list(preprocessing.scale),
        offset=list(preprocessing.offset),
        name=PREPROCESS,
        dtype="float32",
    )(pixels)


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Layers built inside draw their initial weights from the seed.

    An initializer that was given no seed takes one from Python's `random` when it is
    made. Its state is put back afterwards, so that nothing outside is re-seeded, which
    `keras.utils.set_random_seed` would do to Python, NumPy and the backend.
    """
    state = random.getstate()
    random.seed(seed)
    try:
        yield
    finally:
        random.setstate(state)


@contextmanager
def symbolic() -> Iterator[None]:
    """Layers built inside have shapes and names but no memory for their weights.

    Keras keeps a list of variables to fill in at the next chance; those made inside
    are taken off it, or the next layer built would allocate them all.
    """
    key = "uninitialized_variables"
    before = list(global_state.get_global_attribute(key) or [])
    try:
        with keras.StatelessScope(initialize_variables=False):
            yield
    finally:
        global_state.set_global_attribute(key, before)


def give_value(variable: keras.Variable, value: np.ndarray) -> None:
    """Set a variable, also one that `symbolic` left without memory."""
    if variable._value is None:
        variable._initialize(value)
        variable._initializer = None
    else:
        variable.assign(value)


def give_memory(model: keras.Model) -> None:
    """Initialize what `symbolic` left without a value, such as dropout seeds."""
    for layer in model.layers:
        for variable in layer.variables:
            if variable._value is None:
                variable._deferred_initialize()


def snake_case(operation: keras.Operation) -> str:
    """Returns the name Keras gives an operation that has none: max_pooling2d."""
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", type(operation).__name__)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()


def unique_name(stem: str, used: Counter[str]) -> str:
    """Returns a name by Keras' numbering: conv2d, conv2d_1, ...; counts in `used`."""
    name = f"{stem}_{used[stem]}" if used[stem] else stem
    used[stem] += 1
    return name


def renumber(model: keras.Model) -> None:
    """Give automatically named layers the names of a fresh process.

    Keras counts conv2d, conv2d_1, ... on over all models of a process. The order of
    these numbers is the order in which layers were made, which is kept.
    """
    automatic = defaultdict(list)
    for operation in model.operations:
        stem = snake_case(operation)
        match = re.fullmatch(rf"{stem}(?:_(\d+))?", operation.name)
        if match:
            automatic[stem].append((int(match[1] or 0), operation))
    used: Counter[str] = Counter()
    for stem, numbered in automatic.items():
        for _, operation in sorted(numbered, key=lambda pair: pair[0]):
            operation.name = unique_name(stem, used)
