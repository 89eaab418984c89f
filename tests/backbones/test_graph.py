from __future__ import annotations

import random
import subprocess
import sys

import keras
import numpy as np
import pytest

from tlkit.backbones.graph import build_backbone, symbolic
from tlkit.backbones.registry import find


def names(name: str) -> list[str]:
    row = find(name)
    with symbolic():
        body = build_backbone(row, row.min_size)
    return [operation.name for operation in body.operations]


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
        body = getattr(keras.applications, row)(
            include_top=False, weights=None, input_tensor=keras.Input((75, 75, 3))
        )
    names.append(" ".join(sorted(one.name for one in body.operations[1:])))
print("NAMES" + "|".join(names))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    fresh = done.stdout.split("NAMES")[1].strip().split("|")
    for row, wanted in zip(rows.split(), fresh, strict=True):
        ours = [name for name in names(row) if name not in ("image", "preprocess")]
        assert sorted(ours) == wanted.split()


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


def test_symbolic_bodies_never_get_memory():
    with symbolic():
        body = build_backbone(find("vgg16"), 32)
    keras.layers.Dense(1)(keras.Input((2,)))  # Keras fills in what is pending
    assert body.count_params() == 14_714_688
    assert all(weight._value is None for weight in body.weights)
