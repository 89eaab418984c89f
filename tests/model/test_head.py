from __future__ import annotations

import keras
import numpy as np
import pytest

from tlkit.errors import UsageError
from tlkit.model.head import DEFAULT_HEAD, HeadLayer, apply_head, parse_head
from tlkit.tasks.task import Task


def test_parse():
    assert parse_head("flatten,dense:1024,dropout:0.2") == (
        HeadLayer("flatten"),
        HeadLayer("dense", 1024),
        HeadLayer("dropout", 0.2),
    )
    assert parse_head(" GAP , bn, dense : 8") == (
        HeadLayer("gap"),
        HeadLayer("bn"),
        HeadLayer("dense", 8),
    )
    assert parse_head("bn,dropout:0,gmp")[-1] == HeadLayer("gmp")


def test_text_round_trip():
    for text in (DEFAULT_HEAD, "flatten,dense:1024,dropout:0.2", "bn,gmp"):
        assert ",".join(str(layer) for layer in parse_head(text)) == text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("flaten,dense:8", "Unknown head layer 'flaten'.\nDid you mean flatten"),
        ("", "has an empty layer"),
        ("gap,,dense:8", "has an empty layer"),
        ("gap,dense", "needs dense:UNITS"),
        ("gap,dense:", "needs dense:UNITS"),
        ("gap,dense:0", "got '0'"),
        ("gap,dense:-3", "got '-3'"),
        ("gap,dense:8.5", "got '8.5'"),
        ("gap,dense:²", "needs dense:UNITS"),
        ("gap,dropout", "needs dropout:RATE"),
        ("gap,dropout:1", "got '1'"),
        ("gap,dropout:-0.1", "got '-0.1'"),
        ("gap,dropout:nan", "got 'nan'"),
        ("gap,dropout:half", "got 'half'"),
        ("gap:3", "gives gap the value '3'"),
        ("gap,bn:", "gives bn the value ''"),
        ("gap,flatten", "has gap and flatten"),
        ("dense:8,gap", "has dense before gap"),
        ("dense:8", "needs one of flatten, gap, gmp"),
        ("dropout:0.2", "needs one of flatten, gap, gmp"),
    ],
)
def test_faults(text: str, message: str):
    with pytest.raises(UsageError) as caught:
        parse_head(text)
    assert message in str(caught.value)


def head_model(text: str, n_classes: int, seed: int = 0) -> keras.Model:
    features = keras.Input((2, 3, 4))
    outputs = apply_head(features, parse_head(text), Task(n_classes), seed)
    return keras.Model(features, outputs)


def test_layers_in_order():
    model = head_model("gap,bn,dense:5,dropout:0.5,dense:6", 3)
    assert [layer.name for layer in model.layers[1:]] == [
        "head1_gap",
        "head2_bn",
        "head3_dense",
        "head4_dropout",
        "head5_dense",
        "probabilities",
    ]
    assert model.layers[3].activation is keras.activations.relu
    # bn 4*4, dense 4*5+5, dense 5*6+6, output 6*3+3
    assert model.count_params() == 16 + 25 + 36 + 21


def test_pooling_by_hand():
    x = np.random.default_rng(0).normal(size=(2, 2, 3, 4)).astype("float32")
    for text, expected in {
        "gap": x.mean((1, 2)),
        "gmp": x.max((1, 2)),
        "gap_gmp": np.hstack([x.mean((1, 2)), x.max((1, 2))]),
        "flatten": x.reshape(2, 24),
    }.items():
        model = head_model(text, 2)
        kernel, bias = model.get_layer("probabilities").get_weights()
        p = 1 / (1 + np.exp(-(expected @ kernel + bias)))
        np.testing.assert_allclose(np.asarray(model(x)), p, atol=1e-6)


def test_outputs():
    two, three = head_model("gap", 2), head_model("gap", 3)
    assert two.outputs[0].shape == (None, 1)
    assert three.outputs[0].shape == (None, 3)
    assert {two.outputs[0].dtype, three.outputs[0].dtype} == {"float32"}
    x = np.random.default_rng(0).normal(size=(5, 2, 3, 4)).astype("float32")
    np.testing.assert_allclose(np.asarray(three(x)).sum(1), np.ones(5), atol=1e-6)


def test_output_is_float32_under_mixed_precision():
    keras.mixed_precision.set_global_policy("mixed_float16")
    try:
        assert head_model("gap,dense:4", 3).outputs[0].dtype == "float32"
    finally:
        keras.mixed_precision.set_global_policy("float32")


def test_seed_decides_and_layers_differ():
    text = "flatten,dense:24,dense:24,dropout:0.5"
    first, again, other = (head_model(text, 2, seed) for seed in (1, 1, 2))
    for one, same in zip(first.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(one, same)
    kernels = [first.get_layer(f"head{i}_dense").get_weights()[0] for i in (2, 3)]
    assert kernels[0].shape == kernels[1].shape
    assert not np.array_equal(*kernels)
    assert not np.array_equal(
        kernels[0], other.get_layer("head2_dense").get_weights()[0]
    )
    x = np.ones((3, 2, 3, 4), "float32")
    np.testing.assert_array_equal(
        np.asarray(first(x, training=True)), np.asarray(again(x, training=True))
    )


def test_features_must_have_places():
    with pytest.raises(UsageError, match="needs \\(height, width, channels\\)"):
        apply_head(keras.Input((7,)), parse_head("gap"), Task(2), 0)
