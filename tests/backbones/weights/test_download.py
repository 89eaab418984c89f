"""Published weights downloaded and added by hand, without a network."""

from __future__ import annotations

import dataclasses
import hashlib
import socket
import urllib.error
from pathlib import Path

import keras
import numpy as np
import pytest

from tlkit.backbones.registry import find
from tlkit.backbones.scratch.small_cnn import small_cnn
from tlkit.backbones.weights import sources as published
from tlkit.backbones.weights.download import (
    add,
    download,
    file_checksum,
    imagenet_file,
)
from tlkit.backbones.weights.sources import (
    NANO_FILE,
    PUBLISHED,
    Published,
    cache_folder,
    origin,
)
from tlkit.errors import UsageError, WeightsError

MOBILENET = "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """An empty cache, and no network."""

    def get_file(*args, **kwargs):
        raise Exception("URL fetch failure on http://...: None -- no route")

    monkeypatch.setattr(keras.utils, "get_file", get_file)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "cache"))
    return cache_folder()


def publish(monkeypatch, *, checksum):
    """SmallCNN's file is known by another checksum; None for the true one."""
    if checksum is not None:
        known = dataclasses.replace(PUBLISHED["SmallCNN"], checksum=checksum)
        monkeypatch.setitem(published.PUBLISHED, "SmallCNN", known)


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


def serve(monkeypatch, content):
    """A server that sends this, whatever is asked for."""
    asked = []

    def get_file(fname, origin, *, cache_dir, cache_subdir):
        asked.append(origin)
        place = Path(cache_dir, cache_subdir, fname)
        place.write_bytes(content)
        return str(place)

    monkeypatch.setattr(keras.utils, "get_file", get_file)
    return asked


def test_without_network(folder):
    with pytest.raises(WeightsError) as caught:
        imagenet_file(find("mobilenetv2"))
    assert "no route" in caught.value.message
    assert MOBILENET in caught.value.message
    for one in ("weights add MobileNetV2", "finetune DATASET --backbone nano"):
        assert one in caught.value.hint
    assert list(folder.iterdir()) == []


def test_the_reason_is_given_without_the_words_of_keras(folder, monkeypatch):
    def get_file(*args, **kwargs):
        try:
            raise urllib.error.URLError(socket.gaierror(-2, "Name not known"))
        except urllib.error.URLError as error:
            # As keras.utils.get_file does.
            raise Exception(f"URL fetch failure on http://x: None -- {error}")  # noqa: B904

    monkeypatch.setattr(keras.utils, "get_file", get_file)
    with pytest.raises(WeightsError, match=r"no_top\.h5: Name not known\.\n"):
        imagenet_file(find("mobilenetv2"))


@pytest.mark.parametrize("checksum", [None, ""])
def test_downloaded_into_the_cache(folder, brought, monkeypatch, checksum):
    publish(monkeypatch, checksum=checksum)
    asked = serve(monkeypatch, brought.read_bytes())
    path = imagenet_file(find("small"))
    assert path == folder / "small.weights.h5"
    assert path.read_bytes() == brought.read_bytes()
    assert asked == [PUBLISHED["SmallCNN"].url]
    assert download(find("small")) == (path, False)
    assert len(asked) == 1
    assert [one.name for one in folder.iterdir()] == [path.name]


@pytest.mark.parametrize("checksum", [None, ""])
def test_a_download_that_is_not_weights(folder, brought, monkeypatch, checksum):
    """As of a network that first wants to be logged into."""
    publish(monkeypatch, checksum=checksum)
    serve(monkeypatch, b"<html>Please log in</html>")
    with pytest.raises(WeightsError, match="what came is not these weights"):
        download(find("small"))
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("checksum", [None, ""])
def test_a_damaged_file_is_downloaded_again(folder, brought, monkeypatch, checksum):
    publish(monkeypatch, checksum=checksum)
    small = find("small")
    path, _ = add(small, brought)
    path.write_bytes(brought.read_bytes()[:5000])
    # Without network it stays: nothing that lies there is lost.
    with pytest.raises(WeightsError, match=r"damaged on this machine.*no route"):
        download(small)
    assert path.stat().st_size == 5000
    serve(monkeypatch, brought.read_bytes())
    assert download(small) == (path, True)
    assert path.read_bytes() == brought.read_bytes()


def test_another_file_under_the_published_name_is_not_used(folder, brought):
    folder.mkdir(parents=True)
    pixels = keras.Input((32, 32, 3))
    path = folder / "small.weights.h5"
    keras.Model(pixels, small_cnn(pixels)).save_weights(path)
    with pytest.raises(
        WeightsError, match=r"as published\. Expected checksum"
    ) as caught:
        imagenet_file(find("small"))
    assert "tlkit weights download SmallCNN" in caught.value.hint


def test_a_place_that_cannot_be_written_to(brought, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(brought))  # a file
    for get in (imagenet_file, download, lambda row: add(row, brought)):
        with pytest.raises(UsageError, match="cannot be written to") as caught:
            get(find("small"))
        assert "KERAS_HOME" in caught.value.hint


