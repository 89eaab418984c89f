"""Building a graph, and each use of Keras' private interface."""

from __future__ import annotations

import importlib
import random
import subprocess
import sys
from collections import Counter

import keras
import numpy as np
import pytest

from tlkit.backbones.graph import (
    automatic_name,
    build_backbone,
    functional_graph,
    initialize_rest,
    output_of,
    outputs_of,
    parents,
    preprocess,
    producer,
    renumber,
    run_graph,
    running_means,
    seeded,
    set_value,
    sublayers,
    symbolic,
    unique_name,
)
from tlkit.backbones.registry import find
from tlkit.backbones.table import BACKBONES


def names(name: str) -> list[str]:
    row = find(name)
    with symbolic():
        network = build_backbone(row, row.min_size)
    return [operation.name for operation in network.operations]


def test_names_do_not_depend_on_what_was_built_before():
    first = [names("inception"), names("xception")]
    keras.layers.Conv2D(1, 1)  # moves Keras' counter
    second = [names("xception"), names("inception")]
    assert first == second[::-1]
    # 94 convolutions, numbered from conv2d on.
    convolutions = {name for name in first[0] if name.startswith("conv2d")}
    assert convolutions == {"conv2d", *(f"conv2d_{i}" for i in range(1, 94))}


@pytest.mark.slow
def test_names_are_those_of_keras_in_a_fresh_process():
    rows = "InceptionV3 InceptionResNetV2 Xception MobileNetV3Small MobileNetV3Large "
    rows += "NASNetMobile NASNetLarge ConvNeXtTiny ConvNeXtSmall EfficientNetV2B0"
    code = f"""
import keras
names = []
for row in {rows.split()}:
    keras.utils.clear_session()
    with keras.StatelessScope(initialize_variables=False):
        network = getattr(keras.applications, row)(
            include_top=False, weights=None, input_tensor=keras.Input((75, 75, 3))
        )
    names.append(" ".join(sorted(one.name for one in network.operations[1:])))
print("NAMES" + "|".join(names))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    fresh = done.stdout.split("NAMES")[1].strip().split("|")
    for row, expected in zip(rows.split(), fresh, strict=True):
        ours = [name for name in names(row) if name not in ("image", "preprocess")]
        assert sorted(ours) == expected.split()


def test_random_weights_come_from_the_seed_alone():
    random.seed(3)
    before = random.getstate()
    first, again, other = (
        build_backbone(find("smallcnn"), 32, seed=seed).get_weights()
        for seed in (7, 7, 8)
    )
    assert random.getstate() == before
    for one, same, different in zip(first, again, other, strict=True):
        np.testing.assert_array_equal(one, same)
        if one.ndim > 1:
            assert not np.array_equal(one, different)


def test_symbolic_models_never_get_memory():
    with symbolic():
        network = build_backbone(find("vgg16"), 32)
    keras.layers.Dense(1)(keras.Input((2,)))  # Keras fills in what is pending
    assert network.count_params() == 14_714_688
    assert all(weight._value is None for weight in network.weights)


def two_layers() -> keras.Model:
    image = keras.Input((4,), name="image")
    x = keras.layers.Dense(3, name="low")(image)
    return keras.Model(image, keras.layers.Dense(2, name="high")(x))


def test_tensors_and_parents_stay_those_of_the_first_graph():
    model = two_layers()
    low, high = model.layers[1:]
    first = output_of(low)
    high(keras.Input((3,)))
    low(keras.Input((4,)))
    assert parents(high) == [low]
    assert [one.name for one in parents(low)] == ["image"]
    assert output_of(low) is first
    assert outputs_of(low) == [first]
    assert producer(model.output) is high


def test_the_output_of_a_sequential_is_that_in_the_graph_around_it():
    inner = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    image = keras.Input((4,))
    outer = keras.Model(image, inner(image))
    assert output_of(inner) is outer.outputs[0]


def test_a_split_layer_has_several_outputs():
    x = keras.ops.split(keras.Input((4,)), 2, axis=1)[0]
    assert len(outputs_of(producer(x))) == 2


def test_sublayers_are_found_at_any_depth():
    inner = keras.Sequential([keras.Input((2,)), keras.layers.Dropout(0.1)])
    outer = keras.Sequential([keras.Input((2,)), inner])
    names = [type(one).__name__ for one in sublayers(outer)]
    assert names.count("Dropout") == 1
    assert sublayers(outer)[0] is outer


def test_the_graph_of_a_model():
    class Subclassed(keras.Model):  # type: ignore[misc]
        pass

    model = two_layers()
    assert functional_graph(model) is model
    built = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    graph = functional_graph(built)
    assert graph is not None
    assert [one.name for one in graph.outputs] == [one.name for one in built.outputs]
    assert functional_graph(keras.Sequential([keras.layers.Dense(1)])) is None
    assert functional_graph(Subclassed()) is None


def test_a_graph_runs_with_other_layers():
    model = two_layers()
    seen = []

    def call(operation):
        seen.append(operation.name)
        return type(operation).from_config(operation.get_config() | {"units": 7})

    x = keras.Input((4,))
    graph = functional_graph(model)
    assert graph is not None
    (output,) = run_graph(graph, [x], call)
    assert seen == ["low", "high"]
    assert keras.Model(x, output).count_params() == 5 * 7 + 8 * 7


def test_variables_without_memory_get_values():
    with symbolic():
        x = keras.Input((2,))
        dense, dropout = keras.layers.Dense(1), keras.layers.Dropout(0.5)
        model = keras.Model(x, dropout(dense(x)))
    set_value(dense.kernel, np.array([[1.0], [2.0]]))
    set_value(dense.kernel, np.array([[3.0], [4.0]]))
    set_value(dense.bias, np.array([5.0]))
    initialize_rest(model)
    np.testing.assert_array_equal(model(np.array([[1.0, 1.0]])), [[12.0]])
    assert np.isfinite(np.asarray(model(np.ones((2, 2)), training=True))).all()


def test_names_as_keras_gives_them():
    layers = keras.layers
    for layer in (layers.MaxPooling2D(), layers.Conv2D(1, 1), layers.ReLU()):
        assert layer.name.startswith(automatic_name(layer))
    used: Counter[str] = Counter()
    names = [unique_name(stem, used) for stem in ("conv2d", "conv2d", "add", "conv2d")]
    assert names == ["conv2d", "conv2d_1", "add", "conv2d_2"]


# keras.applications.<module>.preprocess_input, one backbone a family.
FAMILIES = {
    "VGG16": "vgg16",
    "VGG19": "vgg19",
    "ResNet50": "resnet",
    "ResNet101V2": "resnet_v2",
    "InceptionV3": "inception_v3",
    "InceptionResNetV2": "inception_resnet_v2",
    "Xception": "xception",
    "MobileNet": "mobilenet",
    "MobileNetV2": "mobilenet_v2",
    "MobileNetV3Large": "mobilenet_v3",
    "DenseNet169": "densenet",
    "NASNetMobile": "nasnet",
    "EfficientNetB3": "efficientnet",
    "EfficientNetV2M": "efficientnet_v2",
    "ConvNeXtBase": "convnext",
}


@pytest.mark.parametrize("name", FAMILIES)
def test_preprocessing_is_that_of_keras(name: str):
    module = importlib.import_module(f"keras.applications.{FAMILIES[name]}")
    pixels = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 3)).astype("uint8")
    pixels[0, 0, 0], pixels[0, 0, 1] = 0, 255
    image = keras.Input((8, 8, 3), dtype="uint8")
    model = keras.Model(image, preprocess(image, BACKBONES[name].preprocessing))
    ours = np.asarray(model(pixels))
    assert ours.dtype == np.float32
    expected = module.preprocess_input(pixels.astype("float32"))
    np.testing.assert_allclose(ours, expected, atol=2e-5)


def test_preprocessing_by_hand():
    # One red pixel: BGR order puts it last; -103.939 = 0 - mean blue.
    image = keras.Input((1, 1, 3), dtype="uint8")
    model = keras.Model(image, preprocess(image, BACKBONES["VGG16"].preprocessing))
    red = np.array([[[[255, 0, 0]]]], "uint8")
    np.testing.assert_allclose(
        np.asarray(model(red)).ravel(), [-103.939, -116.779, 255 - 123.68], rtol=1e-6
    )


def test_running_means_of_an_optimizer():
    """At momentum 0.5, weights 0.9, 0.8: Keras begins with the first, then 0.85."""
    variable = keras.Variable(np.ones(2, np.float32))
    averaging = keras.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.5)
    for _ in range(2):
        averaging.apply([keras.ops.ones(2)], [variable])
    for optimizer in (averaging, keras.optimizers.LossScaleOptimizer(averaging)):
        means = running_means(optimizer)
        assert list(means) == [id(variable)]
        np.testing.assert_allclose(means[id(variable)].numpy(), 0.85, atol=1e-6)
    assert running_means(keras.optimizers.SGD(0.1)) == {}


def test_seeded_layers_leave_the_random_state_alone():
    random.seed(3)
    before = random.getstate()
    kernels = []
    for seed in (7, 7, 8):
        with seeded(seed):
            layer = keras.layers.Dense(3)
        layer.build((None, 2))
        kernels.append(layer.get_weights()[0])
    assert random.getstate() == before
    np.testing.assert_array_equal(kernels[0], kernels[1])
    assert not np.array_equal(kernels[0], kernels[2])


def test_renumbered_layers_keep_their_order_and_given_names():
    image = keras.Input((4,), name="image")
    x = keras.layers.Dense(2, name="dense_7")(image)
    x = keras.layers.Dense(2, name="mine")(x)
    x = keras.layers.Dense(2, name="dense_12")(x)
    model = keras.Model(image, keras.layers.ReLU(name="re_lu_3")(x))
    renumber(model)
    found = [operation.name for operation in model.operations]
    assert found == ["image", "dense", "mine", "dense_1", "re_lu"]
