"""The small networks, held against the papers they are from."""

from __future__ import annotations

import math

import keras
import numpy as np
import pytest

from tests.backbones.test_table import FROM_SCRATCH
from tlkit.backbones.graph import build_backbone, symbolic
from tlkit.backbones.registry import find
from tlkit.backbones.scratch import NETWORKS
from tlkit.backbones.scratch.densenet import densenet_bc


def trainable(model: keras.Model) -> int:
    """Weights without the running statistics, as papers count them."""
    return sum(math.prod(weight.shape) for weight in model.trainable_weights)


def network(name: str, size: int) -> keras.Model:
    with symbolic():
        return build_backbone(find(name), size)


def test_every_network_is_in_the_table():
    assert sorted(NETWORKS) == sorted(row.name for row in FROM_SCRATCH)


def test_small_cnn_sizes():
    # 3x3 kernels: 3*9*24+24, 24*9*48+48, 48*9*96+96, 96*9*128+128.
    assert find("small").parameters == 672 + 10_416 + 41_568 + 110_720
    assert network("small", 64).outputs[0].shape == (None, 4, 4, 128)


def test_lenet():
    # (5*5*3+1)*6 for colors (156 in the paper, for gray); (5*5*6+1)*16 as every map
    # of S2 is seen (1,516 in the paper, by its table I); C5 as in the paper: 48,120.
    model = network("lenet", 32)
    assert trainable(model) == 456 + 2_416 + 48_120
    widths = {"c1": 28, "s2": 14, "c3": 10, "s4": 5, "c5": 1}
    assert {name: model.get_layer(name).output.shape[1] for name in widths} == widths


def test_alexnet():
    # 25*3*48+48, 25*48*128+128, 9*128*192+192, 9*192*192+192, 9*192*128+128.
    model = network("alexnet", 64)
    assert trainable(model) == 3_648 + 153_728 + 221_376 + 331_968 + 221_312
    assert model.outputs[0].shape == (None, 3, 3, 128)


def test_squeezenet():
    # 1,235,496 in all less the 512*1000+1000 of its classifier.
    model = network("squeezenet", 224)
    assert trainable(model) == 1_235_496 - 513_000
    assert model.get_layer("conv1").output.shape[1] == 111
    assert model.outputs[0].shape == (None, 13, 13, 512)


def test_resnet20():
    # Convolutions: 3*9*16, then 6 of 16, 1 + 5 of 32 and 1 + 5 of 64; a scale and an
    # offset for each of their 7*16 + 6*32 + 6*64 maps. The paper: 0.27 M with 64*10+10.
    convolutions = 432 + 6 * 2_304 + 4_608 + 5 * 9_216 + 18_432 + 5 * 36_864
    model = network("resnet20", 32)
    assert trainable(model) == convolutions + 2 * (7 * 16 + 6 * 32 + 6 * 64)
    assert round((trainable(model) + 650) / 1e6, 2) == 0.27
    kernels = [one for one in model.layers if isinstance(one, keras.layers.Conv2D)]
    assert len(kernels) == 19  # and the dense layer of the head


def test_resnet20_shortcuts_have_no_weights():
    """Every second pixel, and eight new maps of zeros before and after."""
    model = build_backbone(find("resnet20"), 32)
    before, after = "stage1_block3_out", "stage2_block1_add"
    pad = next(one for one in model.operations if one.name == "pad")
    both = keras.Model(
        model.inputs[0],
        [model.get_layer(before).output, pad.output, model.get_layer(after).output],
    )
    x = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3)).astype("uint8")
    maps, padded, summed = (np.asarray(one) for one in both(x))
    expected = np.zeros((2, 16, 16, 32), "float32")
    expected[..., 8:24] = maps[:, ::2, ::2]
    np.testing.assert_array_equal(padded, expected)
    assert summed.shape == expected.shape


def test_densenet():
    # Layer i of a block: scale and offset for its maps, 1x1 to 48, scale and offset
    # for those, 3x3 to 12.
    def block(maps: int) -> int:
        starts = [maps + 12 * i for i in range(6)]
        return sum(2 * n + n * 48 + 2 * 48 + 9 * 48 * 12 for n in starts)

    transitions = (2 * 96 + 96 * 48) + (2 * 120 + 120 * 60)
    whole = 3 * 9 * 24 + block(24) + block(48) + block(60) + transitions + 2 * 132
    assert trainable(network("densenet40", 32)) == whole


def test_densenet_of_the_paper():
    """L = 100, k = 12: 0.8 M in its table 2; 342 maps go to 10 classes."""
    with symbolic():
        pixels = keras.Input((32, 32, 3))
        model = keras.Model(pixels, densenet_bc(pixels, depth=100, growth=12))
    assert trainable(model) == 769_162 - (342 * 10 + 10)


@pytest.mark.parametrize("row", FROM_SCRATCH, ids=lambda row: row.name)
def test_two_images_are_learned_by_heart(row):
    """The gradient reaches every layer, and the loss falls."""
    network = build_backbone(row, 32, seed=1)
    features = keras.layers.GlobalAveragePooling2D()(network.outputs[0])
    output = keras.layers.Dense(2, activation="softmax")(features)
    model = keras.Model(network.inputs[0], output)
    before = [np.array(weight) for weight in model.trainable_weights]
    optimizer = keras.optimizers.Adam(1e-3)
    optimizer.build(model.trainable_variables)
    model.compile(optimizer, "sparse_categorical_crossentropy", run_eagerly=True)
    x = np.zeros((8, 32, 32, 3), "uint8")
    x[::2, 8:24, 8:24] = 255
    y = np.arange(8) % 2
    history = model.fit(x, y, batch_size=8, epochs=15, verbose=0)
    assert history.history["loss"][-1] < 0.5 * history.history["loss"][0]
    for old, weight in zip(before, model.trainable_weights, strict=True):
        assert not np.array_equal(old, np.asarray(weight)), weight.path
