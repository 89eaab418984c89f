"""Where weights come from, without Keras."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tlkit.backbones.registry import find
from tlkit.backbones.table import BACKBONES, from_scratch
from tlkit.backbones.weights.sources import NANO_FILE, cache_folder, origin


def test_cache_folder(monkeypatch, tmp_path):
    monkeypatch.delenv("KERAS_HOME", raising=False)
    assert cache_folder() == Path.home() / ".keras" / "models"
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "models"


@pytest.mark.parametrize("row", BACKBONES.values(), ids=lambda row: row.name)
def test_every_network_has_an_origin_or_is_trained_from_scratch(row):
    found = origin(row)
    assert (found.file is None) == (row in from_scratch())
    assert (found.published is None) == (row in from_scratch() or row.name == "Nano")


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
