"""A Keras weights file in, its arrays matched with the layers of a body out."""

from __future__ import annotations

import zipfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import h5py
import keras
import numpy as np

from tlkit.backbones.cut_points import body_operations
from tlkit.backbones.graph import snake_case, unique_name
from tlkit.errors import UsageError, WeightsError
from tlkit.files import not_a_file

# A classification top has one layer with weights, VGG's three.
TOP_LAYERS = 3


@dataclass(frozen=True)
class Piece:
    """What a file holds for one layer.

    Args:
        layer: Where it belongs; a layer of the body or one inside a Sequential of it.
        owner: The layer of the body: itself or that Sequential.
        variables: Of the layer, in the order of `datasets`.
        stored: Name of the place in the file.
        datasets: The values in the file, read or not yet.
    """

    layer: keras.layers.Layer
    owner: keras.layers.Layer
    variables: tuple[keras.Variable, ...]
    stored: str
    datasets: tuple[h5py.Dataset | np.ndarray, ...]

    def read(self, path: Path) -> list[np.ndarray]:
        """The values, from disk."""
        try:
            return [np.asarray(dataset) for dataset in self.datasets]
        except OSError as error:
            raise WeightsError(
                f"{path}: the weights of {self.layer.name!r} cannot be read: {error}",
                hint="The file is damaged or cut short; get it again.",
            ) from error


@contextmanager
def open_weights(path: Path) -> Iterator[h5py.File]:
    """An HDF5 file, or an error that says what it is instead."""
    if kind := not_a_file(path):
        raise UsageError(
            f"The weights file {path} is {kind}.",
            hint="Expected an .h5 or .weights.h5 file.",
        )
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise WeightsError(
            f"{path} is not a readable HDF5 file: {_looks_like(path, error)}",
            hint="Expected weights as Keras publishes them (.h5) or as "
            "model.save_weights('NAME.weights.h5') writes them.",
        ) from error
    with file:
        yield file


def _looks_like(path: Path, error: OSError) -> str:
    if isinstance(error, PermissionError):
        return "no permission to read it."
    if path.stat().st_size == 0:
        return "it is empty."
    if zipfile.is_zipfile(path):
        return "it is a zip archive, perhaps a whole model (.keras)."
    if path.read_bytes()[:8] == b"\x89HDF\r\n\x1a\n":
        return "it is damaged or cut short."
    return "it is something else."


def read_pieces(
    file: h5py.File,
    path: Path,
    backbone: str,
    body: keras.Model,
    cut_body: keras.Model,
) -> list[Piece]:
    """Match a file with a body, layer by layer, and check every shape."""
    group = file.get("model_weights", file)
    if _is_legacy(group):
        pieces = _legacy(group, path, backbone, body, cut_body)
    elif "layers" in group:
        pieces = _keras3(group["layers"], path, backbone, body, cut_body)
    else:
        raise WeightsError(
            f"{path} is an HDF5 file but holds no Keras weights: neither 'layer_names' "
            "nor 'layers' is in it.",
            hint="Expected .h5 as Keras publishes it or .weights.h5 of Keras 3.",
        )
    for piece in pieces:
        _check_shapes(piece, path, backbone)
    return pieces


def keras_fault(file: h5py.File, name: str, body: keras.Model) -> str:
    """Why Keras itself could not read a file by this name.

    It goes by the name, and counts layers, where `read_pieces` finds its way.

    Args:
        file: Weights that `read_pieces` may or may not take.
        name: Which it is to have.
        body: What it is to fill, to the last layer.

    Returns:
        What is wrong, empty if nothing is.
    """
    group = file.get("model_weights", file)
    legacy = _is_legacy(group)
    if legacy == name.endswith(".weights.h5"):
        return f"it is in Keras' {'older' if legacy else 'newer'} layout"
    if legacy:
        stored, wanted = len(_stored(group)), len(_with_weights(body))
        if stored != wanted:
            return f"it has {stored} layers with weights instead of {wanted}"
    return ""


def _is_legacy(group: h5py.Group) -> bool:
    return "layer_names" in group.attrs or "layer_names0" in group.attrs


def _layers(model: keras.Model) -> list[keras.layers.Layer]:
    return [
        one for one in body_operations(model) if isinstance(one, keras.layers.Layer)
    ]


