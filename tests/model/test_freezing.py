"""Where a backbone is frozen for a share of its computing."""

from __future__ import annotations

import keras
import pytest

from tlkit.backbones.cut_points import find_cut
from tlkit.backbones.graph import build_backbone, output_of, symbolic
from tlkit.backbones.registry import find
from tlkit.errors import UsageError
from tlkit.model.freezing import freeze_point, shares_above, tunable


def base_model(name: str, cut: str | None = None) -> keras.Model:
    backbone = find(name)
    with symbolic():
        model = build_backbone(backbone, backbone.min_size)
    features = output_of(find_cut(model, cut or backbone.cuts[-1], name))
    return keras.Model(model.inputs[0], features, name=model.name)


def test_shares_by_hand():
    """Four 3x3 convolutions; each block halves the map. In 3 * 9 * 24 * 32 * 32."""
    convolutions = [3 * 24, 24 * 48 / 4, 48 * 96 / 16, 96 * 128 / 64]
    shares = shares_above(base_model("smallcnn"))
    for block in range(4):
        expected = sum(convolutions[block + 1 :]) / sum(convolutions)
        assert shares[f"block{block + 1}"] == pytest.approx(expected)


def test_points():
    model = base_model("mobilenetv2")
    shares = shares_above(model)
    top, deep = (freeze_point(model, one) for one in ("top", "deep"))
    assert 0.7 / 3 < shares[top] <= 1 / 3 < 1.4 / 3 < shares[deep] <= 2 / 3
    assert freeze_point(model, "head") == "out_relu"
    assert freeze_point(model, "all") == "none"
    assert freeze_point(model, "block_2_add") == "block_2_add"


@pytest.mark.parametrize(
    ("name", "cut", "shares"),
    [
        # Above block2_conv1 lies 39 % of the computing, above its next nothing.
        ("vgg16", "block2_pool", ["deep"]),
        ("nasnetmobile", "stem_conv1", []),
        ("mobilenetv2", None, ["top", "deep"]),
    ],
)
def test_a_cut_can_leave_nothing_to_tune(name, cut, shares):
    model = base_model(name, cut)
    assert [one for one in ("top", "deep") if tunable(model, one)] == shares
    for one in {"top", "deep"} - {*shares}:
        with pytest.raises(UsageError, match=f"no layer to freeze up to for '{one}'"):
            freeze_point(model, one)
    assert all(tunable(model, one) for one in ("head", "all", "any_layer"))
