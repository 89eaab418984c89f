from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from tlkit.backbones.graph import build_backbone
from tlkit.backbones.registry import find
from tlkit.errors import UsageError
from tlkit.model.classifier import Classifier, build_classifier
from tlkit.model.frozen_split import split_at_freeze
from tlkit.model.head import parse_head

# Backbone, size, cut, freeze_to: light networks, one of each kind of trouble.
LIGHT = [
    ("MobileNetV2", 32, "block_6_expand_relu", None),
    ("MobileNetV2", 32, "block_6_expand_relu", "block_2_add"),
    ("MobileNetV2", 32, "block_6_expand_relu", "none"),
    ("InceptionV3", 75, "mixed1", "mixed0"),  # numbered names
    ("MobileNetV3Small", 32, "expanded_conv_5_add", "expanded_conv_4_add"),
    ("SmallCNN", 32, None, "block2"),
    ("SmallCNN", 32, None, "none"),
    ("VGG16", 32, "block2_pool", None),  # channels reversed
    ("EfficientNetB0", 32, "block3b_add", "block2b_add"),  # dropout inside
    ("ConvNeXtTiny", 32, "add_1", "add"),  # sums that are no layers
]


def build(name: str, size: int, **options: Any) -> Classifier:
    settings = {
        "cut": None,
        "freeze_to": None,
        "head": parse_head("gap,bn,dense:4,dropout:0.2"),
        "n_classes": 3,
        "weights": "none",
        "seed": 0,
    }
    return build_classifier(find(name), size=size, **{**settings, **options})


def pixels(size: int, n: int = 4) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (n, size, size, 3)).astype("uint8")


def variables(model: keras.Model) -> dict[str, np.ndarray]:
    return {
        f"{layer.name}/{i}": value
        for layer in model.layers
        for i, value in enumerate(layer.get_weights())
    }


def train(classifier: Classifier, x: np.ndarray, steps: int = 2) -> None:
    loss = (
        "binary_crossentropy"
        if classifier.model.outputs[0].shape[-1] == 1
        else "sparse_categorical_crossentropy"
    )
    # Eagerly: compiling each of these graphs takes longer than the steps.
    classifier.model.compile(keras.optimizers.SGD(0.1), loss, run_eagerly=True)
    y = np.arange(len(x)) % 2
    classifier.model.fit(
        x, y, batch_size=len(x), epochs=steps, verbose=0, shuffle=False
    )


@pytest.mark.parametrize(("name", "size", "cut", "freeze_to"), LIGHT)
def test_conformance(tmp_path, name, size, cut, freeze_to):
    """Trains what it should and nothing else; splits, saves and reloads exactly."""
    # A file, because only what was trained before keeps its batch normalization.
    file = tmp_path / "backbone.weights.h5"
    build_backbone(find(name), size).save_weights(file)
    classifier = build(name, size, cut=cut, freeze_to=freeze_to, weights=str(file))
    x = pixels(size)
    before, checksum = variables(classifier.model), classifier.frozen_checksum()
    train(classifier, x)
    assert classifier.frozen_checksum() == checksum
    assert_trained(classifier, before, backbone_too=freeze_to is not None)
    expected = np.asarray(classifier.model(x))
    if freeze_to != "none":
        assert_splits(classifier, x, expected)
    assert_reloads(classifier, tmp_path / "model.keras", x, expected)


def assert_trained(
    classifier: Classifier, before: dict[str, np.ndarray], *, backbone_too: bool
) -> None:
    after = variables(classifier.model)
    changed = {
        key.rpartition("/")[0]
        for key in before
        if not (before[key] == after[key]).all()
    }
    assert not changed & set(classifier.frozen)
    assert {"head2_bn", "head3_dense", "probabilities"} <= changed
    in_backbone = [one for one in changed if not one.startswith(("head", "prob"))]
    assert bool(in_backbone) == backbone_too
    norms = {
        layer.name
        for layer in classifier.model.layers
        if isinstance(layer, keras.layers.BatchNormalization)
    }
    assert norms - {"head2_bn"} <= set(classifier.frozen)


