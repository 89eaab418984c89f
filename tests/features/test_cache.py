from pathlib import Path

import numpy as np
import pytest

from tlkit.cache_root import cache_root, cap_bytes, fault
from tlkit.errors import UsageError
from tlkit.features.cache import clear, contents
from tlkit.features.store import Partition


def test_place_and_size_come_from_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("TLKIT_CACHE", str(tmp_path))
    assert cache_root() == tmp_path
    monkeypatch.delenv("TLKIT_CACHE")
    assert cache_root() == Path.home() / ".cache" / "tlkit"
    monkeypatch.delenv("TLKIT_CACHE_GB", raising=False)
    assert cap_bytes() == 10_000_000_000
    monkeypatch.setenv("TLKIT_CACHE_GB", "0.5")
    assert cap_bytes() == 500_000_000


@pytest.mark.parametrize("text", ["much", "-1", "nan", "inf"])
def test_a_size_that_is_not_a_number_is_refused(monkeypatch, text):
    monkeypatch.setenv("TLKIT_CACHE_GB", text)
    with pytest.raises(UsageError, match="gigabytes"):
        cap_bytes()


def test_clear_removes_features_and_returns_how_much(tmp_path):
    partition = Partition(tmp_path, {}, (2,), "float32")
    with partition.write() as part:
        part.append([bytes(32)], np.zeros((1, 2), np.float32))
    (tmp_path / "machine.json").write_text("{}")
    assert clear(tmp_path) == 8 + 36
    assert contents(tmp_path) == []
    assert (tmp_path / "machine.json").exists()
    assert clear(tmp_path) == 0


def test_a_place_that_cannot_be_written_to_is_reported(tmp_path):
    assert fault(tmp_path / "not" / "yet") == ""
    (tmp_path / "file").write_text("")
    assert "is not a folder" in fault(tmp_path / "file")
    assert "is not a folder" in fault(tmp_path / "file" / "below")
