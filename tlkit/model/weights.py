"""A weights file goes into a body; what does not fit or is damaged is named.

Only layers at or below the cut are loaded and checked for NaN: a file may be valid up
to some layer only. Random weights never stand in for pretrained ones.
"""

from __future__ import annotations

import hashlib
import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import keras
import numpy as np

from tlkit.errors import WeightsError
from tlkit.model import own
from tlkit.model.body import give_memory, give_value
from tlkit.model.cut import body_operations, cuttable
from tlkit.model.published import PUBLISHED
from tlkit.model.weights_file import Piece, open_weights, read_pieces

if TYPE_CHECKING:
    from tlkit.model.backbones import Backbone

IMAGENET = "imagenet"
RANDOM = "none"
BROUGHT = "own"

# Seconds without an answer before a download counts as failed.
TIMEOUT = 30.0


def load_weights(
    backbone: Backbone, body: keras.Model, cut_body: keras.Model, weights: str
) -> None:
    """Fill a body, up to the cut, with the weights asked for.

    Args:
        backbone: Which body it is.
        body: All of it; the whole file must fit it.
        cut_body: The part in use, sharing its layers with `body`.
        weights: "imagenet", "none" (the body stays as it is), "own" (those that a
            network of the user's own brings along) or the path of a file: legacy Keras
            HDF5 (`.h5`) or Keras 3 (`.weights.h5`), with or without top.

    Raises:
        WeightsError: If the file is missing, cannot be had, cannot be read, does not
            fit the backbone, or has NaN or infinity at or below the cut.
    """
    if weights == RANDOM:
        return
    if weights == BROUGHT:
        _assign(own.pieces(backbone, body), cut_body, Path(backbone.name), backbone)
    else:
        path = imagenet_file(backbone) if weights == IMAGENET else Path(weights)
        with open_weights(path) as file:
            pieces = read_pieces(file, path, backbone.name, body, cut_body)
            _assign(pieces, cut_body, path, backbone)
    give_memory(cut_body)
    if backbone.name.startswith("EfficientNetB"):
        _mend_efficientnet(cut_body)


def cache_folder() -> Path:
    """Returns where Keras keeps weights: KERAS_HOME/models or ~/.keras/models."""
    home = os.environ.get("KERAS_HOME")
    return (Path(home) if home else Path.home() / ".keras") / "models"


def imagenet_file(backbone: Backbone) -> Path:
    """The published ImageNet weights of a backbone, downloaded if not in the cache.

    Args:
        backbone: Row of the table.

    Returns:
        The file in the Keras cache.

    Raises:
        WeightsError: If none are published, or the file is neither in the cache nor
            can be downloaded.
    """
    if backbone.name not in PUBLISHED:
        raise WeightsError(
            f"{backbone.name} has no ImageNet weights here: it is a small network "
            "to be trained from scratch.",
            hint="Use --weights none, or another backbone.",
        )
    published = PUBLISHED[backbone.name]
    wanted = cache_folder() / published.file
    if wanted.is_file():
        return wanted
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(TIMEOUT)
    try:
        keras.utils.get_file(
            published.file,
            published.url,
            cache_dir=str(wanted.parent.parent),
            cache_subdir=wanted.parent.name,
            file_hash=published.digest or None,
        )
    # Keras turns what urllib raises into a bare Exception.
    except Exception as error:
        wanted.unlink(missing_ok=True)
        raise WeightsError(
            f"The ImageNet weights of {backbone.name} are not in the cache and could "
            f"not be downloaded: {error}",
            hint=f"Put {published.file} into {wanted.parent} (it is published at "
            f"{published.url}), or name a file with --weights PATH, or train from "
            "random weights with --weights none.",
        ) from error
    finally:
        socket.setdefaulttimeout(before)
    return wanted


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
    digest = hashlib.sha256()
    for layer in layers:
        for weight in layer.weights:
            value = np.ascontiguousarray(weight.numpy())
            digest.update(f"{layer.name}/{weight.name} {value.shape}\n".encode())
            digest.update(value.astype(value.dtype.newbyteorder("<")).tobytes())
    return digest.hexdigest()


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
        else "No part of this file can be used; get it anew.",
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
