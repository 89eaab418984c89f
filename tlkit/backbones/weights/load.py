"""The loading of weights into a backbone.

Only layers at or below the cut are loaded and checked for NaN: a file may be valid up
to some layer only. Random weights never stand in for pretrained ones.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import keras
import numpy as np

from tlkit.backbones.cut_points import backbone_operations, cut_operations
from tlkit.backbones.graph import initialize_rest, producer, set_value
from tlkit.backbones.spec import IMAGENET, OWN, RANDOM, Backbone
from tlkit.backbones.weights.download import download_command, imagenet_file
from tlkit.backbones.weights.hdf5 import LayerWeights, open_weights, read_layers
from tlkit.backbones.weights.sources import NANO_FILE
from tlkit.errors import WeightsError


def load_weights(
    backbone: Backbone, model: keras.Model, cut_model: keras.Model, weights: str
) -> None:
    """Fill a backbone, up to the cut, with weights.

    Args:
        backbone: The one that was built.
        model: All of it; the whole file must fit it.
        cut_model: The part in use, which shares its layers with `model`.
        weights: "imagenet", "none" (the model is left as it is), "own" (those that the
            backbone brings) or the path of a file: legacy Keras HDF5 (`.h5`) or Keras 3
            (`.weights.h5`), with or without top.

    Raises:
        WeightsError: The file is missing, cannot be downloaded or read, takes data from
            others, does not fit, or has NaN or infinity at or below the cut.
        UsageError: There is no such file.
    """
    if weights == RANDOM:
        return
    if weights == OWN and backbone.read_weights:
        layers = backbone.read_weights(backbone, model)
        _assign(layers, cut_model, Path(backbone.name), backbone)
    else:
        path = _file(backbone, weights)
        try:
            with open_weights(path) as file:
                layers = read_layers(file, path, backbone.name, model, cut_model)
                _assign(layers, cut_model, path, backbone)
        except WeightsError as error:
            if weights != IMAGENET:
                raise
            # The user has not chosen this file, so a hint about its form is of no use.
            raise WeightsError(
                error.message, hint=download_command(backbone), valid_to=error.valid_to
            ) from error
    initialize_rest(cut_model)
    if backbone.name.startswith("EfficientNetB"):
        _fix_efficientnet(cut_model)


def _file(backbone: Backbone, weights: str) -> Path:
    if weights == OWN:
        return NANO_FILE
    return imagenet_file(backbone) if weights == IMAGENET else Path(weights)


def layers_checksum(layers: list[keras.layers.Layer]) -> str:
    """Return the SHA-256 of names and values of all weights of some layers.

    Args:
        layers: In order; the checksum depends on it.

    Returns:
        64 hex digits; the same for the same values, whatever file they came from.
    """
    checksum = hashlib.sha256()
    for layer in layers:
        for weight in layer.weights:
            value = np.ascontiguousarray(weight.numpy())
            checksum.update(f"{layer.name}/{weight.name} {value.shape}\n".encode())
            checksum.update(value.astype(value.dtype.newbyteorder("<")).tobytes())
    return checksum.hexdigest()


def weights_checksum(model: keras.Model) -> str:
    """Return the `layers_checksum` of a backbone, without its preprocessing.

    Args:
        model: A backbone behind its preprocessing.

    Returns:
        64 hex digits.
    """
    operations = backbone_operations(model)
    return layers_checksum(
        [one for one in operations if isinstance(one, keras.layers.Layer)]
    )


def _assign(
    layers: list[LayerWeights], cut_model: keras.Model, path: Path, backbone: Backbone
) -> None:
    order = {id(one): i for i, one in enumerate(cut_model.operations)}
    used = [one for one in layers if id(one.owner) in order]
    filled = {id(variable) for one in used for variable in one.variables}
    for layer in backbone_operations(cut_model):
        if not filled.issuperset(id(one) for one in getattr(layer, "weights", ())):
            raise WeightsError(f"{path} has no weights for the layer {layer.name!r}.")
    for one in sorted(used, key=lambda one: order[id(one.owner)]):
        for variable, array in zip(one.variables, one.read(path), strict=True):
            if not np.isfinite(array).all():
                raise _not_finite(one, path, cut_model, backbone)
            set_value(variable, array)
        if isinstance(one.layer, keras.layers.Normalization):
            one.layer.finalize_state()


def _not_finite(
    bad: LayerWeights, path: Path, cut_model: keras.Model, backbone: Backbone
) -> WeightsError:
    order = {id(one): i for i, one in enumerate(cut_model.operations)}
    # All layers before a cut point lie below it, so those before the first bad layer
    # hold finite weights only.
    valid = [
        point.name
        for point in cut_operations(cut_model)
        if order[id(point)] < order[id(bad.owner)]
    ]
    listed = [name for name in valid if name in backbone.cuts]
    last = (listed or valid)[-1:]
    return WeightsError(
        f"{path}: the layer {bad.layer.name!r} (in the file: {bad.stored!r}) has NaN "
        f"or infinite weights, and the cut {producer(cut_model.output).name!r} needs "
        "it.",
        hint=f"The file is valid up to --cut {last[0]}."
        if last
        else "No part of this file can be used; get it again.",
        valid_to=valid[-1] if valid else "",
    )


def _fix_efficientnet(cut_model: keras.Model) -> None:
    """Divide by the square root of the standard deviation, as in its training.

    EfficientNetB0 to B7 were trained on (x - mean) / variance, while the Normalization
    layer divides by the square root of its variance. For "imagenet" Keras adds a layer
    that compensates, but not for the same file by path. Here the stored variance is
    changed, so that both are the same network.
    """
    layer = cut_model.get_layer("normalization")
    deviation = np.array([0.229, 0.224, 0.225], dtype="float32")
    variance = layer.adapt_variance.numpy()
    if np.allclose(variance, deviation**2, rtol=1e-3):
        layer.adapt_variance.assign(variance * deviation)
        layer.finalize_state()
