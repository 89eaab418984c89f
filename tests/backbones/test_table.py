"""Every backbone and listed cut of the table, against Keras itself."""

from __future__ import annotations

import keras
import pytest

from tlkit.backbones.cut_points import cut_operations
from tlkit.backbones.graph import build_backbone, output_of, symbolic
from tlkit.backbones.registry import find
from tlkit.backbones.spec import Backbone
from tlkit.backbones.table import BACKBONES
from tlkit.errors import UsageError
from tlkit.model.cost import flops

FROM_SCRATCH = [row for row in BACKBONES.values() if row.source == "scratch"]


def in_keras() -> list[str]:
    return [name for name in dir(keras.applications) if name[0].isupper()]


def test_table_is_keras_applications_and_ours():
    assert len(in_keras()) >= 40
    ours = ["Nano", *(row.name for row in FROM_SCRATCH)]
    assert sorted(BACKBONES) == sorted([*in_keras(), *ours])


def test_networks_from_scratch_are_in_the_order_of_their_cost():
    costs = []
    for row in FROM_SCRATCH:
        with symbolic():
            costs.append(flops(build_backbone(row, 64)))
    assert len(costs) == 6
    assert costs == sorted(costs)


@pytest.mark.parametrize("backbone", BACKBONES.values(), ids=lambda row: row.name)
def test_conformance(backbone: Backbone):
    with symbolic():
        network = build_backbone(backbone, backbone.min_size)
    operations = {operation.name: operation for operation in network.operations}
    points = [point.name for point in cut_operations(network)]
    assert network.inputs[0].dtype == "uint8"
    assert network.inputs[0].shape == (None, backbone.min_size, backbone.min_size, 3)
    assert network.count_params() == backbone.parameters
    assert len(backbone.cuts) >= 3
    assert network.outputs[0] is output_of(operations[backbone.cuts[-1]])
    assert [name for name in points if name in backbone.cuts] == list(backbone.cuts)
    for cut in backbone.cuts:
        assert min(output_of(operations[cut]).shape[1:3]) >= 1
    assert backbone.min_size <= backbone.native
    with pytest.raises(UsageError, match=f"at least {backbone.min_size} px"):
        build_backbone(backbone, backbone.min_size - 1)


def test_the_smallest_size_is_that_of_keras():
    for name, least in {"InceptionV3": 75, "Xception": 71, "VGG16": 32}.items():
        assert BACKBONES[name].min_size == least
        build = getattr(keras.applications, name)
        with pytest.raises(ValueError, match=f"at least {least}"):
            build(weights=None, include_top=False, input_shape=(least - 1,) * 2 + (3,))


def test_every_name_finds_its_row_only():
    for row in BACKBONES.values():
        for name in (row.name, *row.aliases):
            assert find(name) is row
        assert all(alias == alias.lower() for alias in row.aliases)
