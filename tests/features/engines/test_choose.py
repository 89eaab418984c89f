"""The choice of an engine."""

import pytest

from tlkit.errors import RunError
from tlkit.features.engines.choose import choose_engine
from tlkit.progress import Silent

pytest.importorskip("openvino")


def test_the_engine_goes_by_device_and_by_what_is_installed(monkeypatch):
    notes: list[str] = []
    progress = Silent()
    monkeypatch.setattr(progress, "note", notes.append)
    assert choose_engine("auto", "cpu:0", progress) == "openvino"
    assert choose_engine("auto", "gpu:0", progress) == "keras"
    assert choose_engine("keras", "cpu:0", progress) == "keras"
    assert notes == []
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert choose_engine("auto", "cpu:0", progress) == "keras"
    assert "OpenVINO is not installed" in notes[0]
    with pytest.raises(RunError, match="pip install openvino"):
        choose_engine("openvino", "cpu:0", progress)
