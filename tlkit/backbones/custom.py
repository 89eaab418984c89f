"""Custom backbones: the user's own networks, described by reading their graph."""

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
from tlkit.backbones.cut_points import backbone_operations, cut_operations, trunk
from tlkit.backbones.flatten import FlatCopy, graph_of
from tlkit.backbones.graph import (
    build_backbone,
    output_of,
    parents,
    producer,
    symbolic,
)
from tlkit.backbones.spec import (
    CAST,
    HUB,
    NONE,
    PREPROCESSINGS,
    Backbone,
    Preprocessing,
)
from tlkit.backbones.weights.hdf5 import LayerWeights
from tlkit.errors import UsageError

# A classification top begins with one of these, or with any output without places.
POOLINGS = (keras.layers.GlobalAveragePooling2D, keras.layers.GlobalMaxPooling2D)
SCALERS = (keras.layers.Rescaling, keras.layers.Normalization)
# keras.ops with a constant, as in x / 127.5 - 1.
ARITHMETIC = ("Add", "Divide", "Multiply", "Subtract", "TrueDivide")
# A feature map this much narrower than the one below it begins a new stage.
SHRUNK = 2 / 3


def find(name: str, *, preprocessing: str | None, size: int | None) -> Backbone:
    """Return a custom backbone."""
    backbone = find_graph(name, size)
    preset = None
    if backbone.name.startswith(HUB):
        _, preset = hub.image_settings(backbone.name)
    scaling = _preprocessing(backbone, preprocessing, preset)
    return dataclasses.replace(backbone, preprocessing=scaling)


def find_graph(name: str, size: int | None) -> Backbone:
    """Return a custom backbone whose preprocessing is not determined yet."""
    name = _source(name).full_name(name)
    return _find_graph(name, _source(name).stamp(name), size)


@functools.lru_cache(maxsize=8)
def _find_graph(name: str, stamp: Any, size: int | None) -> Backbone:
    model = _opened(name, stamp)
    own_size = model.inputs[0].shape[1]
    native = own_size or (hub.image_settings(name)[0] if name.startswith(HUB) else None)
    native = native or size
    if native is None:
        raise UsageError(
            f"{name} takes images of any size, so a size must be given.",
            hint="Add --size, such as --size 224.",
        )
    backbone = Backbone(
        name=name,
        aliases=(),
        preprocessing=NONE,
        native=int(native),
        min_size=int(native) if own_size else 1,
        cuts=(),
        parameters=0,
        source="custom",
        build=build,
        read_weights=read_weights,
        fixed=own_size is not None,
        checksum=_graph_checksum(model),
    )
    with symbolic():
        model = build_backbone(backbone, size or backbone.native)
    return dataclasses.replace(
        backbone,
        cuts=tuple(one.name for one in _recommended_cuts(model)),
        parameters=model.count_params(),
        scaler=_scaler(model),
    )


def build(backbone: Backbone, pixels: keras.KerasTensor) -> keras.Model:
    """Build a custom backbone: flat, without its classification top."""
    name = backbone.name
    model = _opened(name, _source(name).stamp(name))
    dtype = model.inputs[0].dtype
    x = pixels
    # A network that takes whole numbers gets the same ones.
    if dtype != "float32":
        x = keras.ops.cast(pixels, dtype)
        producer(x).name = CAST
    try:
        outputs = FlatCopy(name).copy(model, [x])
    except (ValueError, TypeError) as error:
        # Keras may append a whole configuration.
        text = " ".join(str(error).split())
        text = text if len(text) <= 300 else f"{text[:300]} ..."
        raise UsageError(
            f"{name} does not take images of {pixels.shape[1]} px: {text}",
            hint="Try a larger --size.",
        ) from error
    image = keras.utils.get_source_inputs(pixels)
    return keras.Model(image, _last_feature_map(keras.Model(image, outputs), name))


