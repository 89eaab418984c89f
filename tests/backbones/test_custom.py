"""Networks of the user's own: .keras files of all kinds, flat and cut."""

from __future__ import annotations

import json
import shutil
import warnings
import zipfile
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest

from tests.backbones.weights.test_hdf5 import KINDS, replace_kernel, write_private
from tlkit.backbones.cut_points import backbone_operations, cut_operations
from tlkit.backbones.flatten import graph_of
from tlkit.backbones.graph import build_backbone, output_of, symbolic
from tlkit.backbones.registry import find
from tlkit.backbones.spec import NONE, TORCH, Backbone
from tlkit.errors import UsageError, WeightsError
from tlkit.model.classifier import Classifier, build_classifier
from tlkit.model.head import parse_head

L: Any = keras.layers


def pixels(size: int = 32, n: int = 3) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (n, size, size, 3)).astype("uint8")


def awake(model: keras.Model) -> keras.Model:
    """Batch normalization with statistics that are none of a fresh layer."""
    rng = np.random.default_rng(1)
    for layer in model._flatten_layers():
        if isinstance(layer, L.BatchNormalization):
            layer.set_weights([rng.uniform(0.5, 1.5, w.shape) for w in layer.weights])
    return model


def save(model: keras.Model, folder: Path, name: str = "own.keras") -> str:
    model.save(folder / name)
    return str(folder / name)


def plain(top: bool = True, **rescaling: Any) -> keras.Model:
    layers = [
        keras.Input((32, 32, 3)),
        L.Conv2D(4, 3, padding="same", activation="relu", name="low"),
        L.BatchNormalization(name="norm"),
        L.MaxPooling2D(name="half"),
        L.Conv2D(6, 3, padding="same", activation="relu", name="high"),
    ]
    if rescaling:
        layers.insert(1, L.Rescaling(**rescaling, name="scale"))
    if top:
        layers += [L.GlobalAveragePooling2D(keepdims=True), L.Conv2D(5, 1)]
        layers += [L.Flatten(), L.Dense(3, activation="softmax")]
    return awake(keras.Sequential(layers))


def classifier(row: Backbone, **options: Any) -> Classifier:
    settings: dict[str, Any] = {
        "size": row.native,
        "cut": None,
        "freeze_to": None,
        "head": parse_head("gap"),
        "n_classes": 3,
        "weights": "own",
        "seed": 0,
    }
    return build_classifier(row, **{**settings, **options})


def at(model: keras.Model, name: str) -> keras.Model:
    """The model as far as an operation of this name."""
    graph = graph_of(model, "test")
    operation = next(one for one in graph.operations if one.name == name)
    return keras.Model(graph.inputs[0], output_of(operation))


def test_the_backbone_is_described_by_its_graph(tmp_path, monkeypatch):
    save(plain(), tmp_path)
    monkeypatch.chdir(tmp_path)
    row = find("own.keras", preprocessing="torch")
    assert row.name == str(tmp_path / "own.keras")
    assert (row.native, row.fixed, row.custom) == (32, True, True)
    assert row.preprocessing is TORCH
    # The classification top, that begins with a pooling, is no place to cut at.
    assert row.cuts == ("norm", "high")
    # 3*9*4+4, 4*4, 4*9*6+6.
    assert row.parameters == 112 + 16 + 222
    assert len(row.checksum) == 64


def test_it_predicts_as_the_file_does(tmp_path):
    model = plain()
    row = find(save(model, tmp_path), preprocessing="torch")
    built = classifier(row)
    x = pixels()
    deviation = np.array([0.229, 0.224, 0.225])
    scaled = (x / 255 - np.array([0.485, 0.456, 0.406])) / deviation
    for name in ("norm", "high"):
        expected = np.asarray(at(model, name)(scaled.astype("float32")))
        ours = np.asarray(at(built.model, name)(x))
        np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=1e-5)
    assert built.frozen == ("low", "norm", "high")


