from tlkit.features import machine
from tlkit.features.machine import Measurements, memory_bytes, processor


def test_what_was_measured_is_there_the_next_time(tmp_path):
    Measurements(tmp_path / "new").put("a", [1, 2])
    Measurements(tmp_path / "new").put("b", 0.5)
    assert Measurements(tmp_path / "new").get("a") == [1, 2]
    assert Measurements(tmp_path / "new").get("b") == 0.5
    assert Measurements(tmp_path / "new").get("c") is None


def test_another_machine_measures_for_itself(tmp_path, monkeypatch):
    Measurements(tmp_path).put("a", 1)
    monkeypatch.setattr(machine, "processor", lambda: "Another 9000")
    assert Measurements(tmp_path).get("a") is None


def test_a_damaged_file_or_a_place_that_cannot_be_is_no_reason_to_fail(tmp_path):
    (tmp_path / "machine.json").write_text("{")
    Measurements(tmp_path).put("a", 1)
    assert Measurements(tmp_path).get("a") == 1
    (tmp_path / "file").write_text("")
    Measurements(tmp_path / "file").put("a", 1)
    assert Measurements(tmp_path / "file").get("a") is None


def test_this_machine_has_a_name_and_memory():
    assert processor()
    assert memory_bytes() > 1 << 28
