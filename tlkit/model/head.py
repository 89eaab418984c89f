"""The head of a classifier: its layers as text, and as Keras layers above the cut.

Importing this module and reading a head do not import Keras.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

from tlkit.backbones.spec import OUTPUT
from tlkit.errors import UsageError, unknown_name
from tlkit.tasks.task import Task

if TYPE_CHECKING:
    import keras

DEFAULT_HEAD = "gap,dropout:0.2"

GAP, GMP, BOTH = "gap", "gmp", "gap_gmp"
MAP_POOLINGS = (GAP, GMP, BOTH)
POOLINGS = ("flatten", *MAP_POOLINGS)
KINDS = (*POOLINGS, "dense", "dropout", "bn")
# For batch normalization that begins from nothing, here or in a network with random
# weights. Its statistics follow the few steps of a small set, while Keras' 0.99 and
# more lag behind them and make the predictions random.
MOMENTUM = 0.9


@dataclass(frozen=True)
class HeadLayer:
    """One layer of a head: its kind, and units (dense) or rate (dropout)."""

    kind: str
    value: float | int | None = None

    def __str__(self) -> str:
        return self.kind if self.value is None else f"{self.kind}:{self.value}"


def parse_head(text: str) -> tuple[HeadLayer, ...]:
    """Read a head as typed.

    Args:
        text: Layers from the cut up, separated by commas: `flatten`, `gap` (global
            average pooling), `gmp` (global maximum pooling), `gap_gmp` (both, one after
            the other), `dense:UNITS` (ReLU), `dropout:RATE`, `bn` (batch
            normalization). Exactly one of the first four. The output layer is added
            automatically.

    Returns:
        The layers in order.

    Raises:
        UsageError: A layer is unknown, lacks its value or has one it cannot take, or
            the layers do not make one vector per image.

    Example:
        >>> [str(layer) for layer in parse_head("flatten,dense:1024,dropout:0.2")]
        ['flatten', 'dense:1024', 'dropout:0.2']
    """
    layers = tuple(_parse_layer(part.strip(), text) for part in text.split(","))
    kinds = [layer.kind for layer in layers]
    poolings = [kind for kind in kinds if kind in POOLINGS]
    if len(poolings) > 1:
        _fault(text, f"has {' and '.join(poolings)}; exactly one can be.")
    if not poolings:
        _fault(text, f"needs one of {', '.join(POOLINGS)} before the output.")
    if "dense" in kinds and kinds.index("dense") < kinds.index(poolings[0]):
        _fault(text, f"has dense before {poolings[0]}; swap them.")
    return layers


def _fault(text: str, what: str) -> NoReturn:
    raise UsageError(f"The head {text!r} {what}", hint=f"Example: {DEFAULT_HEAD}")


def _parse_layer(part: str, text: str) -> HeadLayer:
    kind, colon, value = (piece.strip() for piece in part.partition(":"))
    kind = kind.lower()
    if not kind:
        _fault(text, "has an empty layer.")
    if kind not in KINDS:
        error = unknown_name("head layer", kind, KINDS)
        raise error
    if kind == "dense":
        if not (value.isascii() and value.isdigit()) or int(value) < 1:
            _fault(text, f"needs dense:UNITS with a whole number >= 1, got {value!r}.")
        return HeadLayer(kind, int(value))
    if kind == "dropout":
        return HeadLayer(kind, _rate(value, text))
    if colon:
        _fault(text, f"gives {kind} the value {value!r}; it takes none.")
    return HeadLayer(kind)


def _rate(value: str, text: str) -> float:
    try:
        rate = float(value)
    except ValueError:
        rate = -1.0
    if not 0 <= rate < 1:
        _fault(text, f"needs dropout:RATE with 0 <= RATE < 1, got {value!r}.")
    return rate


def is_linear(layers: tuple[HeadLayer, ...]) -> bool:
    """Return whether a head is a linear classifier on pooled features.

    Args:
        layers: From `parse_head`.

    Returns:
        True where only dropout follows a global pooling.
    """
    kinds = {layer.kind for layer in layers}
    return bool(kinds & {*MAP_POOLINGS}) and kinds <= {*MAP_POOLINGS, "dropout"}


def apply_head(
    x: keras.KerasTensor, layers: tuple[HeadLayer, ...], task: Task, seed: int
) -> keras.KerasTensor:
    """Apply a head and the output layer to features [B, H, W, C]."""
    import keras

    if len(x.shape) != 4:
        raise UsageError(
            f"The cut gives features of shape {x.shape[1:]}, a head needs "
            "(height, width, channels).",
            hint="Cut at a layer that `tlkit backbones show` lists.",
        )
    seeds = random.Random(seed)
    for place, layer in enumerate(layers, start=1):
        x = _apply(layer, x, layer_name(place, layer.kind), seeds.randrange(2**31))
    return keras.layers.Dense(
        task.units,
        activation=task.activation,
        kernel_initializer=keras.initializers.GlorotUniform(seeds.randrange(2**31)),
        name=OUTPUT,
        dtype="float32",
    )(x)


def layer_name(place: int, kind: str) -> str:
    """Return the name of a head layer in the model; places count from 1."""
    return f"head{place}_{kind}"


def _apply(
    layer: HeadLayer, x: keras.KerasTensor, name: str, seed: int
) -> keras.KerasTensor:
    import keras

    kinds = keras.layers
    if layer.kind == "flatten":
        return kinds.Flatten(name=name)(x)
    if layer.kind == GAP:
        return kinds.GlobalAveragePooling2D(name=name)(x)
    if layer.kind == GMP:
        return kinds.GlobalMaxPooling2D(name=name)(x)
    if layer.kind == BOTH:
        mean = kinds.GlobalAveragePooling2D(name=f"{name}_mean")(x)
        maximum = kinds.GlobalMaxPooling2D(name=f"{name}_maximum")(x)
        return kinds.Concatenate(name=name)([mean, maximum])
    if layer.kind == "dense":
        initializer = keras.initializers.GlorotUniform(seed)
        return kinds.Dense(
            layer.value, activation="relu", kernel_initializer=initializer, name=name
        )(x)
    if layer.kind == "dropout":
        return kinds.Dropout(layer.value, seed=seed, name=name)(x)
    return kinds.BatchNormalization(momentum=MOMENTUM, name=name)(x)
