"""tlkit weights, as it is typed."""

from __future__ import annotations

import errno
import shutil

import keras
import pytest

from tlkit.backbones.weights.sources import NANO_FILE
from tlkit.cli import run


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path / "models"


def test_list(folder, capsys):
    assert run(["weights", "list"]) == 0
    shown = capsys.readouterr()
    rows = {line.split()[0]: line for line in shown.out.splitlines()}
    assert "comes with tlkit" in rows["Nano"]
    assert "yes" in rows["Nano"]
    assert "trained from scratch" in rows["LeNet5"]
    assert "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5" in rows["VGG16"]
    assert "yes" not in rows["VGG16"]
    assert "~58.9" in rows["VGG16"]
    assert str(folder) in shown.err.replace("\n", "")


def test_list_weights_here_with_urls(folder, capsys):
    folder.mkdir()
    name = "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5"
    shutil.copyfile(NANO_FILE, folder / name)
    other = "resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5"
    (folder / other).write_bytes(NANO_FILE.read_bytes()[:1000])
    assert run(["weights", "list", "--here", "--urls"]) == 0
    shown = capsys.readouterr()
    rows = [line.split() for line in shown.out.splitlines()]
    assert [row[:1] + row[2:3] for row in rows[1:]] == [
        ["Nano", "yes"], ["VGG16", "yes"], ["ResNet50", "damaged"],
    ]  # fmt: skip
    assert (
        f"https://storage.googleapis.com/tensorflow/keras-applications/vgg16/{name}"
        in (shown.out)
    )
    assert "On this machine: 2 of " in shown.err


def test_download_weights_that_are_here(capsys):
    assert run(["weights", "download", "nano"]) == 0
    printed = capsys.readouterr().err
    assert f"{NANO_FILE} (already here)" in printed.replace("\n", "")
    assert "tlkit finetune DATASET --backbone Nano" in printed


def test_every_network_is_tried(monkeypatch, capsys):
    def get_file(*args, **kwargs):
        raise Exception("no route")

    monkeypatch.setattr(keras.utils, "get_file", get_file)
    assert run(["weights", "download", "vgg16", "nano", "VGG16", "resnet20"]) == 1
    printed = capsys.readouterr().err.replace("\n", " ")
    assert "VGG16: The ImageNet weights of VGG16 are not on this machine" in printed
    assert f"Nano: {NANO_FILE} (already here)" in printed
    assert "2 of 3 could not be downloaded: VGG16, ResNet20." in printed
    assert "tlkit weights add VGG16 FILE" in printed


@pytest.mark.parametrize("words", [["download", "x.keras"], ["add", "hub:x", "x.h5"]])
def test_a_network_of_ones_own_has_its_weights(words, capsys):
    assert run(["weights", *words]) == 2
    assert "its weights are in it" in capsys.readouterr().err


def test_what_the_system_refuses_is_not_a_fault_of_tlkit(
    folder, capsys, shared_weights, monkeypatch
):
    def full(source, target):
        raise OSError(errno.ENOSPC, "No space left on device", str(target))

    monkeypatch.setattr(shutil, "copyfile", full)
    name = "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5"
    assert run(["weights", "add", "mobilenetv2", str(shared_weights / name)]) == 1
    printed = capsys.readouterr().err.replace("\n", " ")
    assert "No space left on device" in printed
    assert "fault of tlkit" not in printed
    assert not list(folder.iterdir())


def test_add(folder, shared_weights, capsys):
    name = "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5"
    assert run(["weights", "add", "mobilenetv2", str(shared_weights / name)]) == 0
    assert (folder / name).is_file()
    printed = capsys.readouterr().err.replace("\n", " ")
    assert "layout, shapes and values were checked" in printed
    assert run(["weights", "add", "mobilenetv2", str(shared_weights / name)]) == 0
    assert "already here" in capsys.readouterr().err
    assert run(["weights", "add", "vgg16", str(shared_weights / name)]) == 1
    assert "does not fit VGG16" in capsys.readouterr().err.replace("\n", " ")
