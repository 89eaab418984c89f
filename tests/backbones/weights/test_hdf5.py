"""Weights files that take data from other files."""

from __future__ import annotations

from pathlib import Path

import h5py
import keras
import numpy as np
import pytest

from tlkit.backbones.weights.hdf5 import open_weights
from tlkit.errors import WeightsError

KINDS = {
    "external link": "an external link to ",
    "external storage": "external storage in ",
    "virtual dataset": "a virtual dataset",
}


def replace_kernel(file: h5py.File, name: str, kind: str, private: Path) -> None:
    """Make the values of a dataset come from another file."""
    old = file[name]
    shape, dtype = old.shape, old.dtype
    del file[name]
    if kind == "external link":
        file[name] = h5py.ExternalLink(private, "secret")
    elif kind == "external storage":
        size = int(np.prod(shape)) * dtype.itemsize
        file.create_dataset(name, shape, dtype, external=[(str(private), 0, size)])
    else:
        layout = h5py.VirtualLayout(shape, dtype)
        layout[:] = h5py.VirtualSource(private, "secret", shape)
        file.create_virtual_dataset(name, layout)


def write_private(path: Path, shape: tuple[int, ...]) -> Path:
    with h5py.File(path, "w") as file:
        file["secret"] = np.ones(shape, "float32")
    return path


@pytest.fixture
def weights(tmp_path):
    """The weights of one dense layer, and the name of its kernel in them."""
    image = keras.Input((3,))
    keras.Model(image, keras.layers.Dense(2)(image)).save_weights(
        tmp_path / "w.weights.h5"
    )
    return tmp_path / "w.weights.h5", "layers/dense/vars/0"


@pytest.mark.parametrize("kind", KINDS)
def test_data_of_other_files_is_refused(tmp_path, weights, kind):
    """HDF5 would read any file of the user's for it (CVE-2026-1669)."""
    path, name = weights
    private = write_private(tmp_path / "private.h5", (3, 2))
    with h5py.File(path, "a") as file:
        replace_kernel(file, name, kind, private)
    with (
        pytest.raises(WeightsError, match="takes data from another file") as caught,
        open_weights(path),
    ):
        pass
    assert f"{name!r} is {KINDS[kind]}" in caught.value.message


def test_links_within_a_file_are_read(weights):
    path, name = weights
    with h5py.File(path, "a") as file:
        file["again"] = file[name]
        file["soft"] = h5py.SoftLink(f"/{name}")
        file["layers/loop"] = file["layers"]
    with open_weights(path) as file:
        np.testing.assert_array_equal(file["soft"], file[name])