def test_random_weights_differ_and_depend_on_the_seed(tmp_path):
    row = find(save(plain(), tmp_path), preprocessing="none")
    brought = classifier(row)
    first, again, other = (
        classifier(row, weights="none", freeze_to="none", seed=seed)
        for seed in (1, 1, 2)
    )
    assert first.weights_checksum == again.weights_checksum
    checksums = {one.weights_checksum for one in (brought, first, other)}
    assert len(checksums) == 3
    assert first.frozen == ()  # batch normalization included: it has learned nothing


def test_a_weights_file_of_a_custom_backbone(tmp_path):
    model = plain()
    row = find(save(model, tmp_path), preprocessing="none")
    model.save_weights(tmp_path / "w.weights.h5")
    built = classifier(row, weights=str(tmp_path / "w.weights.h5"))
    assert built.weights_checksum == classifier(row).weights_checksum


@pytest.mark.parametrize("kind", ["rescaling", "normalization", "arithmetic", "behind"])
def test_a_network_that_scales_its_pixels_needs_no_preprocessing(tmp_path, kind):
    image = keras.Input((32, 32, 3))
    if kind == "normalization":
        x = L.Normalization(mean=[1.0, 2.0, 3.0], variance=[4.0] * 3, name="scale")(
            image
        )
    elif kind == "arithmetic":
        x = keras.applications.mobilenet_v2.preprocess_input(image)
    else:
        x = L.RandomFlip()(image) if kind == "behind" else image
        x = L.Rescaling(1 / 255, name="scale")(x)
    model = keras.Model(image, L.Conv2D(4, 3)(x))
    row = find(save(model, tmp_path))
    assert row.preprocessing is NONE
    assert row.scaler == ("true_divide" if kind == "arithmetic" else "scale")
    x = pixels()
    built = classifier(row)
    ours = np.asarray(at(built.model, row.cuts[-1])(x, training=False))
    expected = np.asarray(model(x.astype("float32"), training=False))
    np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=1e-4)


def test_normalization_that_has_adapted(tmp_path):
    scale = L.Normalization(name="scale")
    scale.adapt(pixels().astype("float32"))
    image = keras.Input((32, 32, 3))
    model = keras.Model(image, L.Conv2D(4, 3, name="conv")(scale(image)))
    built = classifier(find(save(model, tmp_path)))
    expected = np.asarray(model(pixels().astype("float32")))
    ours = np.asarray(at(built.model, "conv")(pixels()))
    np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=1e-4)


def test_preprocessing_must_be_given_or_must_not(tmp_path):
    path = save(plain(), tmp_path)
    with pytest.raises(UsageError, match="must be given") as caught:
        find(path)
    assert "--preprocessing none" in caught.value.hint
    with pytest.raises(UsageError, match="VGG16 has its own preprocessing"):
        find("vgg16", preprocessing="tf")


def nested() -> keras.Model:
    """As tutorials do it: augmentation, a network called without training, a top."""
    inner = awake(
        keras.Sequential(
            [
                keras.Input((32, 32, 3)),
                L.Conv2D(4, 3, activation="relu", name="conv"),
                L.BatchNormalization(name="norm"),
                L.Dropout(0.5, name="drop"),
            ],
            name="inner",
        )
    )
    image = keras.Input((32, 32, 3))
    x = keras.Sequential([L.RandomFlip(), L.RandomRotation(0.1)], name="augment")(image)
    x = L.Rescaling(1 / 255)(x)
    x = L.Conv2D(3, 3, padding="same", name="conv")(x)
    x = inner(x, training=False)
    x = L.Dense(2)(L.GlobalAveragePooling2D()(x))
    return keras.Model(image, x)


def test_submodels_are_flattened(tmp_path):
    model = nested()
    row = find(save(model, tmp_path))
    built = classifier(row, freeze_to="none")
    names = [operation.name for operation in backbone_operations(built.model)]
    # Two are called conv; the one inside gets the name of its submodel before its own.
    assert [name for name in names if "conv" in name] == ["conv", "inner_conv"]
    assert row.cuts == ("drop",)
    assert not [one for one in built.model.layers if isinstance(one, keras.Model)]
    x = pixels()
    inner = keras.Model(model.inputs[0], model.get_layer("inner").output)
    expected = np.asarray(inner(x.astype("float32"), training=False))
    network = at(built.model, "drop")
    ours = np.asarray(network(x, training=False))
    np.testing.assert_allclose(ours, expected, rtol=1e-5, atol=1e-5)
    # Its augmentation is there in training.
    assert not np.allclose(np.asarray(network(x, training=True)), expected)