def read_weights(backbone: Backbone, model: keras.Model) -> list[LayerWeights]:
    """Return the weights that a custom backbone brings, per layer of a built model."""
    stored = _source(backbone.name).open_model(backbone.name, weights=True)
    flat = FlatCopy(backbone.name)
    with symbolic():
        shape, dtype = stored.inputs[0].shape[1:], stored.inputs[0].dtype
        flat.copy(stored, [keras.Input(shape, dtype=dtype)])
    return [
        LayerWeights(
            layer,
            layer,
            tuple(layer.weights),
            flat.sources[layer.name].name,
            tuple(np.asarray(value) for value in flat.sources[layer.name].weights),
        )
        for layer in model.layers
        if layer.weights and layer.name in flat.sources
    ]


def _source(name: str) -> Any:
    """Return the module that opens networks of such a name."""
    return hub if name.startswith(HUB) else keras_file


@functools.lru_cache(maxsize=8)
def _opened(name: str, stamp: Any) -> keras.Model:
    """Return the model without memory for its weights; a changed file is read again."""
    del stamp
    with symbolic():
        graph = graph_of(_source(name).open_model(name, weights=False), name)
    if len(graph.inputs) != 1 or len(graph.outputs) != 1:
        raise UsageError(
            f"{name} has {len(graph.inputs)} inputs and {len(graph.outputs)} outputs, "
            "expected one of each: images in, one prediction out."
        )
    shape = graph.inputs[0].shape
    if len(shape) != 4 or shape[-1] != 3 or shape[1] != shape[2]:
        raise UsageError(
            f"{name} takes {shape[1:]}, expected (size, size, 3): square images in "
            "color, channels last."
        )
    return graph


def _graph_checksum(model: keras.Model) -> str:
    config = _without_ids(keras.saving.serialize_keras_object(model)["config"])
    text = json.dumps({**config, "name": ""}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _without_ids(config: Any) -> Any:
    """Return a configuration without the numbers Keras gives to objects in memory."""
    if isinstance(config, dict):
        keys = config.keys() - {"shared_object_id"}
        return {key: _without_ids(config[key]) for key in keys}
    if isinstance(config, (list, tuple)):
        return [_without_ids(value) for value in config]
    return config


def _recommended_cuts(model: keras.Model) -> list[keras.Operation]:
    """Return the output, and below it the last layer of each stage."""
    # Below the first weights there are only pixels.
    pixels = itertools.takewhile(
        lambda one: not getattr(one, "weights", None), backbone_operations(model)
    )
    raw = {one.name for one in pixels}
    points = cut_operations(model)
    points = [one for one in points if one.name not in raw] or points
    widths = [output_of(one).shape[1] for one in points]
    steps = zip(points, widths, widths[1:], strict=False)
    stages = [one for one, width, above in steps if above <= SHRUNK * width]
    return [*stages, points[-1]]


def _last_feature_map(model: keras.Model, name: str) -> keras.KerasTensor:
    """Return the output of the last layer below the classification top."""
    last = None
    for operation in trunk(model):
        output = output_of(operation)
        if isinstance(operation, POOLINGS) or len(output.shape) == 2:
            break
        if len(output.shape) == 4:
            last = output
    if last is None:
        raise UsageError(
            f"{name} has no layer to cut at: no layer on every path has an output "
            "(height, width, channels).",
            hint="Use a convolutional network, not one that works on tokens.",
        )
    return last


def _scaler(model: keras.Model) -> str:
    """Return the layer that scales the pixels before the first weights, or ""."""
    for operation in trunk(model):
        single = len(parents(operation)) == 1
        arithmetic = type(operation).__name__ in ARITHMETIC and single
        if isinstance(operation, SCALERS) or arithmetic:
            return str(operation.name)
        if getattr(operation, "weights", ()):
            break
    return ""


def _preprocessing(
    backbone: Backbone, given: str | None, preset: Preprocessing | None
) -> Preprocessing:
    if preset is not None:
        if given is not None:
            raise UsageError(
                f"{backbone.name} has its own preprocessing.",
                hint=f"Remove --preprocessing {given}.",
            )
        return preset
    if given is not None:
        return PREPROCESSINGS[given]
    if backbone.scaler:
        return NONE
    raise UsageError(
        f"{backbone.name} does not scale its pixels, so its preprocessing must be "
        "given.",
        hint="Add --preprocessing none (0 to 255), tf (-1 to 1), torch (ImageNet's "
        "mean and deviation) or caffe (BGR minus the mean), as it was trained.",
    )
