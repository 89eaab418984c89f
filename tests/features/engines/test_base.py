"""What both engines have in common."""

import keras
import numpy as np
import pytest

from tests.features.engines.conftest import SIZE, images, split
from tlkit.backbones.cut_points import cut_operations, unfinished
from tlkit.backbones.graph import build_backbone, output_of
from tlkit.backbones.registry import find
from tlkit.features.engines.base import FrozenNetwork
from tlkit.features.engines.choose import build_engine
from tlkit.features.machine import Measurements

pytest.importorskip("openvino")


def built(name, network, tmp_path):
    return build_engine(name, network, Measurements(tmp_path), "cpu:0")


def test_both_engines_compute_what_the_network_does(network, tmp_path):
    x = images(10)
    wanted = np.asarray(network.model(x))
    for name in ("keras", "openvino"):
        made = built(name, network, tmp_path)
        ((got,),) = made.run([x])
        assert made.name == name
        assert got.dtype == np.float32
        # bfloat16 has 8 bits; on a processor without it both are float32.
        tolerance = 1e-5 if made.compute == "float32" else 2e-2
        assert np.abs(got - wanted).max() <= tolerance * np.abs(wanted).max()


@pytest.mark.parametrize("name", ["keras", "openvino"])
def test_several_maps_come_in_order_and_each_as_if_it_were_alone(tmp_path, name):
    backbone = build_backbone(find("mobilenetv2"), SIZE)
    points = [
        p for p in cut_operations(backbone) if p.name not in unfinished(backbone)
    ][:14]
    outputs = [output_of(point) for point in points]
    many = FrozenNetwork(keras.Model(backbone.inputs[0], outputs))
    made = built(name, many, tmp_path)
    if made.compute != "float32":
        pytest.skip(
            "roundings differ, which is why such vectors have keys of their own"
        )
    groups = split(images(5), 2)
    results = list(made.run(groups))
    assert [len(maps) for maps in results] == [14, 14, 14]
    some = [1, 7, 12]
    fewer = list(made.only(some).run(groups))
    for i, maps in zip(some, zip(*fewer, strict=True), strict=True):
        alone = built(name, many.only([i]), tmp_path)
        wanted = np.concatenate([one for (one,) in alone.run(groups)])
        assert np.concatenate(maps).tobytes() == wanted.tobytes()
        got = np.concatenate([one[i] for one in results])
        assert got.tobytes() == wanted.tobytes()


@pytest.mark.parametrize("name", ["keras", "openvino"])
def test_results_are_not_overwritten_later_and_few_images_are_ahead(
    network, tmp_path, name
):
    drawn = []

    def groups():
        for i in range(20):
            drawn.append(i)
            yield images(2, seed=i)

    made = built(name, network, tmp_path)
    results = made.run(groups())
    (first,) = next(results)
    kept = first.copy()
    assert len(drawn) <= 8
    rest = [maps for (maps,) in results]
    assert len(rest) == 19
    assert np.array_equal(first, kept)
    ((again,),) = made.run([images(2, seed=19)])
    np.testing.assert_allclose(rest[-1], again, atol=1e-6)
