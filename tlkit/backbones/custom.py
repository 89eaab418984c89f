"""Networks of the user's own: a .keras file or a KerasHub preset to a row and a body.

Such a row is made when it is asked for; all that the table says of others is read off
the graph.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import itertools
import json
from typing import Any

import keras
import numpy as np

from tlkit.backbones import hub, keras_file
from tlkit.backbones.cut_points import (
    body_operations,
    cuttable,
    output_of,
    parents,
    trunk,
)
from tlkit.backbones.flatten import CAST, Flat, graph_of
from tlkit.backbones.graph import build_body, symbolic
from tlkit.backbones.registry import HUB, NAMED, NONE, OWN, Backbone, Preprocessing
from tlkit.backbones.weights.hdf5 import Piece
from tlkit.errors import UsageError

# A classification top begins with one of these, or with anything that gives no map.
POOLINGS = (
    keras.layers.GlobalAveragePooling2D,
    keras.layers.GlobalMaxPooling2D,
)
SCALERS = (keras.layers.Rescaling, keras.layers.Normalization)
# keras.ops with a constant, as in x / 127.5 - 1.
ARITHMETIC = ("Add", "Divide", "Multiply", "Subtract", "TrueDivide")

# A map with this share of the side of the one below it begins a new stage.
SHRUNK = 2 / 3


def find(name: str, *, preprocessing: str | None, size: int | None) -> Backbone:
    """The row of a network of the user's own."""
    row = look_at(name, size)
    told = hub.info(row.name).preprocessing if row.name.startswith(HUB) else None
    pixels = _preprocessing(row, preprocessing, told)
    return dataclasses.replace(row, preprocessing=pixels)


def look_at(name: str, size: int | None) -> Backbone:
    """The row of a network of the user's own, whatever pixels it expects.

    Args:
        name: As `find` takes it.
        size: Input side in pixels; None for that of the network or preset.

    Returns:
        The row; its preprocessing stands for nothing.

    Raises:
        UsageError: As `find`.
    """
    name = _source(name).full_name(name)
    return _look_at(name, _source(name).stamp(name), size)


@functools.lru_cache(maxsize=8)
def _look_at(name: str, stamp: Any, size: int | None) -> Backbone:
    model = _opened(name, stamp)
    told = hub.info(name).size if name.startswith(HUB) else None
    native = _native(model, name, told or size)
    fixed = model.inputs[0].shape[1] is not None
    row = Backbone(
        name=name,
        aliases=(),
        preprocessing=NONE,
        native=native,
        least=native if fixed else 1,
        cuts=(),
        channels=(),
        parameters=0,
        builder=OWN,
        fixed=fixed,
        checksum=_graph_digest(model),
    )
    with symbolic():
        body = build_body(row, size or native)
    cuts = _good_cuts(body)
    return dataclasses.replace(
        row,
        cuts=tuple(one.name for one in cuts),
        channels=tuple(output_of(one).shape[-1] for one in cuts),
        parameters=body.count_params(),
        scaler=_scaler(body),
    )


def build(backbone: Backbone, pixels: keras.KerasTensor) -> keras.Model:
    """A network of the user's own, flat, without its classification top."""
    model = _opened(backbone.name, _source(backbone.name).stamp(backbone.name))
    wanted = model.inputs[0].dtype
    # A network that takes whole numbers gets the same ones.
    x = pixels if wanted == "float32" else keras.ops.cast(pixels, wanted)
    if x is not pixels:
        x._keras_history.operation.name = CAST
    try:
        outputs = Flat(backbone.name).copy(model, [x])
    except (ValueError, TypeError) as error:
        raise UsageError(
            f"{backbone.name} does not take images of {pixels.shape[1]} px: "
            f"{short(error)}",
            hint="Try a larger --size.",
        ) from error
    image = keras.utils.get_source_inputs(pixels)
    return keras.Model(image, _last_map(keras.Model(image, outputs), backbone.name))


def pieces(backbone: Backbone, body: keras.Model) -> list[Piece]:
    """The weights that a network of the user's own brings along."""
    model = _source(backbone.name).open_model(backbone.name, weights=True)
    flat = Flat(backbone.name)
    with symbolic():
        shape, dtype = model.inputs[0].shape[1:], model.inputs[0].dtype
        flat.copy(model, [keras.Input(shape, dtype=dtype)])
    layers = [one for one in body.layers if one.weights and one.name in flat.sources]
    return [
        Piece(
            layer,
            layer,
            tuple(layer.weights),
            flat.sources[layer.name].name,
            tuple(np.asarray(value) for value in flat.sources[layer.name].weights),
        )
        for layer in layers
    ]