def _legacy(
    group: h5py.Group,
    path: Path,
    backbone: str,
    body: keras.Model,
    cut_body: keras.Model,
) -> list[Piece]:
    # By order, as Keras reads this layout: names in it are not stable.
    stored = _stored(group)
    layers = _with_weights(body)
    if len(stored) != len(layers) and len(stored) == len(_with_weights(cut_body)):
        layers = _with_weights(cut_body)
    pieces = [
        Piece(layer, layer, tuple(layer.weights), name, datasets)
        for layer, (name, datasets) in zip(layers, stored, strict=False)
    ]
    # A top comes after the body. More than that, or less, is another network; the
    # first layer that does not fit then says more than the count.
    if not 0 <= len(stored) - len(layers) <= TOP_LAYERS:
        for piece in pieces:
            _check_shapes(piece, path, backbone)
        raise WeightsError(
            f"{path} has {len(stored)} layers with weights, {backbone} has "
            f"{len(layers)}.",
            hint="Is it the file of another backbone?",
        )
    return pieces


def _stored(group: h5py.Group) -> list[tuple[str, tuple[h5py.Dataset, ...]]]:
    """The layers with weights in Keras' older layout, in their order."""
    stored = []
    for name in _attribute(group, "layer_names"):
        names = _attribute(group[name], "weight_names")
        if names:
            stored.append((name, tuple(group[name][one] for one in names)))
    return stored


def _attribute(group: h5py.Group, name: str) -> list[str]:
    # Keras writes a long list in chunks: name0, name1, ...
    chunks = [name] if name in group.attrs else []
    while not chunks or chunks[0] != name:
        chunk = f"{name}{len(chunks)}"
        if chunk not in group.attrs:
            break
        chunks.append(chunk)
    values = [value for chunk in chunks for value in group.attrs[chunk]]
    return [value.decode() if isinstance(value, bytes) else value for value in values]


def _keras3(
    group: h5py.Group,
    path: Path,
    backbone: str,
    body: keras.Model,
    cut_body: keras.Model,
) -> list[Piece]:
    # By kind and number of the layer, as Keras 3 names them in the file.
    stored = _count_stored(group)
    model = body
    if stored != _count(body) and stored == _count(cut_body):
        model = cut_body
    return list(_keras3_pieces(group, _layers(model), path, backbone))


def _keras3_pieces(
    group: h5py.Group, layers: list[keras.layers.Layer], path: Path, backbone: str
) -> Iterator[Piece]:
    used: Counter[str] = Counter()
    for layer in layers:
        name = unique_name(snake_case(layer), used)
        if not layer.weights:
            continue
        if name not in group:
            raise WeightsError(
                f"{path} has nothing for the layer {layer.name!r} of {backbone}: "
                f"{group.name}/{name} is not in it.",
                hint="Is it the file of another backbone, or of a part of this one?",
            )
        stored = group[name]
        if isinstance(layer, keras.Sequential):
            inside = _keras3_pieces(stored["layers"], layer.layers, path, backbone)
            yield from (replace(piece, owner=layer) for piece in inside)
            continue
        values = stored.get("vars", {})
        datasets = tuple(values[str(i)] for i in range(len(values)))
        yield Piece(layer, layer, tuple(layer.weights), stored.name, datasets)


def _count(model: keras.Model) -> int:
    # Layers with weights of their own, those inside a Sequential counted singly.
    layers = _layers(model)
    nested = [one for one in layers if isinstance(one, keras.Sequential)]
    inside = [layer for one in nested for layer in one.layers]
    return sum(bool(layer.weights) for layer in (*layers, *inside)) - len(nested)


def _count_stored(group: h5py.Group) -> int:
    held = 0
    for name in group:
        if "layers" in group[name]:
            held += _count_stored(group[name]["layers"])
        elif "vars" in group[name] and len(group[name]["vars"]):
            held += 1
    return held


def _with_weights(model: keras.Model) -> list[keras.layers.Layer]:
    return [layer for layer in _layers(model) if layer.weights]


def _check_shapes(piece: Piece, path: Path, backbone: str) -> None:
    wanted = [tuple(variable.shape) for variable in piece.variables]
    came = [tuple(dataset.shape) for dataset in piece.datasets]
    if wanted != came:
        raise WeightsError(
            f"{path} does not fit {backbone}: the layer {piece.layer.name!r} needs "
            f"weights of shape {_shapes(wanted)}, the file has {_shapes(came)} at "
            f"{piece.stored!r}.",
            hint="Is it the file of another backbone?",
        )


def _shapes(shapes: list[tuple[int, ...]]) -> str:
    return ", ".join(str(shape) for shape in shapes) or "nothing"