def test_batch_normalization_with_random_weights_trains_above_the_freeze_point():
    classifier = build(
        "MobileNetV2", 32, cut="block_2_add", freeze_to="block_1_project_BN"
    )
    before = variables(classifier.model)
    train(classifier, pixels(32))
    after = variables(classifier.model)
    moved = {key for key in before if not (before[key] == after[key]).all()}
    statistics = {"block_2_project_BN/2", "block_2_project_BN/3"}
    assert statistics <= moved
    assert not [
        key for key in moved if key.startswith(("Conv1", "bn_Conv1", "block_1_"))
    ]


def normalizations(model: keras.Model) -> list[keras.layers.BatchNormalization]:
    return [x for x in model.layers if isinstance(x, keras.layers.BatchNormalization)]


def test_statistics_of_random_weights_follow_few_steps():
    """Keras' MobileNetV2 keeps 0.999 of them a step."""
    classifier = build("MobileNetV2", 32, cut="block_2_add", freeze_to="none")
    assert {layer.momentum for layer in normalizations(classifier.model)} == {0.9}
    pretrained = build("nano", 32, cut="stage2_block3", freeze_to="none", weights="own")
    assert not any(layer.trainable for layer in normalizations(pretrained.base_model))


def assert_splits(classifier: Classifier, x: np.ndarray, expected: np.ndarray) -> None:
    prefix, pooling, suffix = split_at_freeze(classifier)
    assert prefix is not None
    assert not prefix.trainable_weights
    maps = prefix(x)
    if pooling:
        # What the pooling layers do, in the words of their documentation.
        values = np.asarray(maps)
        pooled = (values.mean if pooling == "gap" else values.max)(axis=(1, 2))
        predictions = np.asarray(suffix(pooled))
        np.testing.assert_allclose(predictions, expected, rtol=0, atol=1e-6)
    else:
        np.testing.assert_array_equal(np.asarray(suffix(maps)), expected)
    np.testing.assert_array_equal(np.asarray(classifier.model(x)), expected)


def assert_reloads(
    classifier: Classifier, path: Path, x: np.ndarray, expected: np.ndarray
) -> None:
    classifier.model.save(path)
    loaded = keras.models.load_model(path)
    np.testing.assert_array_equal(np.asarray(loaded(x)), expected)
    assert [layer.name for layer in loaded.layers] == [
        layer.name for layer in classifier.model.layers
    ]
    # Not `trainable` itself: Keras does not write that of a nested Sequential down.
    trains = [len(layer.trainable_weights) for layer in classifier.model.layers]
    assert [len(layer.trainable_weights) for layer in loaded.layers] == trains


def test_frozen_dropout_is_off_and_other_dropout_is_not():
    """EfficientNet drops whole branches in training; frozen features must not."""
    classifier = build("EfficientNetB0", 32, cut="block5c_add", freeze_to="block3b_add")
    rates = {
        layer.name: layer.rate
        for layer in classifier.model.layers
        if isinstance(layer, keras.layers.Dropout)
    }
    assert rates["block2b_drop"] == rates["block3b_drop"] == 0
    assert rates["block4b_drop"] > 0
    prefix, _, _ = split_at_freeze(classifier)
    assert prefix is not None
    x = pixels(32)
    np.testing.assert_array_equal(
        np.asarray(prefix(x, training=True)), np.asarray(prefix(x, training=False))
    )


def test_mixed_precision():
    """Half precision in the network; pixels and probabilities stay float32."""
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        head = parse_head("flatten,bn,dense:4")
        classifier = build("MobileNetV2", 32, cut="block_2_add", head=head)
        prefix, _, suffix = split_at_freeze(classifier)
    finally:
        keras.config.set_dtype_policy("float32")
    assert prefix is not None
    assert prefix.outputs[0].dtype == suffix.inputs[0].dtype == "bfloat16"
    assert classifier.model.get_layer("preprocess").compute_dtype == "float32"
    x = pixels(32)
    outputs = np.asarray(classifier.model(x))
    assert outputs.dtype == np.float32
    np.testing.assert_array_equal(np.asarray(suffix(prefix(x))), outputs)
    checksum = classifier.frozen_checksum()
    train(classifier, x)
    assert classifier.frozen_checksum() == checksum


