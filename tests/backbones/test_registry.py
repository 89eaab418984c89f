"""Names of backbones, as typed."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tlkit.backbones.registry import find
from tlkit.errors import UsageError


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("inception", "InceptionV3"),
        ("inception_v3", "InceptionV3"),
        ("Inception-V3", "InceptionV3"),
        ("vgg", "VGG16"),
        ("vgg16", "VGG16"),
        ("VGG-19", "VGG19"),
        ("resnet", "ResNet50"),
        ("resnet50", "ResNet50"),
        ("resnet_50_v2", "ResNet50V2"),
        ("mobilenetv2", "MobileNetV2"),
        ("mobilenet_v2", "MobileNetV2"),
        ("mobilenet", "MobileNet"),
        ("mobilenet_v3_small", "MobileNetV3Small"),
        ("efficientnet", "EfficientNetB0"),
        ("efficientnet-b7", "EfficientNetB7"),
        ("EFFICIENTNETV2B1", "EfficientNetV2B1"),
        ("convnext", "ConvNeXtTiny"),
        ("densenet", "DenseNet121"),
        ("xception", "Xception"),
        ("nasnet", "NASNetMobile"),
        ("small", "SmallCNN"),
        ("smallcnn", "SmallCNN"),
        ("lenet", "LeNet5"),
        ("LeNet-5", "LeNet5"),
        ("alexnet", "AlexNetSmall"),
        ("squeezenet", "SqueezeNet"),
        ("resnet-20", "ResNet20"),
        ("densenet_40", "DenseNet40"),
        ("nano", "Nano"),
    ],
)
def test_find(typed: str, name: str):
    assert find(typed).name == name


def test_find_suggests():
    with pytest.raises(UsageError, match=r"Did you mean .*ResNet50"):
        find("resnet51")
    with pytest.raises(UsageError, match="Unknown backbone ''"):
        find("")
    with pytest.raises(UsageError, match=r"Use a \.keras file"):
        find("my.h5")


def test_import_is_light():
    code = (
        "import sys, tlkit.backbones.registry, tlkit.model.head; "
        "sys.exit(bool({'keras', 'tensorflow'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
