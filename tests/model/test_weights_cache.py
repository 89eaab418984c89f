"""Published weights fetched and added by hand, without a network."""

from __future__ import annotations

import dataclasses
import hashlib

import keras
import pytest

from tlkit.errors import WeightsError
from tlkit.model import published
from tlkit.model.backbones import find
from tlkit.model.origins import NANO_FILE, cache_folder
from tlkit.model.published import PUBLISHED, Published
from tlkit.model.scratch.small_cnn import small_cnn
from tlkit.model.weights_cache import add, digest, fetch, imagenet_file

MOBILENET = "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """An empty cache, and no network."""

    def get_file(*args, **kwargs):
        raise Exception("URL fetch failure on http://...: None -- no route")

    monkeypatch.setattr(keras.utils, "get_file", get_file)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "cache"))
    return cache_folder()


@pytest.fixture
def brought(tmp_path, monkeypatch):
    """A weights file of SmallCNN, which somebody publishes for once."""
    pixels = keras.Input((32, 32, 3))
    path = tmp_path / "brought.weights.h5"
    keras.Model(pixels, small_cnn(pixels)).save_weights(path)
    md5 = hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
    known = Published("small.weights.h5", "x/small.weights.h5", md5)
    monkeypatch.setitem(published.PUBLISHED, "SmallCNN", known)
    return path


def test_without_network(folder):
    with pytest.raises(WeightsError) as caught:
        imagenet_file(find("mobilenetv2"))
    assert "no route" in caught.value.message
    wanted = (MOBILENET, "weights add MobileNetV2", "--weights PATH", "--backbone nano")
    for one in wanted:
        assert one in caught.value.hint


def test_fetched_into_the_cache(folder, monkeypatch):
    asked: dict[str, str] = {}

    def get_file(fname, origin, **options):
        asked.update(fname=fname, origin=origin, **options)

    monkeypatch.setattr(keras.utils, "get_file", get_file)
    path = imagenet_file(find("vgg16"))
    assert path == folder / "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5"
    assert asked["origin"].endswith(f"keras-applications/vgg16/{path.name}")
    place = (asked["cache_dir"], asked["cache_subdir"])
    assert place == (str(folder.parent), "models")
    assert asked["file_hash"] == "6d6bbae143d832006294945121d1f1fc"


@pytest.mark.parametrize("get", [imagenet_file, fetch])
def test_there_is_nothing_to_fetch(get):
    with pytest.raises(WeightsError, match="SmallCNN has no ImageNet weights"):
        get(find("small"))


def test_nano_comes_along():
    assert fetch(find("nano")) == NANO_FILE
    with pytest.raises(WeightsError, match="its own come with tlkit"):
        imagenet_file(find("nano"))


def test_added_by_hand(folder, brought):
    small = find("small")
    path = add(small, brought)
    assert path == folder / "small.weights.h5"
    assert path.read_bytes() == brought.read_bytes()
    assert add(small, path) == path  # it lies there already
    assert imagenet_file(small) == fetch(small) == path
    assert [one.name for one in folder.iterdir()] == [path.name]


def test_a_damaged_file_is_fetched_anew(folder, brought):
    path = add(find("small"), brought)
    path.write_bytes(b"cut short")
    with pytest.raises(WeightsError, match="no route"):
        fetch(find("small"))


def test_another_file_is_not_added(folder, brought, monkeypatch):
    known = dataclasses.replace(PUBLISHED["SmallCNN"], digest="0" * 64)
    monkeypatch.setitem(published.PUBLISHED, "SmallCNN", known)
    with pytest.raises(WeightsError, match="as published: its digest") as e:
        add(find("small"), brought)
    assert hashlib.sha256(brought.read_bytes()).hexdigest() in e.value.message
    assert "--weights PATH" in e.value.hint
    with pytest.raises(WeightsError, match="of VGG16"):
        add(find("vgg16"), brought)
    with pytest.raises(WeightsError, match="is not there"):
        add(find("vgg16"), brought.with_name("gone.h5"))
    assert not folder.exists()


def test_without_a_published_digest_what_fits_is_taken(folder, brought, monkeypatch):
    known = dataclasses.replace(PUBLISHED["SmallCNN"], digest="")
    monkeypatch.setitem(published.PUBLISHED, "SmallCNN", known)
    assert add(find("small"), brought).is_file()


def test_digest(tmp_path):
    # RFC 1321, appendix A.5; FIPS 180-2, appendix B.1.
    (tmp_path / "abc").write_bytes(b"abc")
    assert digest(tmp_path / "abc", "0" * 32) == "900150983cd24fb0d6963f7d28e17f72"
    assert digest(tmp_path / "abc", "0" * 64).startswith("ba7816bf8f01cfea414140de5dae")
