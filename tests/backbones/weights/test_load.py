"""Weights files, whole, damaged, foreign: made here, and the shared real ones."""

from __future__ import annotations

import importlib
import os
import shutil
import zipfile
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest

from tests.backbones.test_table import FROM_SCRATCH
from tlkit.backbones.cut_points import backbone_operations, find_cut
from tlkit.backbones.graph import build_backbone, output_of
from tlkit.backbones.registry import find
from tlkit.backbones.scratch.small_cnn import small_cnn
from tlkit.backbones.spec import Backbone
from tlkit.backbones.weights.load import load_weights, weights_checksum
from tlkit.errors import UsageError, WeightsError

MOBILENET = "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5"
INCEPTION = "inception_v3_to_mixed8_notop.weights.h5"
VGG = "vgg16_to_block3_notop.h5"
SMALL_LAYERS = [f"block{i}_conv1" for i in (1, 2, 3, 4)]


def load(
    backbone: Backbone, path: Path | str, cut: str | None = None, size: int = 0
) -> keras.Model:
    """The cut network, loaded onto weights of another seed than those saved here."""
    network = build_backbone(backbone, size or backbone.min_size, seed=99)
    operation = find_cut(network, cut or backbone.cuts[-1], backbone.name)
    part = keras.Model(network.inputs[0], output_of(operation))
    load_weights(backbone, network, part, str(path))
    return part


def small(seed: int = 1) -> keras.Model:
    """A SmallCNN network as Keras would have it, without our preprocessing."""
    pixels = keras.Input((32, 32, 3))
    keras.utils.set_random_seed(seed)
    return keras.Model(pixels, small_cnn(pixels))


def write_legacy(path: Path, layers: dict[str, list[np.ndarray]]) -> Path:
    """Weights in the layout that keras.applications publishes."""
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = np.array(list(layers), dtype="S")
        for name, arrays in layers.items():
            group = file.create_group(name)
            names = [f"{name}/w{i}" for i in range(len(arrays))]
            group.attrs["weight_names"] = np.array(names, dtype="S")
            for inner, array in zip(names, arrays, strict=True):
                group[inner] = array
    return path


def layer_arrays(model: keras.Model) -> dict[str, list[np.ndarray]]:
    return {layer.name: layer.get_weights() for layer in model.layers}


def assert_same(part: keras.Model, expected: dict[str, list[np.ndarray]]) -> None:
    compared = 0
    for layer in part.layers:
        for ours, theirs in zip(
            layer.get_weights(), expected.get(layer.name, []), strict=False
        ):
            np.testing.assert_array_equal(ours, theirs)
            compared += 1
    assert compared == sum(len(layer.get_weights()) for layer in part.layers)


def test_both_layouts(tmp_path):
    model = small()
    legacy = write_legacy(tmp_path / "w.h5", layer_arrays(model))
    model.save_weights(tmp_path / "w.weights.h5")
    for path in (legacy, tmp_path / "w.weights.h5"):
        assert_same(load(find("small"), path), layer_arrays(model))


def test_the_checksum_is_of_the_values_not_of_the_file(tmp_path):
    model = small()
    legacy = write_legacy(tmp_path / "w.h5", layer_arrays(model))
    model.save_weights(tmp_path / "w.weights.h5")
    first = load(find("small"), legacy)
    second = load(find("small"), tmp_path / "w.weights.h5")
    assert len(weights_checksum(first)) == 64
    assert weights_checksum(first) == weights_checksum(second)
    assert weights_checksum(first) != weights_checksum(load(find("small"), "none"))
    shorter = load(find("small"), legacy, "block2")
    assert weights_checksum(shorter) != weights_checksum(first)


def test_names_in_chunks_as_keras_writes_long_lists(tmp_path):
    model = small()
    path = write_legacy(tmp_path / "w.h5", layer_arrays(model))
    with h5py.File(path, "a") as file:
        names = file.attrs["layer_names"]
        del file.attrs["layer_names"]
        file.attrs["layer_names0"], file.attrs["layer_names1"] = names[:3], names[3:]
    assert_same(load(find("small"), path), layer_arrays(model))


