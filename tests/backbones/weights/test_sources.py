"""The origin of weights."""

from __future__ import annotations

import importlib
import subprocess
import sys
import warnings
from pathlib import Path

import keras
import pytest

from tests.backbones.test_table import in_keras
from tlkit.backbones.graph import symbolic
from tlkit.backbones.registry import find
from tlkit.backbones.table import BACKBONES
from tlkit.backbones.weights.sources import (
    NANO_FILE,
    PUBLISHED,
    cache_folder,
    origin,
)


def test_cache_folder(monkeypatch, tmp_path):
    monkeypatch.delenv("KERAS_HOME", raising=False)
    assert cache_folder() == Path.home() / ".keras" / "models"
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "models"


@pytest.mark.parametrize("row", BACKBONES.values(), ids=lambda row: row.name)
def test_every_network_has_an_origin_or_is_trained_from_scratch(row):
    found = origin(row)
    assert (found.file is None) == (row.source == "scratch")
    assert (found.published is None) == (row.source != "applications")


def test_what_is_here_and_how_large(monkeypatch, tmp_path):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    found = origin(find("vgg16"))
    assert found.published is not None
    assert not found.here
    assert found.bytes == 4 * 14_714_688
    (tmp_path / "models").mkdir()
    place = tmp_path / "models" / found.published.file
    place.write_bytes(NANO_FILE.read_bytes())
    size = NANO_FILE.stat().st_size
    assert (found.here, found.damaged, found.bytes) == (True, False, size)
    place.write_bytes(NANO_FILE.read_bytes()[: size // 2])
    assert (found.here, found.damaged) == (False, True)
    assert (origin(find("small")).here, origin(find("small")).bytes) == (False, 0)


def test_nano_is_in_the_package():
    found = origin(find("nano"))
    assert found.file == NANO_FILE
    assert found.here


def test_import_is_light():
    code = (
        "import sys, tlkit.backbones.weights.sources; "
        "sys.exit(bool({'keras', 'tensorflow'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


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