def test_layers_without_weights_may_be_shared_others_not(tmp_path):
    image = keras.Input((32, 32, 3))
    relu, conv = L.ReLU(name="relu"), L.Conv2D(3, 3, padding="same", name="conv")
    x = relu(L.Conv2D(3, 3, name="first")(relu(conv(image))))
    model = keras.Model(image, x)
    row = find(save(model, tmp_path), preprocessing="none")
    assert row.cuts == ("relu_1",)
    ours = np.asarray(at(classifier(row).model, "relu_1")(pixels()))
    expected = np.asarray(model(pixels().astype("float32")))
    np.testing.assert_allclose(ours, expected, rtol=1e-5, atol=1e-5)
    twice = keras.Model(image, conv(conv(image)))
    with pytest.raises(UsageError, match="uses its layer 'conv' at several places"):
        find(save(twice, tmp_path, "twice.keras"), preprocessing="none")


def test_branches_can_be_cut_where_they_join(tmp_path):
    image = keras.Input((32, 32, 3))
    x = L.Conv2D(4, 3, padding="same", name="stem")(image)
    y = L.Conv2D(4, 3, padding="same", name="branch")(x)
    squeeze = L.GlobalAveragePooling2D(keepdims=True, name="squeeze")(y)
    x = L.Add(name="sum")([x, L.Multiply()([y, squeeze])])
    row = find(save(keras.Model(image, x), tmp_path), preprocessing="none")
    with symbolic():
        points = [one.name for one in cut_operations(build_backbone(row, 32))]
    assert points == ["stem", "sum"]
    assert row.cuts == ("sum",)


