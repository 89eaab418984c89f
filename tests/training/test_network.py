"""A network goes back to all that it was."""

from __future__ import annotations

import numpy as np

from tlkit.config import build_config, resolve
from tlkit.model.phases import ALL, HEAD
from tlkit.tasks.task import Task
from tlkit.training.network import build_network

OPTIONS = {
    "backbone": "smallcnn",
    "weights": "none",
    "size": 32,
    "head": "gap,bn,dense:4,dropout:0.5",
}


def state(network):
    layers = network.reference.model.layers
    return [np.array(v) for layer in layers for v in layer.variables]


def train(network):
    model = network.trained.model
    model.compile("sgd", "categorical_crossentropy")
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (8, 32, 32, 3), np.uint8)
    model.fit(pixels, np.eye(3)[np.arange(8) % 3], epochs=1, verbose=0)


def same(one, other):
    return [bool((a == b).all()) for a, b in zip(one, other, strict=True)]


def test_statistics_and_dropout_go_back_too():
    network = build_network(
        resolve(build_config(options=OPTIONS)), Task(3), "cpu:0", "float32"
    )
    built = state(network)
    network.freeze(HEAD)
    train(network)
    reached, kept = state(network), network.copy_weights()
    assert not all(same(built, reached))
    names = [
        v.path for layer in network.reference.model.layers for v in layer.variables
    ]
    changed = {
        name
        for name, equal in zip(names, same(built, reached), strict=True)
        if not equal
    }
    assert any("moving_mean" in name for name in changed)
    assert any("seed" in name for name in changed)
    network.freeze(ALL)
    train(network)
    assert not all(same(reached, state(network)))
    network.restore_weights(kept)
    assert all(same(reached, state(network)))
    network.restore_weights({})
    assert all(same(built, state(network)))


def test_half_way_leaves_the_state_of_dropout_whole():
    network = build_network(
        resolve(build_config(options=OPTIONS)), Task(3), "cpu:0", "float32"
    )
    network.freeze(HEAD)
    before = network.copy_weights()
    train(network)
    after = network.copy_weights()
    mean = network.average_weights(before, after)
    for place, value in mean.items():
        if value.dtype.kind == "u":
            assert (value == before[place]).all()
        else:
            np.testing.assert_allclose(value, (before[place] + after[place]) / 2)
    network.restore_weights(mean)


def test_frozen_layers_do_not_change():
    network = build_network(
        resolve(build_config(options=OPTIONS)), Task(3), "cpu:0", "float32"
    )
    for above in ("block2", HEAD):
        network.freeze(above)
        before = network.trained.frozen_checksum()
        train(network)
        assert network.trained.frozen_checksum() == before


def test_the_same_parts_come_out_for_the_same_freeze_point():
    network = build_network(
        resolve(build_config(options=OPTIONS)), Task(3), "cpu:0", "float32"
    )
    network.freeze(HEAD)
    head = network.split(network.trained)
    network.freeze("block2")
    assert network.split(network.trained).suffix is not head.suffix
    network.freeze(HEAD)
    assert network.split(network.trained) is head