def test_whole_legacy_model_and_top(tmp_path):
    model = small()
    top = keras.layers.Dense(5, name="predictions")(
        keras.layers.Flatten()(model.outputs[0])
    )
    with_top = keras.Model(model.inputs[0], top)
    path = write_legacy(tmp_path / "top.h5", layer_arrays(with_top))
    assert_same(load(find("small"), path), layer_arrays(model))
    with h5py.File(path) as old, h5py.File(tmp_path / "model.h5", "w") as new:
        group = new.create_group("model_weights")
        group.attrs["layer_names"] = old.attrs["layer_names"]
        for name in old:
            old.copy(name, group)
    assert_same(load(find("small"), tmp_path / "model.h5"), layer_arrays(model))


@pytest.mark.parametrize("name", ["w.h5", "w.weights.h5"])
def test_a_file_up_to_the_cut_only(tmp_path, name: str):
    model = small()
    part = keras.Model(model.inputs[0], model.get_layer("block2").output)
    if name == "w.h5":
        write_legacy(tmp_path / name, layer_arrays(part))
    else:
        part.save_weights(tmp_path / name)
    assert_same(load(find("small"), tmp_path / name, "block2"), layer_arrays(part))
    with pytest.raises(WeightsError, match=r"2 layers with weights|nothing for"):
        load(find("small"), tmp_path / name)


@pytest.mark.parametrize("name", ["EfficientNetB0", "ConvNeXtTiny"])
def test_keras_writes_what_is_read(tmp_path, name: str):
    """Unusual layers: Normalization, nested Sequential, dropout seeds, layer scale."""
    row = find(name)
    theirs = getattr(keras.applications, name)(
        include_top=False, weights=None, input_shape=(32, 32, 3)
    )
    theirs.save_weights(tmp_path / "w.weights.h5")
    arrays = {layer.name: layer.get_weights() for layer in theirs.layers}
    write_legacy(tmp_path / "w.h5", arrays)
    x = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3)).astype("uint8")
    expected = np.asarray(theirs(x.astype("float32")))
    for file in ("w.weights.h5", "w.h5"):
        ours = np.asarray(load(row, tmp_path / file)(x))
        np.testing.assert_array_equal(ours, expected)


def test_efficientnet_is_fixed_once(tmp_path):
    """The variance becomes variance * deviation, so that its root divides as meant."""
    row = find("efficientnet")
    network = build_backbone(row, 32)
    layer = network.get_layer("normalization")
    mean = np.array([0.485, 0.456, 0.406], "float32")
    deviation = np.array([0.229, 0.224, 0.225], "float32")
    layer.set_weights([mean, deviation**2, np.array(0)])
    write_legacy(tmp_path / "w.h5", layer_arrays(network))
    x = np.random.default_rng(0).integers(0, 256, (1, 32, 32, 3)).astype("uint8")
    part = load(row, tmp_path / "w.h5", "normalization")
    # What Keras' own extra layer for "imagenet" does: divide by sqrt(deviation) again.
    expected = (x / 255 - mean) / deviation / np.sqrt(deviation)
    np.testing.assert_allclose(np.asarray(part(x)), expected, rtol=1e-4, atol=1e-5)
    fixed = layer_arrays(part)
    layer.set_weights(fixed["normalization"])
    write_legacy(tmp_path / "fixed.h5", layer_arrays(network))
    again = load(row, tmp_path / "fixed.h5", "normalization")
    np.testing.assert_array_equal(np.asarray(again(x)), np.asarray(part(x)))


