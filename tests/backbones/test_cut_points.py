from __future__ import annotations

import keras
import pytest

from tlkit.backbones.cut_points import (
    backbone_operations,
    cut_operations,
    cut_points,
    find_cut,
    find_freeze,
    inputs_below,
    unfinished,
)
from tlkit.backbones.graph import build_backbone, output_of, symbolic
from tlkit.backbones.registry import find
from tlkit.errors import UsageError


def network(name: str) -> keras.Model:
    with symbolic():
        return build_backbone(find(name), 96)


def cut_network(name: str, cut: str) -> keras.Model:
    whole = network(name)
    features = output_of(find_cut(whole, cut, whole.name))
    return keras.Model(whole.inputs[0], features, name=whole.name)


def freeze_name(part: keras.Model, name: str | None) -> str:
    operation = find_freeze(part, name, part.name)
    assert operation is not None
    return str(operation.name)


def test_cut_points_by_hand():
    points = {point.name: point for point in cut_points(find("vgg16"))}
    assert len(points) == 18
    first = points["block1_conv2"]
    assert first.shape == (224, 224, 64)
    # 3*3*3*64 + 64 and 3*3*64*64 + 64
    assert first.parameters == 1_792 + 36_928
    assert not first.recommended
    last = points["block5_pool"]
    assert (last.shape, last.parameters) == ((7, 7, 512), 14_714_688)
    assert last.recommended


def test_cut_points_follow_size():
    points = cut_points(find("inception"), 150)
    assert next(p for p in points if p.name == "mixed7").shape == (7, 7, 768)
    assert [p.parameters for p in points] == sorted(p.parameters for p in points)
    with pytest.raises(UsageError, match="at least 75"):
        cut_points(find("inception"), 64)


def test_cut_operations_separate_the_graph():
    model = network("mobilenet_v2")
    points = [point.name for point in cut_operations(model)]
    assert "block_2_add" in points
    # block_2_expand and its like lie parallel to the shortcut of their block.
    assert not [name for name in points if name.startswith("block_2_expand")]
    for point in cut_operations(model):
        below = {id(one) for one in inputs_below(model, point)}
        crossing = {
            id(parent.operation)
            for one in model.operations
            if id(one) not in below
            for parent in one._inbound_nodes[0].parent_nodes
            if id(parent.operation) in below
        }
        assert crossing <= {id(point)}


def test_image_and_preprocessing_are_no_cut_points():
    points = [point.name for point in cut_points(find("vgg16"), 32)]
    assert points[0] == "block1_conv1"
    with pytest.raises(UsageError):
        find_cut(network("vgg16"), "preprocess", "VGG16")


def test_any_layer_can_be_cut_at_and_only_what_it_needs_is_kept():
    part = cut_network("inception", "conv2d_5")  # the 1x1 branch of mixed0
    kept = [operation.name for operation in backbone_operations(part)]
    assert kept[-1] == "conv2d_5"
    assert len([name for name in kept if name.startswith("conv2d")]) == 6


@pytest.mark.parametrize(
    ("name", "suggestion"), [("mixed77", "mixed7"), ("conv2d_5x", "conv2d_4")]
)
def test_unknown_cut_suggests(name: str, suggestion: str):
    with pytest.raises(UsageError, match=f"Unknown layer '{name}'") as caught:
        find_cut(network("inception"), name, "InceptionV3")
    assert suggestion in caught.value.hint


def test_an_unknown_layer_like_no_other_refers_to_the_list():
    listed = "List them with: tlkit backbones show InceptionV3"
    with pytest.raises(UsageError, match="Unknown layer 'qqq'") as caught:
        find_cut(network("inception"), "qqq", "InceptionV3")
    assert caught.value.hint == listed
    part = cut_network("inception", "mixed7")
    with pytest.raises(UsageError, match="ends at the cut 'mixed7'") as caught:
        find_freeze(part, "qqq", part.name)
    assert caught.value.hint == listed


def test_freeze():
    part = cut_network("mobilenet_v2", "block_6_expand_relu")
    assert freeze_name(part, None) == "block_6_expand_relu"
    assert find_freeze(part, "none", part.name) is None
    assert freeze_name(part, "block_2_add") == "block_2_add"


def test_freezing_inside_a_shortcut_names_the_nearest():
    part = cut_network("mobilenet_v2", "block_6_expand_relu")
    with pytest.raises(UsageError, match="other paths lead around it") as caught:
        find_freeze(part, "block_2_depthwise", part.name)
    assert caught.value.hint.endswith("block_1_project_BN, block_2_add.")


def test_freeze_above_the_cut():
    part = cut_network("mobilenet_v2", "block_2_add")
    with pytest.raises(UsageError, match="backbone ends at the cut 'block_2_add'"):
        find_freeze(part, "block_4_add", part.name)


def test_freezing_in_a_branch_that_ends_at_the_cut():
    part = cut_network("inception", "conv2d_5")
    assert freeze_name(part, None) == "conv2d_5"
    assert freeze_name(part, "max_pooling2d_1") == "max_pooling2d_1"


@pytest.mark.parametrize(
    ("name", "poor", "fine"),
    [
        (
            "mobilenetv2",
            {"Conv1", "bn_Conv1", "block_1_pad", "block_1_expand"},
            {"Conv1_relu", "block_2_add", "block_1_project_BN"},
        ),
        # Its convolutions have their activation inside.
        ("vgg16", set(), {"block1_conv1", "block1_pool"}),
        ("nasnetmobile", {"stem_conv1"}, {"normal_concat_12"}),
    ],
)
def test_unfinished_layers(name, poor, fine):
    found = unfinished(network(name))
    assert poor <= found
    assert not fine & found
