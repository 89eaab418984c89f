"""OpenVINO: the same bits however the work is divided."""

import numpy as np
import pytest

from tests.features.engines.conftest import images, split
from tlkit.features.engines.keras import KerasEngine
from tlkit.features.engines.openvino import OpenVinoEngine
from tlkit.features.machine import Measurements

pytest.importorskip("openvino")


def openvino_of(network, tmp_path, batch=None, streams=None):
    made = OpenVinoEngine(network, Measurements(tmp_path))
    made.batch, made.streams = batch or made.batch, streams or made.streams
    return made


@pytest.mark.parametrize(("batch", "streams"), [(1, 1), (3, 2), (16, 2)])
def test_batching_changes_no_bit_and_no_order(network, tmp_path, batch, streams):
    x = images(45)
    ((wanted,),) = openvino_of(network, tmp_path, 45, 1).run([x])
    groups = split(x, 7)
    made = openvino_of(network, tmp_path, batch, streams)
    got = [maps for (maps,) in made.run(groups)]
    assert [len(g) for g in got] == [7, 7, 7, 7, 7, 7, 3]
    assert np.concatenate(got).tobytes() == wanted.tobytes()


def test_an_engine_that_was_left_in_the_middle_can_be_used_again(network, tmp_path):
    made = openvino_of(network, tmp_path)
    results = made.run(split(images(30), 3))
    next(results)
    results.close()
    x = images(4, seed=9)
    ((got,),) = made.run([x])
    ((wanted,),) = openvino_of(network, tmp_path).run([x])
    assert got.tobytes() == wanted.tobytes()


def test_numerics_name_engine_version_and_precision(network, tmp_path):
    assert openvino_of(network, tmp_path).numerics.startswith("openvino 20")
    assert KerasEngine(network).numerics.endswith("float32 cpu")
