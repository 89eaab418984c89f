"""Keras weights files, their arrays matched with the layers of a backbone."""

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

from tlkit.backbones.cut_points import backbone_operations
from tlkit.backbones.graph import automatic_name, unique_name
from tlkit.errors import UsageError, WeightsError
from tlkit.files import not_a_file

# A classification top has one layer with weights, VGG's three.
TOP_LAYERS = 3
DAMAGED = "Get the file again: it is damaged or cut short."
OTHER = "Check that it is a file of this backbone, and of all of it up to the cut."


@dataclass(frozen=True)
class LayerWeights:
    """The content of a file for one layer.

    Attributes:
        layer: A layer of the backbone, or one inside a Sequential of it.
        owner: The layer of the backbone: `layer` or that Sequential.
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
        """Read the values from disk."""
        try:
            return [np.asarray(dataset) for dataset in self.datasets]
        except OSError as error:
            raise WeightsError(
                f"{path}: the weights of {self.layer.name!r} cannot be read: {error}",
                hint=DAMAGED,
            ) from error


@contextmanager
def open_weights(path: Path) -> Iterator[h5py.File]:
    """Open an HDF5 file that holds all its data itself."""
    if kind := not_a_file(path):
        raise UsageError(
            f"The weights file {path} is {kind}.",
            hint="Use an .h5 or .weights.h5 file.",
        )
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise WeightsError(
            f"{path} is not a readable HDF5 file: {_diagnose(path, error)}",
            hint="Use weights as Keras publishes them (.h5) or as "
            "model.save_weights('NAME.weights.h5') writes them.",
        ) from error
    with file:
        refuse_links(file, path)
        yield file


def _diagnose(path: Path, error: OSError) -> str:
    if isinstance(error, PermissionError):
        return "no permission to read it."
    if path.stat().st_size == 0:
        return "it is empty."
    if zipfile.is_zipfile(path):
        return "it is a zip archive, perhaps a whole model (.keras)."
    if path.read_bytes()[:8] == b"\x89HDF\r\n\x1a\n":
        return "it is damaged or cut short."
    return "it is something else."


def refuse_links(file: h5py.File, path: Path) -> None:
    """Refuse a file that takes data from others, such as a user's private ones."""

    # HDF5 follows all three to any path that the process can read (CVE-2026-1669).
    def fault(name: str, link: object) -> str | None:
        entry = file[name] if isinstance(link, h5py.HardLink) else None
        kind = ""
        if isinstance(link, h5py.ExternalLink):
            kind = f"an external link to {link.filename}"
        elif isinstance(entry, h5py.Dataset) and entry.external:
            kind = f"external storage in {entry.external[0][0]}"
        elif isinstance(entry, h5py.Dataset) and entry.is_virtual:
            kind = "a virtual dataset"
        # Anything but None ends the visit; h5py does not pass on exceptions from here.
        return f"{name!r} is {kind}" if kind else None

    if found := file.visititems_links(fault):
        raise WeightsError(
            f"{path} takes data from another file: {found}.",
            hint="Use a file that holds all its weights itself.",
        )


def read_layers(
    file: h5py.File,
    path: Path,
    backbone: str,
    model: keras.Model,
    cut_model: keras.Model,
) -> list[LayerWeights]:
    """Match a file with a backbone, layer by layer, and check every shape."""
    group = file.get("model_weights", file)
    if _is_legacy(group):
        matched = _match_legacy(group, path, backbone, model, cut_model)
    elif "layers" in group:
        # A file may end at the cut.
        stored = _count_stored(group["layers"])
        whole = stored == _count(model) or stored != _count(cut_model)
        layers = _layers(model if whole else cut_model)
        matched = list(_match_keras3(group["layers"], layers, path, backbone))
    else:
        raise WeightsError(
            f"{path} is an HDF5 file but holds no Keras weights: neither 'layer_names' "
            "nor 'layers' is in it.",
            hint="Use .h5 as Keras publishes it or .weights.h5 of Keras 3.",
        )
    for one in matched:
        _check_shapes(one, path, backbone)
    return matched