def test_pixels_come_in_the_dtype_of_the_network(tmp_path):
    image = keras.Input((32, 32, 3), dtype="uint8")
    x = keras.ops.cast(image // 16, "float32")
    model = keras.Model(image, L.Conv2D(2, 3, name="conv")(x))
    row = find(save(model, tmp_path), preprocessing="none")
    ours = np.asarray(at(classifier(row).model, "conv")(pixels()))
    expected = np.asarray(model(pixels()))
    np.testing.assert_allclose(ours, expected, rtol=1e-5, atol=1e-5)


def test_open_size(tmp_path):
    image = keras.Input((None, None, 3))
    path = save(keras.Model(image, L.Conv2D(4, 5)(L.Conv2D(4, 5)(image))), tmp_path)
    with pytest.raises(UsageError, match="any size"):
        find(path, preprocessing="none")
    row = find(path, preprocessing="none", size=40)
    assert (row.native, row.fixed) == (40, False)
    assert build_backbone(row, 24).outputs[0].shape == (None, 16, 16, 4)
    with pytest.raises(UsageError, match="does not take images of 6 px"):
        build_backbone(row, 6)


def test_fixed_size(tmp_path):
    row = find(save(plain(), tmp_path), preprocessing="none")
    for size in (31, 33):
        with pytest.raises(UsageError, match="takes images of 32 px only"):
            build_backbone(row, size)


def test_a_model_that_tlkit_has_saved(tmp_path):
    """Its own names do not get in the way, over two generations."""
    first = classifier(
        find("vgg16"),
        size=32,
        cut="block1_pool",
        weights="none",
        head=parse_head("bn,gap"),
    )
    previous, path = first.model, save(first.model, tmp_path)
    for name in ("second.keras", "third.keras"):
        row = find(path)
        assert row.preprocessing is NONE
        assert "preprocess" in row.scaler
        built = classifier(row, head=parse_head("bn,gap"))
        x = pixels()
        cut = output_of(next(o for o in built.model.operations if o.name == built.cut))
        ours = np.asarray(keras.Model(built.model.inputs[0], cut)(x))
        expected = np.asarray(
            keras.Model(previous.inputs[0], previous.get_layer("head1_bn").output)(x)
        )
        np.testing.assert_allclose(ours, expected, rtol=1e-5, atol=1e-5)
        previous, path = built.model, save(built.model, tmp_path, name)


def test_dtype_is_that_of_the_run(tmp_path):
    row = find(save(plain(), tmp_path), preprocessing="none")
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        built = classifier(row)
    finally:
        keras.config.set_dtype_policy("float32")
    assert built.model.get_layer("low").compute_dtype == "bfloat16"
    assert classifier(row).model.get_layer("low").compute_dtype == "float32"


def test_a_changed_file_is_read_again(tmp_path):
    path = save(plain(), tmp_path)
    row = find(path, preprocessing="none")
    assert find(path, preprocessing="none").identity == row.identity
    assert find(path, preprocessing="tf").identity != row.identity
    other = keras.Sequential([keras.Input((48, 48, 3)), L.Conv2D(2, 3)])
    save(other, tmp_path)
    changed = find(path, preprocessing="none")
    assert changed.native == 48
    assert changed.checksum != row.checksum


class Subclassed(keras.Model):  # type: ignore[misc]
    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.conv = L.Conv2D(2, 3)

    def call(self, x: Any) -> Any:
        return self.conv(x)


@keras.saving.register_keras_serializable("tests")
class Doubled(keras.layers.Layer):  # type: ignore[misc]
    def call(self, x: Any) -> Any:
        return 2 * x


@keras.saving.register_keras_serializable("tests")
class Pair(keras.layers.Layer):  # type: ignore[misc]
    """Layers within a layer."""

    def __init__(self, name: str | None = None, **options: Any) -> None:
        super().__init__(name=name, **options)
        self.conv, self.norm = L.Conv2D(3, 3), L.BatchNormalization()

    def build(self, shape: Any) -> None:
        self.conv.build(shape)
        self.norm.build(self.conv.compute_output_shape(shape))

    def call(self, x: Any, training: bool | None = None) -> Any:
        return self.norm(self.conv(x), training=training)


def test_a_registered_layer_made_of_layers(tmp_path):
    image = keras.Input((32, 32, 3))
    x = Pair(name="low")(image)
    model = awake(keras.Model(image, Pair(name="high")(x)))
    row = find(save(model, tmp_path), preprocessing="none")
    built = classifier(row, freeze_to="low")
    expected = np.asarray(model(pixels().astype("float32")))
    ours = np.asarray(at(built.model, "high")(pixels()))
    np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=1e-4)
    # Its batch normalization stays in inference mode above the freeze point, too.
    assert [w.name for w in built.model.get_layer("high").trainable_weights] == [
        "kernel",
        "bias",
    ]
    assert built.frozen == ("low",)


def broken(folder: Path, kind: str) -> str:
    path = folder / f"{kind}.keras"
    image = keras.Input((32, 32, 3))
    maps = L.Conv2D(2, 3, name="conv")(image)
    if kind == "text":
        path.write_text("x")
    elif kind == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("x", "x")
    elif kind == "folder":
        path.mkdir()
    elif kind == "lambda":
        keras.Model(image, L.Lambda(lambda x: x * 2, name="twice")(maps)).save(path)
    elif kind == "foreign":
        keras.Model(image, Doubled(name="two")(maps)).save(path)
        rename(path, "Doubled", "Tripled")
    elif kind == "subclassed":
        model = Subclassed(name="mine")
        model(np.zeros((1, 32, 32, 3), "float32"))
        model.save(path)
    elif kind == "inside":
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that is the point
            keras.Sequential([L.Conv2D(2, 3)], name="unbuilt").save(path)
    elif kind == "inputs":
        keras.Model([image, keras.Input((2,))], maps).save(path)
    elif kind == "outputs":
        keras.Model(image, [maps, L.Flatten()(maps)]).save(path)
    elif kind == "gray":
        gray = keras.Input((32, 32, 1))
        keras.Model(gray, L.Conv2D(2, 3)(gray)).save(path)
    elif kind == "oblong":
        oblong = keras.Input((32, 48, 3))
        keras.Model(oblong, L.Conv2D(2, 3)(oblong)).save(path)
    elif kind == "dense":
        keras.Model(image, L.Dense(2)(L.Flatten()(image))).save(path)
    return str(path)