def short(error: Exception) -> str:
    """The beginning of what Keras says, which may go on with a whole configuration."""
    text = " ".join(str(error).split())
    return text if len(text) <= 300 else f"{text[:300]} ..."


def _source(name: str) -> Any:
    """The module that opens a network of this name."""
    return hub if name.startswith(HUB) else keras_file


@functools.lru_cache(maxsize=8)
def _opened(name: str, stamp: Any) -> keras.Model:
    """The model without memory for its weights; a changed file is opened again."""
    del stamp
    with symbolic():
        return _checked(_source(name).open_model(name, weights=False), name)


def _checked(model: keras.Model, name: str) -> keras.Model:
    graph = graph_of(model, name)
    if len(graph.inputs) != 1 or len(graph.outputs) != 1:
        raise UsageError(
            f"{name} has {len(graph.inputs)} inputs and {len(graph.outputs)} outputs, "
            "expected one of each: images in, one answer out."
        )
    shape = graph.inputs[0].shape
    if len(shape) != 4 or shape[-1] != 3 or shape[1] != shape[2]:
        raise UsageError(
            f"{name} takes {shape[1:]}, expected (size, size, 3): square images in "
            "color, channels last."
        )
    return graph


def _native(model: keras.Model, name: str, size: int | None) -> int:
    side = model.inputs[0].shape[1] or size
    if side is None:
        raise UsageError(
            f"{name} takes images of any size, so it has to be said which.",
            hint="For example --size 224.",
        )
    return int(side)


def _graph_digest(model: keras.Model) -> str:
    config = _bare(keras.saving.serialize_keras_object(model)["config"])
    text = json.dumps({**config, "name": ""}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _bare(config: Any) -> Any:
    """A configuration without the numbers that Keras gives to objects in memory."""
    if isinstance(config, dict):
        kept = {key: config[key] for key in config if key != "shared_object_id"}
        return {key: _bare(value) for key, value in kept.items()}
    if isinstance(config, (list, tuple)):
        return [_bare(value) for value in config]
    return config


def _good_cuts(body: keras.Model) -> list[keras.Operation]:
    """The end of the body, and below it the last layer before maps get far smaller."""
    # What has no weights below it is only pixels.
    pixels = itertools.takewhile(
        lambda one: not getattr(one, "weights", None), body_operations(body)
    )
    raw = {one.name for one in pixels}
    points = [one for one in cuttable(body) if one.name not in raw] or cuttable(body)
    sides = [output_of(one).shape[1] for one in points]
    steps = zip(points, sides, sides[1:], strict=False)
    return [*(one for one, side, above in steps if above <= SHRUNK * side), points[-1]]


def _is_map(operation: keras.Operation) -> bool:
    return len(output_of(operation).shape) == 4


def _last_map(model: keras.Model, name: str) -> keras.KerasTensor:
    """The output of the last layer below the classification top."""
    last = None
    for operation in trunk(model):
        if isinstance(operation, POOLINGS) or len(output_of(operation).shape) == 2:
            break
        if _is_map(operation):
            last = output_of(operation)
    if last is None:
        raise UsageError(
            f"{name} has no layer to cut at: none that everything passes through "
            "gives (height, width, channels).",
            hint="Networks of convolutions do; those that work on tokens do not.",
        )
    return last


def _scaler(body: keras.Model) -> str:
    """The layer by which a network scales its pixels before its first weights."""
    for operation in trunk(body):
        single = len(parents(operation)) == 1
        arithmetic = type(operation).__name__ in ARITHMETIC and single
        if isinstance(operation, SCALERS) or arithmetic:
            return str(operation.name)
        if getattr(operation, "weights", ()):
            break
    return ""


def _preprocessing(
    row: Backbone, given: str | None, preset: Preprocessing | None
) -> Preprocessing:
    if preset is not None:
        if given is not None:
            raise UsageError(
                f"{row.name} tells its preprocessing itself.",
                hint=f"Leave --preprocessing {given} away.",
            )
        return preset
    if given is not None:
        return NAMED[given]
    if row.scaler:
        return NONE
    raise UsageError(
        f"What pixels {row.name} expects has to be said: it does not scale them.",
        hint="--preprocessing none (0 to 255), tf (-1 to 1), torch (ImageNet's mean "
        "and deviation) or caffe (BGR less the mean), as it was trained.",
    )