def keras_fault(file: h5py.File, name: str, model: keras.Model) -> str:
    """Return why Keras itself could not read a file by this name, or "".

    Keras goes by the name and counts layers, where `read_layers` takes either layout.
    """
    group = file.get("model_weights", file)
    legacy = _is_legacy(group)
    if legacy == name.endswith(".weights.h5"):
        return f"it is in Keras' {'older' if legacy else 'newer'} layout"
    if legacy:
        stored, expected = len(_stored(group)), len(_with_weights(model))
        if stored != expected:
            return f"it has {stored} layers with weights instead of {expected}"
    return ""


def _layers(model: keras.Model) -> list[keras.layers.Layer]:
    return [
        one for one in backbone_operations(model) if isinstance(one, keras.layers.Layer)
    ]


def _with_weights(model: keras.Model) -> list[keras.layers.Layer]:
    return [layer for layer in _layers(model) if layer.weights]


def _is_legacy(group: h5py.Group) -> bool:
    return "layer_names" in group.attrs or "layer_names0" in group.attrs


def _match_legacy(
    group: h5py.Group,
    path: Path,
    backbone: str,
    model: keras.Model,
    cut_model: keras.Model,
) -> list[LayerWeights]:
    # By order, as Keras reads this layout: names in it are not stable.
    stored = _stored(group)
    layers = _with_weights(model)
    if len(stored) != len(layers) and len(stored) == len(_with_weights(cut_model)):
        layers = _with_weights(cut_model)
    matched = [
        LayerWeights(layer, layer, tuple(layer.weights), name, datasets)
        for layer, (name, datasets) in zip(layers, stored, strict=False)
    ]
    # A top comes after the backbone. More or less than that is another network, and
    # the first layer that does not fit is a better message than the count.
    if not 0 <= len(stored) - len(layers) <= TOP_LAYERS:
        for one in matched:
            _check_shapes(one, path, backbone)
        raise WeightsError(
            f"{path} has {len(stored)} layers with weights, {backbone} has "
            f"{len(layers)}.",
            hint=OTHER,
        )
    return matched


def _stored(group: h5py.Group) -> list[tuple[str, tuple[h5py.Dataset, ...]]]:
    """Return the layers with weights in Keras' older layout, in their order."""
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


def _match_keras3(
    group: h5py.Group, layers: list[keras.layers.Layer], path: Path, backbone: str
) -> Iterator[LayerWeights]:
    # By kind and number of the layer, as Keras 3 names them in the file.
    used: Counter[str] = Counter()
    for layer in layers:
        name = unique_name(automatic_name(layer), used)
        if not layer.weights:
            continue
        if name not in group:
            raise WeightsError(
                f"{path} has nothing for the layer {layer.name!r} of {backbone}: "
                f"{group.name}/{name} is not in it.",
                hint=OTHER,
            )
        stored = group[name]
        if isinstance(layer, keras.Sequential):
            inside = _match_keras3(stored["layers"], layer.layers, path, backbone)
            yield from (replace(one, owner=layer) for one in inside)
            continue
        values = stored.get("vars", {})
        datasets = tuple(values[str(i)] for i in range(len(values)))
        yield LayerWeights(layer, layer, tuple(layer.weights), stored.name, datasets)


def _count(model: keras.Model) -> int:
    # Layers with weights of their own, those inside a Sequential counted singly.
    layers = _layers(model)
    nested = [one for one in layers if isinstance(one, keras.Sequential)]
    inside = [layer for one in nested for layer in one.layers]
    return sum(bool(layer.weights) for layer in (*layers, *inside)) - len(nested)


def _count_stored(group: h5py.Group) -> int:
    count = 0
    for name in group:
        if "layers" in group[name]:
            count += _count_stored(group[name]["layers"])
        elif "vars" in group[name] and len(group[name]["vars"]):
            count += 1
    return count


def _check_shapes(one: LayerWeights, path: Path, backbone: str) -> None:
    expected = [tuple(variable.shape) for variable in one.variables]
    found = [tuple(dataset.shape) for dataset in one.datasets]
    if expected != found:
        raise WeightsError(
            f"{path} does not fit {backbone}: the layer {one.layer.name!r} needs "
            f"weights of shape {_shapes(expected)}, the file has {_shapes(found)} at "
            f"{one.stored!r}.",
            hint=OTHER,
        )


def _shapes(shapes: list[tuple[int, ...]]) -> str:
    return ", ".join(str(shape) for shape in shapes) or "nothing"
