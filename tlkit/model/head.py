"""A line like "flatten,dense:1024,dropout:0.2" in, layers above the cut out.

Importing this module and reading a head do not import Keras.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

from tlkit.errors import UsageError, unknown_name
from tlkit.tasks.task import Task

if TYPE_CHECKING:
    import keras

DEFAULT_HEAD = "gap,dropout:0.2"
OUTPUT = "probabilities"

GAP, GMP, BOTH = "gap", "gmp", "gap_gmp"
MAP_POOLINGS = (GAP, GMP, BOTH)
POOLINGS = ("flatten", *MAP_POOLINGS)
KINDS = (*POOLINGS, "dense", "dropout", "bn")
# Of batch normalization that begins with nothing, here or in a network with random
# weights: statistics that follow the few steps of a small set. Keras' 0.99 and more lag
# behind them, and the answers are by chance.
MOMENTUM = 0.9


@dataclass(frozen=True)
class HeadLayer:
    """One layer of a head.

    Args:
        kind: One of KINDS.
        value: Units of a dense layer, rate of a dropout, None for the others.
    """

    kind: str
    value: float | int | None = None

    def __str__(self) -> str:
        return self.kind if self.value is None else f"{self.kind}:{self.value}"


def parse_head(text: str) -> tuple[HeadLayer, ...]:
    """Read a head as a person writes it.

    Args:
        text: Layers from the cut up, separated by commas: `flatten`, `gap` (global
            average pooling), `gmp` (global maximum pooling), `gap_gmp` (both, one after
            the other), `dense:UNITS` (ReLU), `dropout:RATE`, `bn` (batch
            normalization). Exactly one of the first four. The output layer comes by
            itself.

    Returns:
        The layers in order.

    Raises:
        UsageError: If a layer is unknown, lacks its value or has one it cannot take,
            or if the layers do not make features of one vector an image.

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
        return HeadLayer(kind, _units(value, text))
    if kind == "dropout":
        return HeadLayer(kind, _rate(value, text))
    if colon:
        _fault(text, f"gives {kind} the value {value!r}; it takes none.")
    return HeadLayer(kind)


def _units(value: str, text: str) -> int:
    if not (value.isascii() and value.isdigit()) or int(value) < 1:
        _fault(text, f"needs dense:UNITS with a whole number from 1, not {value!r}.")
    return int(value)


def _rate(value: str, text: str) -> float:
    try:
        rate = float(value)
    except ValueError:
        rate = -1.0
    if not 0 <= rate < 1:
        _fault(text, f"needs dropout:RATE with 0 <= RATE < 1, not {value!r}.")
    return rate


def is_linear(layers: tuple[HeadLayer, ...]) -> bool:
    """Whether a head is a linear classifier on a pooled map.

    Args:
        layers: As `parse_head` gives them.

    Returns:
        True where nothing but dropout follows a pooling to one place.
    """
    pooled = any(layer.kind in MAP_POOLINGS for layer in layers)
    return pooled and all(layer.kind in (*MAP_POOLINGS, "dropout") for layer in layers)


def apply_head(
    x: keras.KerasTensor, layers: tuple[HeadLayer, ...], task: Task, seed: int
) -> keras.KerasTensor:
    """Put a head and the output layer on features."""
    import keras

    if len(x.shape) != 4:
        raise UsageError(
            f"The cut gives features of shape {x.shape[1:]}, a head needs "
            "(height, width, channels).",
            hint="Cut at a layer that `tlkit backbones show` lists.",
        )
    seeds = random.Random(seed)
    for i, layer in enumerate(layers, start=1):
        name = layer_name(i, layer.kind)
        seed = seeds.randrange(2**31)
        x = _both(x, name) if layer.kind == BOTH else _keras_layer(layer, name, seed)(x)
    return keras.layers.Dense(
        task.units,
        activation=task.activation,
        kernel_initializer=keras.initializers.GlorotUniform(seeds.randrange(2**31)),
        name=OUTPUT,
        dtype="float32",
    )(x)


def layer_name(place: int, kind: str) -> str:
    """Returns the name of a head layer in the model; places count from 1."""
    return f"head{place}_{kind}"


def _both(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    import keras

    mean = keras.layers.GlobalAveragePooling2D(name=f"{name}_mean")(x)
    most = keras.layers.GlobalMaxPooling2D(name=f"{name}_maximum")(x)
    return keras.layers.Concatenate(name=name)([mean, most])


def _keras_layer(layer: HeadLayer, name: str, seed: int) -> keras.layers.Layer:
    import keras

    if layer.kind == "flatten":
        return keras.layers.Flatten(name=name)
    if layer.kind == "gap":
        return keras.layers.GlobalAveragePooling2D(name=name)
    if layer.kind == "gmp":
        return keras.layers.GlobalMaxPooling2D(name=name)
    if layer.kind == "dense":
        return keras.layers.Dense(
            layer.value,
            activation="relu",
            kernel_initializer=keras.initializers.GlorotUniform(seed),
            name=name,
        )
    if layer.kind == "dropout":
        return keras.layers.Dropout(layer.value, seed=seed, name=name)
    return keras.layers.BatchNormalization(momentum=MOMENTUM, name=name)