@pytest.mark.slow
def test_efficientnet_is_that_of_keras_with_imagenet(tmp_path, monkeypatch):
    """Keras rescales once more for weights="imagenet"; so must a file by path."""
    theirs = keras.applications.EfficientNetB0(
        include_top=False, weights=None, input_shape=(32, 32, 3)
    )
    normalization = theirs.layers[2]
    deviation = np.array([0.229, 0.224, 0.225], "float32")
    normalization.set_weights(
        [np.array([0.485, 0.456, 0.406], "float32"), deviation**2, np.array(0)]
    )
    path = tmp_path / "w.weights.h5"
    theirs.save_weights(path)
    file_utils = importlib.import_module("keras.src.utils.file_utils")
    monkeypatch.setattr(file_utils, "get_file", lambda *_, **__: str(path))
    theirs = keras.applications.EfficientNetB0(
        include_top=False, input_shape=(32, 32, 3)
    )
    x = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3)).astype("uint8")
    expected = np.asarray(theirs(x.astype("float32")))
    ours = np.asarray(load(find("efficientnet"), path)(x))
    np.testing.assert_allclose(ours, expected, rtol=1e-3, atol=1e-6)


def test_missing(tmp_path):
    with pytest.raises(UsageError, match=r"nowhere\.h5 is not there"):
        load(find("small"), tmp_path / "nowhere.h5")
    with pytest.raises(UsageError, match="is a folder"):
        load(find("small"), tmp_path)
    with pytest.raises(UsageError, match="null is not a file"):
        load(find("small"), Path("/dev/null"))


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "it is empty"), (b"<html>404</html>", "it is something else")],
)
def test_not_hdf5(tmp_path, content: bytes, message: str):
    path = tmp_path / "w.h5"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=message):
        load(find("small"), path)


def test_zip_truncated_and_foreign_hdf5(tmp_path):
    with zipfile.ZipFile(tmp_path / "model.keras", "w") as archive:
        archive.writestr("config.json", "{}")
    with pytest.raises(WeightsError, match=r"zip archive, perhaps .* \(.keras\)"):
        load(find("small"), tmp_path / "model.keras")
    small().save_weights(tmp_path / "w.weights.h5")
    whole = (tmp_path / "w.weights.h5").read_bytes()
    (tmp_path / "cut.h5").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(WeightsError, match="damaged or cut short"):
        load(find("small"), tmp_path / "cut.h5")
    with h5py.File(tmp_path / "data.h5", "w") as file:
        file["x"] = [1, 2]
    with pytest.raises(WeightsError, match="holds no Keras weights"):
        load(find("small"), tmp_path / "data.h5")


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may read all")
def test_no_permission(tmp_path):
    path = tmp_path / "w.h5"
    path.write_bytes(b"x")
    path.chmod(0)
    with pytest.raises(WeightsError, match="no permission"):
        load(find("small"), path)


def test_layer_that_does_not_fit_is_named_with_both_shapes(tmp_path):
    arrays = layer_arrays(small())
    arrays["block3_conv1"][0] = np.zeros((5, 5, 48, 96), "float32")
    path = write_legacy(tmp_path / "w.h5", arrays)
    with pytest.raises(WeightsError) as caught:
        load(find("small"), path, "block2")  # the whole file must fit
    assert "'block3_conv1' needs weights of shape (3, 3, 48, 96), (96,)" in str(
        caught.value
    )
    assert "the file has (5, 5, 48, 96), (96,)" in str(caught.value)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_not_finite(tmp_path, bad: float):
    arrays = layer_arrays(small())
    arrays["block3_conv1"][1][7] = bad
    path = write_legacy(tmp_path / "w.h5", arrays)
    load(find("small"), path, "block2")
    with pytest.raises(WeightsError) as caught:
        load(find("small"), path, "block3")
    assert "'block3_conv1'" in caught.value.message
    assert "the cut 'block3' needs it" in caught.value.message
    assert caught.value.hint == "The file is valid up to --cut block2."


