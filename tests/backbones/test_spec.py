"""The description of a backbone, and its names."""

from __future__ import annotations

import pytest

from tlkit.backbones.registry import find
from tlkit.backbones.spec import is_custom, short_name


def test_megabytes():
    # VGG16: 14,714,688 float32 numbers.
    assert find("vgg16").megabytes == pytest.approx(58.858752)


def test_names():
    assert is_custom("a/b.keras")
    assert is_custom("hub:resnet_18_imagenet")
    assert not is_custom("vgg16")
    assert short_name("a/Bee.keras") == "bee"
    assert short_name("runs/first/model.keras") == "first"
    assert short_name("hub:/presets/ResNet") == "resnet"
    assert short_name("MobileNetV2") == "mobilenetv2"