def test_the_parts_of_a_classifier():
    classifier = build(
        "InceptionV3",
        150,
        cut="mixed7",
        head=parse_head("flatten,dense:16"),
        n_classes=2,
    )
    assert (classifier.cut, classifier.freeze_to) == ("mixed7", "mixed7")
    assert classifier.feature_shape == (7, 7, 768)
    assert classifier.head_inputs == 37_632
    assert classifier.head_parameters == 37_632 * 16 + 16 + 17
    assert classifier.model.outputs[0].shape == (None, 1)
    assert classifier.model.inputs[0].dtype == "uint8"
    # 70 convolutions up to mixed7 and as many batch normalizations.
    assert len(classifier.frozen) == 140
    assert len([name for name in classifier.frozen if name.startswith("conv2d")]) == 70
    assert not [layer for layer in classifier.model.layers if hasattr(layer, "layers")]
    assert "mixed8" not in [layer.name for layer in classifier.model.layers]


def test_head_inputs_of_pooling():
    assert build("SmallCNN", 64).head_inputs == 128
    assert build("SmallCNN", 64).feature_shape == (4, 4, 128)


def test_seed_decides_all():
    random.seed(5)
    state = random.getstate()
    first, again, other = (
        build("SmallCNN", 32, freeze_to="none", seed=seed) for seed in (1, 1, 2)
    )
    assert random.getstate() == state
    assert first.weights_checksum == again.weights_checksum != other.weights_checksum
    x = pixels(32)
    train(first, x)
    train(again, x)
    for one, same in zip(
        first.model.get_weights(), again.model.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(one, same)


def test_the_checksum_is_of_the_backbone_as_loaded():
    classifier = build("SmallCNN", 32, freeze_to="block2")
    assert len(classifier.weights_checksum) == 64
    assert (
        build("SmallCNN", 32, n_classes=7).weights_checksum
        == classifier.weights_checksum
    )
    shorter = build("SmallCNN", 32, cut="block2")
    assert shorter.weights_checksum != classifier.weights_checksum
    # Frozen up to block2 or cut there: the same frozen layers.
    assert shorter.frozen_checksum() == classifier.frozen_checksum()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cut": "block9"}, "Unknown layer 'block9'"),
        ({"cut": "block2", "freeze_to": "block3"}, "backbone ends at the cut 'block2'"),
        ({"size": 31}, "at least 32 px"),
        ({"n_classes": 1}, "at least 2 classes"),
    ],
)
def test_options_that_cannot_be_used(options, message: str):
    with pytest.raises(UsageError, match=message):
        build("SmallCNN", **{"size": 32, **options})


def test_reloads_where_tlkit_is_not_installed(tmp_path):
    x = pixels(32)
    np.save(tmp_path / "x.npy", x)
    for name, cut in (("vgg16", "block2_pool"), ("smallcnn", None)):
        classifier = build(name, 32, cut=cut)
        classifier.model.save(tmp_path / f"{name}.keras")
        np.save(tmp_path / f"{name}.npy", np.asarray(classifier.model(x)))
    code = """
import sys
sys.modules["tlkit"] = None  # importing it fails
import keras, numpy as np
x = np.load("x.npy")
for name in ("vgg16", "smallcnn"):
    got = np.asarray(keras.models.load_model(name + ".keras")(x))
    assert np.array_equal(got, np.load(name + ".npy")), name
"""
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)


def test_small_network_learns():
    """A disc or a bar in a noisy image, from scratch."""
    rng = np.random.default_rng(0)
    x = rng.integers(0, 100, (64, 32, 32, 3)).astype("uint8")
    y = np.arange(64) % 2
    yy, xx = np.mgrid[:32, :32]
    x[:32][:, (yy - 16) ** 2 + (xx - 16) ** 2 < 49] = 200
    x[32:][:, abs(yy - 16) < 3] = 200
    y = (np.arange(64) >= 32).astype(int)
    classifier = build(
        "SmallCNN", 32, freeze_to="none", head=parse_head("gap"), n_classes=2
    )
    classifier.model.compile(
        keras.optimizers.Adam(1e-3), "binary_crossentropy", metrics=["accuracy"]
    )
    history = classifier.model.fit(x, y, batch_size=16, epochs=8, verbose=0).history
    assert history["accuracy"][-1] == 1.0
