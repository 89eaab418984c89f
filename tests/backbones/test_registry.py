"""Conformance of the table: every backbone, every listed cut, against Keras itself."""

from __future__ import annotations

import importlib
import subprocess
import sys
import warnings

import keras
import numpy as np
import pytest

from tlkit.backbones.cut_points import cut_operations
from tlkit.backbones.graph import build_backbone, output_of, preprocess, symbolic
from tlkit.backbones.registry import find
from tlkit.backbones.spec import Backbone
from tlkit.backbones.table import BACKBONES, from_scratch
from tlkit.backbones.weights.sources import PUBLISHED
from tlkit.errors import UsageError
from tlkit.model.cost import flops

# keras.applications.<module>.preprocess_input, one backbone a family.
FAMILIES = {
    "VGG16": "vgg16",
    "VGG19": "vgg19",
    "ResNet50": "resnet",
    "ResNet101V2": "resnet_v2",
    "InceptionV3": "inception_v3",
    "InceptionResNetV2": "inception_resnet_v2",
    "Xception": "xception",
    "MobileNet": "mobilenet",
    "MobileNetV2": "mobilenet_v2",
    "MobileNetV3Large": "mobilenet_v3",
    "DenseNet169": "densenet",
    "NASNetMobile": "nasnet",
    "EfficientNetB3": "efficientnet",
    "EfficientNetV2M": "efficientnet_v2",
    "ConvNeXtBase": "convnext",
}


def in_keras() -> list[str]:
    return [name for name in dir(keras.applications) if name[0].isupper()]


def test_table_is_keras_applications_and_ours():
    assert len(in_keras()) >= 40
    ours = ["Nano", *(row.name for row in from_scratch())]
    assert sorted(BACKBONES) == sorted([*in_keras(), *ours])


def test_networks_from_scratch_are_in_the_order_of_their_cost():
    costs = []
    for row in from_scratch():
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


def test_every_name_finds_its_row_only():
    for row in BACKBONES.values():
        for name in (row.name, *row.aliases):
            assert find(name) is row
        assert all(alias == alias.lower() for alias in row.aliases)


def test_find_suggests():
    with pytest.raises(UsageError, match=r"Did you mean .*ResNet50"):
        find("resnet51")
    with pytest.raises(UsageError, match="Unknown backbone ''"):
        find("")


def test_megabytes():
    # VGG16: 14,714,688 float32 numbers.
    assert find("vgg16").megabytes == pytest.approx(58.858752)


def test_import_is_light():
    code = (
        "import sys, tlkit.backbones.registry, tlkit.model.head; "
        "sys.exit(bool({'keras', 'tensorflow'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("name", FAMILIES)
def test_preprocessing_is_that_of_keras(name: str):
    module = importlib.import_module(f"keras.applications.{FAMILIES[name]}")
    pixels = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 3)).astype("uint8")
    pixels[0, 0, 0], pixels[0, 0, 1] = 0, 255
    image = keras.Input((8, 8, 3), dtype="uint8")
    model = keras.Model(image, preprocess(image, BACKBONES[name].preprocessing))
    ours = np.asarray(model(pixels))
    assert ours.dtype == np.float32
    expected = module.preprocess_input(pixels.astype("float32"))
    np.testing.assert_allclose(ours, expected, atol=2e-5)


def test_preprocessing_by_hand():
    # One red pixel: BGR order puts it last; -103.939 = 0 - mean blue.
    image = keras.Input((1, 1, 3), dtype="uint8")
    model = keras.Model(image, preprocess(image, BACKBONES["VGG16"].preprocessing))
    red = np.array([[[[255, 0, 0]]]], "uint8")
    np.testing.assert_allclose(
        np.asarray(model(red)).ravel(), [-103.939, -116.779, 255 - 123.68], rtol=1e-6
    )


def test_published_files_are_those_of_keras(monkeypatch):
    """Every name, address and checksum, as the installed Keras would ask for it."""
    asked = []

    class StopError(Exception):
        pass

    def get_file(fname=None, origin=None, *, cache_subdir="", file_hash=None):
        asked.append((fname, origin, cache_subdir, file_hash or ""))
        raise StopError

    file_utils = importlib.import_module("keras.src.utils.file_utils")
    monkeypatch.setattr(file_utils, "get_file", get_file)
    assert sorted(PUBLISHED) == sorted(in_keras())
    for name in ("MobileNetV2", "InceptionV3", "VGG16", "EfficientNetV2B0"):
        build = getattr(keras.applications, name)
        with symbolic(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # MobileNetV2: 224 px weights are used
            with pytest.raises(StopError):
                build(include_top=False)
        published = PUBLISHED[name]
        assert asked[-1] == (
            published.file,
            published.url,
            "models",
            published.checksum,
        )