def rename(path: Path, old: str, new: str) -> None:
    """As if a class had another name where the file was written."""
    with zipfile.ZipFile(path) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    text = content["config.json"].decode().replace(old, new)
    content["config.json"] = json.dumps(json.loads(text)).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in content.items():
            archive.writestr(name, data)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("missing", "is not there"),
        ("folder", "is a folder"),
        ("text", "is not a .keras file"),
        ("zip", "is not a .keras file"),
        ("lambda", "cannot be loaded safely: Lambda 'twice'"),
        ("foreign", "cannot be loaded safely: Tripled 'two'"),
        ("subclassed", "cannot be loaded safely: Subclassed"),
        ("inside", "knows no shape of its input"),
        ("inputs", "2 inputs and 1 outputs"),
        ("outputs", "1 inputs and 2 outputs"),
        ("gray", "(32, 32, 1), expected (size, size, 3)"),
        ("oblong", "(32, 48, 3), expected (size, size, 3)"),
        ("dense", "no layer to cut at"),
    ],
)
def test_unusable_files_are_refused(tmp_path, kind: str, words: str):
    if kind == "inputs" and keras.__version__.startswith("3.12."):
        pytest.skip("Keras 3.12 makes no model with an input that is not used")
    path = broken(tmp_path, kind)
    with pytest.raises(UsageError) as caught:
        find(path, preprocessing="none")
    assert words in caught.value.message
    assert path in caught.value.message
    assert len(str(caught.value)) < 600


def test_a_registered_subclassed_model_is_no_graph(tmp_path):
    registered = keras.saving.register_keras_serializable("tests")(Subclassed)
    try:
        with pytest.raises(
            UsageError, match=r"\(Subclassed\) is computed by its own code"
        ):
            find(broken(tmp_path, "subclassed"), preprocessing="none")
    finally:
        keras.saving.get_custom_objects().pop("tests>Subclassed")
    assert registered is Subclassed


def test_damaged_weights(tmp_path):
    path = Path(save(plain(), tmp_path))
    row = find(str(path), preprocessing="none")
    with zipfile.ZipFile(path) as archive:
        config = archive.read("config.json")
        weights = archive.read("model.weights.h5")
    shutil.copy(path, tmp_path / "whole.keras")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", config)
        archive.writestr("metadata.json", "{}")
        archive.writestr("model.weights.h5", weights[: len(weights) // 2])
    with pytest.raises(WeightsError, match="cannot be read"):
        classifier(row)


def test_nan_weights_are_named(tmp_path):
    model = plain()
    kernel, bias = model.get_layer("high").get_weights()
    model.get_layer("high").set_weights([kernel * np.nan, bias])
    row = find(save(model, tmp_path), preprocessing="none")
    assert classifier(row, cut="norm").cut == "norm"
    with pytest.raises(WeightsError, match="'high'") as caught:
        classifier(row)
    assert caught.value.hint == "The file is valid up to --cut norm."


def test_an_unknown_cut_lists_the_cut_points(tmp_path):
    row = find(save(plain(), tmp_path, "my own.keras"), preprocessing="none")
    with pytest.raises(UsageError, match="Known: low, norm, half, high"):
        classifier(row, cut="qqq")


@pytest.mark.parametrize("kind", KINDS)
def test_weights_in_other_files_are_refused(tmp_path, kind):
    path = Path(save(plain(), tmp_path))
    with zipfile.ZipFile(path) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    weights = tmp_path / "w.h5"
    weights.write_bytes(content["model.weights.h5"])
    private = write_private(tmp_path / "private.h5", (3, 3, 3, 4))
    with h5py.File(weights, "a") as file:
        replace_kernel(file, "layers/conv2d/vars/0", kind, private)
    with zipfile.ZipFile(path, "w") as archive:
        content["model.weights.h5"] = weights.read_bytes()
        for name, data in content.items():
            archive.writestr(name, data)
    with pytest.raises(WeightsError, match="takes data from another file"):
        classifier(find(str(path), preprocessing="none"))
