"""Nano: its size, its cost, and the weights that come with it."""

from __future__ import annotations

import itertools

import h5py
import keras
import numpy as np
import pytest

from tlkit.backbones.graph import build_backbone, symbolic
from tlkit.backbones.registry import find
from tlkit.backbones.weights.load import load_weights
from tlkit.backbones.weights.sources import NANO_FILE
from tlkit.model.cost import flops


def test_size_and_cost():
    with symbolic():
        network = build_backbone(find("nano"), 96)
    # stem 27*16; then 9*in + in*out a block, and four numbers for every channel that
    # is normalized: the stem's, and in and out of every block. The fourth stage
    # gets the 128 channels that the third has passed on with its 256. What both
    # hand on has a mean and a variance.
    channels = [16, 48, 48, 128, 128, 128, 256, 256, 256, 512, 512]
    pairs = list(itertools.pairwise(channels))
    pairs[8] = (256 + 128, 512)
    weights = 27 * 16 + 4 * 16
    weights += sum(9 * a + a * b + 4 * a + 4 * b for a, b in pairs)
    weights += 2 * (128 + 256) + 2 * (128 + 256 + 512)
    assert network.count_params() == weights < 1e6
    # 48 x 48 behind the stem, then 24, 12, 6 and 3.
    widths = [24] * 2 + [12] * 3 + [6] * 3 + [3] * 2
    spent = 2 * 48**2 * 27 * 16
    steps = zip(widths, pairs, strict=True)
    spent += sum(2 * width**2 * (9 * a + a * b) for width, (a, b) in steps)
    assert flops(network) == spent < 40e6
    assert network.outputs[0].shape == (None, 3, 3, 128 + 256 + 512)


@pytest.mark.parametrize("size", [64, 100])
def test_the_last_stages_pass_on_their_input(size):
    """Each place of it is the mean of the four below; at 100 px of 7 places, 2 go to
    the first and 1 to the last of 4, for what is missing is missing at the end."""
    network = build_backbone(find("nano"), size)
    names = ("stage3", "stage4_block2", "stage4_all")
    ends = [network.get_layer(name).output for name in names]
    pixels = np.random.default_rng(0).integers(0, 256, (1, size, size, 3), "uint8")
    third, made, last = (
        np.asarray(one[0]) for one in keras.Model(network.input, ends)(pixels)
    )
    np.testing.assert_array_equal(last[..., 384:], made)
    for y, x in np.ndindex(last.shape[:2]):
        window = third[2 * y : 2 * y + 2, 2 * x : 2 * x + 2]
        np.testing.assert_allclose(last[y, x, :384], window.mean((0, 1)), rtol=1e-5)


def test_the_output_is_normalized():
    """By what the last layer knows of it, here by hand: less 3, by a half."""
    network = build_backbone(find("nano"), 64)
    pixels = np.random.default_rng(0).integers(0, 256, (1, 64, 64, 3), "uint8")
    last = network.layers[-1]
    assert last.name == "stage4"
    last.set_weights([np.full(896, 3.0), np.full(896, 4.0 - last.epsilon)])
    whole = keras.Model(network.input, [last.input, last.output])
    before, after = (np.asarray(one) for one in whole(pixels))
    np.testing.assert_allclose(after, (before - 3) / 2, rtol=1e-5, atol=1e-6)


def test_its_weights_are_small_and_loaded_without_network():
    assert NANO_FILE.stat().st_size < 2.5e6
    with h5py.File(NANO_FILE) as file:
        kinds = set()
        file.visititems(
            lambda _, one: kinds.add(one.dtype) if hasattr(one, "dtype") else None
        )
    assert kinds == {np.dtype("float16")}
    network = build_backbone(find("nano"), 64)
    random = network.get_layer("stem_conv").kernel.numpy()
    load_weights(find("nano"), network, network, "own")
    assert np.abs(network.get_layer("stem_conv").kernel.numpy() - random).max() > 0.01
    pixels = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), dtype=np.uint8)
    features = np.asarray(network(pixels))
    assert np.isfinite(features).all()
    assert features.std() > 0