@pytest.mark.parametrize("get", [imagenet_file, download])
def test_there_is_nothing_to_download(get):
    with pytest.raises(WeightsError, match="SmallCNN has no ImageNet weights"):
        get(find("small"))


def test_nano_comes_along():
    assert download(find("nano")) == (NANO_FILE, False)
    with pytest.raises(WeightsError, match="its own come with tlkit"):
        imagenet_file(find("nano"))


def test_added_by_hand(folder, brought):
    small = find("small")
    path, new = add(small, brought)
    assert (path, new) == (folder / "small.weights.h5", True)
    assert path.read_bytes() == brought.read_bytes()
    for same in (brought, path):
        assert add(small, same) == (path, False)
    assert imagenet_file(small) == path
    assert download(small) == (path, False)
    assert [one.name for one in folder.iterdir()] == [path.name]


def test_another_file_is_not_added(folder, brought, monkeypatch):
    publish(monkeypatch, checksum="0" * 64)
    with pytest.raises(WeightsError, match=r"as published\. Expected checksum") as e:
        add(find("small"), brought)
    assert hashlib.sha256(brought.read_bytes()).hexdigest() in e.value.message
    assert "--weights PATH" in e.value.hint
    with pytest.raises(WeightsError, match="of VGG16"):
        add(find("vgg16"), brought)
    with pytest.raises(UsageError, match="is not there"):
        add(find("vgg16"), brought.with_name("gone.h5"))
    assert not folder.exists()


def test_a_folder_in_the_place_of_a_file_is_an_error(folder, brought, monkeypatch):
    publish(monkeypatch, checksum="")
    where = folder / PUBLISHED["SmallCNN"].file
    where.mkdir(parents=True)
    for have in (
        lambda row: add(row, brought, overwrite=True),
        download,
        imagenet_file,
    ):
        with pytest.raises(UsageError, match="is a folder, in the place") as e:
            have(find("small"))
        assert str(where) in e.value.message
    assert origin(find("small")).damaged
    assert [path.name for path in folder.iterdir()] == [where.name]


def test_without_a_published_checksum_a_file_that_fits_is_taken(
    folder, brought, monkeypatch
):
    publish(monkeypatch, checksum="")
    path, _ = add(find("small"), brought)
    pixels = keras.Input((32, 32, 3))
    network = keras.Model(pixels, small_cnn(pixels))
    network.set_weights([np.full_like(one, np.nan) for one in network.get_weights()])
    network.save_weights(brought)
    with pytest.raises(WeightsError, match="NaN or infinite"):
        add(find("small"), brought)
    assert path.read_bytes() != brought.read_bytes()


def test_a_usable_file_is_replaced_only_with_overwrite(folder, brought, monkeypatch):
    publish(monkeypatch, checksum="")
    small = find("small")
    path, _ = add(small, brought)
    first = path.read_bytes()
    pixels = keras.Input((32, 32, 3))
    keras.Model(pixels, small_cnn(pixels)).save_weights(brought)
    with pytest.raises(UsageError, match="exists, differs from") as caught:
        add(small, brought)
    assert "--overwrite" in caught.value.hint
    assert path.read_bytes() == first
    assert add(small, brought, overwrite=True) == (path, True)
    assert path.read_bytes() == brought.read_bytes()
    # One that is damaged is nobody's loss.
    path.write_bytes(first[:5000])
    assert add(small, brought) == (path, True)


@pytest.mark.filterwarnings("ignore:You are saving your model:UserWarning")
@pytest.mark.parametrize(
    ("form", "top", "fault"),
    [
        ("old.h5", False, ""),
        ("old.h5", True, "it has 5 layers with weights instead of 4"),
        ("new.weights.h5", False, "it is in Keras' newer layout"),
    ],
)
def test_files_that_keras_could_not_read_by_the_published_name(
    tmp_path, monkeypatch, form, top, fault
):
    """Or every other program that shares the cache would fail."""
    known = Published("small.h5", "x/small.h5", "")
    monkeypatch.setitem(published.PUBLISHED, "SmallCNN", known)
    pixels = keras.Input((32, 32, 3))
    end = small_cnn(pixels)
    model = keras.Model(pixels, keras.layers.Dense(2)(end) if top else end)
    path = tmp_path / form
    (model.save if form == "old.h5" else model.save_weights)(path)
    if not fault:
        assert add(find("small"), path)[1]
        return
    with pytest.raises(WeightsError, match=fault) as caught:
        add(find("small"), path)
    assert "--weights PATH" in caught.value.hint


def test_file_checksum(tmp_path):
    # RFC 1321, appendix A.5; FIPS 180-2, appendix B.1.
    (tmp_path / "abc").write_bytes(b"abc")
    assert (
        file_checksum(tmp_path / "abc", "0" * 32) == "900150983cd24fb0d6963f7d28e17f72"
    )
    assert file_checksum(tmp_path / "abc", "0" * 64).startswith(
        "ba7816bf8f01cfea414140de5dae"
    )
