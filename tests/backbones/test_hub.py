"""KerasHub presets: through a stand-in for the library, and the library where it is."""

from __future__ import annotations

import json
import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import keras
import numpy as np
import pytest

from tests.conftest import ROOT
from tlkit.backbones.graph import output_of
from tlkit.backbones.registry import find
from tlkit.backbones.spec import HUB_INSTALL, NONE
from tlkit.errors import UsageError
from tlkit.model.classifier import build_classifier
from tlkit.model.head import parse_head


def network() -> keras.Model:
    image = keras.Input((None, None, 3))
    x = keras.layers.Conv2D(4, 3, name="low")(image)
    return keras.Model(image, keras.layers.Add()([x, keras.layers.Conv2D(4, 1)(x)]))


@pytest.fixture
def preset(tmp_path, monkeypatch):
    """A directory, and a library that knows it; `converter` is its image converter."""
    model = network()
    state = SimpleNamespace(converter=None, loads=[], folder=tmp_path / "preset")
    state.folder.mkdir()
    (state.folder / "config.json").write_text(json.dumps({}))

    def from_preset(name: str, load_weights: bool = True) -> keras.Model:
        state.loads.append(load_weights)
        if name != str(state.folder):
            raise FileNotFoundError(f"no preset {name}")
        found = network()
        if load_weights:
            found.set_weights(model.get_weights())
        return found

    def converter(name: str) -> Any:
        if state.converter is None:
            raise ValueError("no image_converter.json")
        return SimpleNamespace(**state.converter)

    library = {
        "models": SimpleNamespace(Backbone=SimpleNamespace(from_preset=from_preset)),
        "layers": SimpleNamespace(
            ImageConverter=SimpleNamespace(from_preset=converter)
        ),
    }
    monkeypatch.setitem(sys.modules, "keras_hub", ModuleType("keras_hub"))
    for name, content in library.items():
        monkeypatch.setitem(sys.modules, f"keras_hub.{name}", content)
    state.model, state.name = model, f"hub:{state.folder}"
    return state


def test_without_the_library(monkeypatch):
    for name in ("keras_hub", "keras_hub.models"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(UsageError, match="needs the library KerasHub") as caught:
        find("hub:resnet_18_imagenet")
    assert caught.value.hint == HUB_INSTALL


def test_the_extra_pins_what_the_hint_and_the_checks_install():
    extra = (ROOT / "pyproject.toml").read_text().split("\nhub = [")[1].split("\n]")[0]
    pins = HUB_INSTALL.removeprefix("pip install ").split()
    assert len(pins) == 2
    assert all(f'"{pin} ;' in extra for pin in pins)


def test_a_preset_that_cannot_be_loaded(preset):
    with pytest.raises(UsageError, match=r"'nope' cannot be loaded: no preset nope"):
        find("hub:nope")


def test_the_image_converter_has_size_and_preprocessing(preset):
    preset.converter = {"image_size": (24, 24), "scale": [0.1, 0.2, 0.4], "offset": -1}
    row = find(preset.name)
    assert (row.native, row.fixed) == (24, False)
    assert row.preprocessing.scale == (0.1, 0.2, 0.4)
    assert row.preprocessing.offset == (-1.0, -1.0, -1.0)
    # As in a process that has built nothing else.
    assert row.cuts == ("add",)
    assert set(preset.loads) == {False}
    with pytest.raises(UsageError, match="has its own preprocessing"):
        find(preset.name, preprocessing="tf")


def test_a_converter_that_does_not_scale(preset):
    preset.converter = {"image_size": None, "scale": None, "offset": None}
    assert find(preset.name, size=24).preprocessing is NONE
    with pytest.raises(UsageError, match="any size"):
        find(preset.name)


def test_without_a_converter_preprocessing_must_be_given(preset):
    with pytest.raises(UsageError, match="must be given"):
        find(preset.name, size=24)
    assert find(preset.name, size=24, preprocessing="caffe").preprocessing.name


def test_its_weights_are_loaded(preset):
    preset.converter = {"image_size": (24, 24), "scale": 0.5, "offset": None}
    built = build_classifier(
        find(preset.name),
        size=24,
        cut=None,
        freeze_to=None,
        head=parse_head("gap"),
        n_classes=2,
        weights="own",
        seed=0,
    )
    assert preset.loads[-1] is True
    x = np.random.default_rng(0).integers(0, 256, (2, 24, 24, 3)).astype("uint8")
    cut = next(one for one in built.model.operations if one.name == "add")
    ours = np.asarray(keras.Model(built.model.inputs[0], output_of(cut))(x))
    expected = np.asarray(preset.model(x.astype("float32") * 0.5))
    np.testing.assert_allclose(ours, expected, rtol=1e-5, atol=1e-4)


def test_the_real_library(tmp_path):
    hub = pytest.importorskip("keras_hub")
    theirs = hub.models.ResNetBackbone(
        input_conv_filters=[64],
        input_conv_kernel_sizes=[7],
        stackwise_num_filters=[64, 128],
        stackwise_num_blocks=[1, 1],
        stackwise_num_strides=[1, 2],
        block_type="basic_block",
        image_shape=(None, None, 3),
    )
    theirs.save_to_preset(str(tmp_path))
    converter = hub.layers.ImageConverter(image_size=(32, 32), scale=1 / 255)
    converter.save_to_preset(str(tmp_path))
    row = find(f"hub:{tmp_path}")
    assert row.native == 32
    built = build_classifier(
        row,
        size=32,
        cut=None,
        freeze_to=None,
        head=parse_head("gap"),
        n_classes=2,
        weights="own",
        seed=0,
    )
    x = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3)).astype("uint8")
    cut = built.model.get_layer(row.cuts[-1])
    ours = np.asarray(keras.Model(built.model.inputs[0], output_of(cut))(x))
    expected = np.asarray(theirs(x.astype("float32") / 255, training=False))
    np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=1e-4)
