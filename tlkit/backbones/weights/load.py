"""A weights file goes into a body; what does not fit or is damaged is named.

Only layers at or below the cut are loaded and checked for NaN: a file may be valid up
to some layer only. Random weights never stand in for pretrained ones.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import keras
import numpy as np

from tlkit.backbones import custom
from tlkit.backbones.cut_points import body_operations, cuttable
from tlkit.backbones.graph import give_memory, give_value
from tlkit.backbones.registry import BROUGHT, IMAGENET, OWN, RANDOM, Backbone
from tlkit.backbones.weights.download import fetch_command, imagenet_file
from tlkit.backbones.weights.hdf5 import Piece, open_weights, read_pieces
from tlkit.backbones.weights.sources import NANO_FILE
from tlkit.errors import WeightsError


def load_weights(
    backbone: Backbone, body: keras.Model, cut_body: keras.Model, weights: str
) -> None:
    """Fill a body, up to the cut, with the weights asked for.

    Args:
        backbone: Which body it is.
        body: All of it; the whole file must fit it.
        cut_body: The part in use, sharing its layers with `body`.
        weights: "imagenet", "none" (the body stays as it is), "own" (those that the
            network brings along) or the path of a file: legacy Keras HDF5 (`.h5`) or
            Keras 3 (`.weights.h5`), with or without top.

    Raises:
        WeightsError: If the file is missing, cannot be had, cannot be read, does not
            fit the backbone, or has NaN or infinity at or below the cut.
    """
    if weights == RANDOM:
        return
    if weights == BROUGHT and backbone.builder == OWN:
        _assign(custom.pieces(backbone, body), cut_body, Path(backbone.name), backbone)
    else:
        path = _file(backbone, weights)
        try:
            with open_weights(path) as file:
                pieces = read_pieces(file, path, backbone.name, body, cut_body)
                _assign(pieces, cut_body, path, backbone)
        except WeightsError as error:
            if weights != IMAGENET:
                raise
            # Nobody has named this file, so its form is nobody's to mend.
            raise WeightsError(
                error.message, hint=fetch_command(backbone), valid_to=error.valid_to
            ) from error
    give_memory(cut_body)
    if backbone.name.startswith("EfficientNetB"):
        _mend_efficientnet(cut_body)


def _file(backbone: Backbone, weights: str) -> Path:
    if weights == BROUGHT:
        return NANO_FILE
    return imagenet_file(backbone) if weights == IMAGENET else Path(weights)


def weights_digest(model: keras.Model) -> str:
    """SHA-256 over names and values of all weights of a body.

    Args:
        model: A body behind its preprocessing.

    Returns:
        64 hex digits; the same for the same values, whatever file they came from.
    """
    return layers_digest(
        [one for one in body_operations(model) if isinstance(one, keras.layers.Layer)]
    )


def layers_digest(layers: list[keras.layers.Layer]) -> str:
    """Returns the SHA-256 of names and values of all weights of some layers."""
    checksum = hashlib.sha256()
    for layer in layers:
        for weight in layer.weights:
            value = np.ascontiguousarray(weight.numpy())
            checksum.update(f"{layer.name}/{weight.name} {value.shape}\n".encode())
            checksum.update(value.astype(value.dtype.newbyteorder("<")).tobytes())
    return checksum.hexdigest()


def _assign(
    pieces: list[Piece], cut_body: keras.Model, path: Path, backbone: Backbone
) -> None:
    order = {id(one): i for i, one in enumerate(cut_body.operations)}
    used = [piece for piece in pieces if id(piece.owner) in order]
    filled = {id(variable) for piece in used for variable in piece.variables}
    for layer in body_operations(cut_body):
        if not filled.issuperset(id(one) for one in getattr(layer, "weights", ())):
            raise WeightsError(f"{path} has no weights for the layer {layer.name!r}.")
    for piece in sorted(used, key=lambda piece: order[id(piece.owner)]):
        for variable, array in zip(piece.variables, piece.read(path), strict=True):
            if not np.isfinite(array).all():
                raise _not_finite(piece, path, cut_body, backbone)
            give_value(variable, array)
        if isinstance(piece.layer, keras.layers.Normalization):
            piece.layer.finalize_state()


def _not_finite(
    piece: Piece, path: Path, cut_body: keras.Model, backbone: Backbone
) -> WeightsError:
    order = {id(one): i for i, one in enumerate(cut_body.operations)}
    # All layers before a cut point lie below it, so those before the first bad layer
    # hold good weights only.
    valid = [
        point.name
        for point in cuttable(cut_body)
        if order[id(point)] < order[id(piece.owner)]
    ]
    listed = [name for name in valid if name in backbone.cuts]
    last = (listed or valid)[-1:]
    return WeightsError(
        f"{path}: the layer {piece.layer.name!r} (in the file: {piece.stored!r}) has "
        f"NaN or infinite weights, and the cut "
        f"{cut_body.output._keras_history.operation.name!r} needs it.",
        hint=f"The file is valid up to --cut {last[0]}."
        if last
        else "No part of this file can be used; get it again.",
        valid_to=valid[-1] if valid else "",
    )


def _mend_efficientnet(cut_body: keras.Model) -> None:
    """Divide by the square root of the standard deviation, as training did.

    EfficientNetB0 to B7 were trained on (x - mean) / variance, while the Normalization
    layer divides by the square root of its variance. Keras adds a layer that makes up
    for it if asked for "imagenet" but not for the same file by path. Here it goes into
    the stored variance, so that both are the same network.
    """
    layer = cut_body.get_layer("normalization")
    deviation = np.array([0.229, 0.224, 0.225], dtype="float32")
    variance = layer.adapt_variance.numpy()
    if np.allclose(variance, deviation**2, rtol=1e-3):
        layer.adapt_variance.assign(variance * deviation)
        layer.finalize_state()