def test_not_finite_from_the_start(tmp_path):
    arrays = layer_arrays(small())
    arrays["block1_conv1"][0][:] = np.nan
    path = write_legacy(tmp_path / "w.h5", arrays)
    with pytest.raises(WeightsError, match="No part of this file can be used"):
        load(find("small"), path)


@pytest.mark.parametrize("row", FROM_SCRATCH, ids=lambda row: row.name)
def test_imagenet_of_a_network_without_it(row):
    with pytest.raises(WeightsError, match=f"{row.name} has no ImageNet weights"):
        load(row, "imagenet")


def test_imagenet_from_the_cache(tmp_path, monkeypatch, shared_weights):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    (tmp_path / "models").mkdir()
    shutil.copy(shared_weights / MOBILENET, tmp_path / "models" / MOBILENET)
    part = load(find("mobilenetv2"), "imagenet", "block_2_add", 64)
    by_path = load(find("mobilenetv2"), shared_weights / MOBILENET, "block_2_add", 96)
    assert weights_checksum(part) == weights_checksum(by_path)


def test_mobilenet_is_as_keras_loads_it(shared_weights):
    part = load(find("mobilenetv2"), shared_weights / MOBILENET, size=96)
    theirs = keras.applications.MobileNetV2(
        include_top=False, weights=None, input_shape=(96, 96, 3)
    )
    theirs.load_weights(shared_weights / MOBILENET)
    assert_same(part, layer_arrays(theirs))


def test_inception_is_as_keras_loads_it(shared_weights):
    part = load(find("inception"), shared_weights / INCEPTION, "mixed8")
    theirs = keras.applications.InceptionV3(
        include_top=False, weights=None, input_shape=(75, 75, 3)
    )
    theirs.load_weights(shared_weights / INCEPTION)
    x = np.random.default_rng(0).integers(0, 256, (2, 75, 75, 3)).astype("uint8")
    for cut in ("mixed7", "mixed8"):
        expected = keras.Model(theirs.inputs[0], theirs.get_layer(cut).output)(
            x.astype("float32") / 127.5 - 1
        )
        ours = keras.Model(part.inputs[0], part.get_layer(cut).output)(x)
        assert np.isfinite(np.asarray(ours)).all()
        np.testing.assert_allclose(
            np.asarray(ours), np.asarray(expected), rtol=1e-3, atol=1e-4
        )


def test_inception_beyond_its_valid_part(shared_weights):
    with pytest.raises(WeightsError, match="the cut 'mixed9' needs it") as caught:
        load(find("inception"), shared_weights / INCEPTION, "mixed9")
    assert "the layer 'conv2d_" in caught.value.message
    assert caught.value.hint == "The file is valid up to --cut mixed8."


def test_vgg(shared_weights):
    part = load(find("vgg16"), shared_weights / VGG, "block3_pool")
    with h5py.File(shared_weights / VGG) as file:
        kernel = np.asarray(file["block1_conv1"]["block1_conv1/kernel"])
    np.testing.assert_array_equal(
        part.get_layer("block1_conv1").get_weights()[0], kernel
    )
    with pytest.raises(WeightsError, match="'block4_conv1'") as caught:
        load(find("vgg16"), shared_weights / VGG, "block5_pool")
    assert caught.value.hint == "The file is valid up to --cut block3_pool."


def test_file_of_another_backbone(shared_weights):
    with pytest.raises(WeightsError, match="'block3_conv4' needs") as caught:
        load(find("vgg19"), shared_weights / VGG, "block3_pool")
    assert "(3, 3, 256, 256)" in caught.value.message
    assert "(3, 3, 256, 512)" in caught.value.message
    with pytest.raises(WeightsError, match="does not fit VGG16"):
        load(find("vgg16"), shared_weights / INCEPTION, "block3_pool")


def test_backbone_operations_hold_all_weights():
    network = build_backbone(find("small"), 32)
    names = [
        one.name for one in backbone_operations(network) if getattr(one, "weights", ())
    ]
    assert names == SMALL_LAYERS
