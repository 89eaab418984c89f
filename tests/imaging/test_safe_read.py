"""Files that may be anything: their content, or a named reason."""

from __future__ import annotations

import base64
import json
import os
import pickle

import pytest

from tlkit.imaging.safe_read import (
    MAX_JSON_DEPTH,
    Unusable,
    count_lines,
    glance,
    read_bytes,
    read_json,
)


def test_the_error_survives_another_process():
    error = Unusable("truncated", "Cut off.", file="a.jpg", hint="Copy again.")
    again = pickle.loads(pickle.dumps(error))
    assert (again.reason, again.detail, again.file) == (
        "truncated",
        "Cut off.",
        "a.jpg",
    )
    assert str(again) == str(error) == "a.jpg: Cut off.\nCopy again."


def read_reason(path, **options) -> str:
    with pytest.raises(Unusable) as caught:
        read_bytes(path, **options)
    assert str(path) in str(caught.value)
    return caught.value.reason


def test_read_bytes_of_what_is_no_file(tmp_path):
    assert read_reason(tmp_path / "none.jpg") == "missing"
    folder = tmp_path / "folder.jpg"
    folder.mkdir()
    assert read_reason(folder) == "not-a-file"
    assert read_reason(folder / "x" / "y.jpg") == "missing"
    pipe = tmp_path / "pipe.jpg"
    os.mkfifo(pipe)
    assert read_reason(pipe) == "not-a-file"
    loop = tmp_path / "loop.jpg"
    loop.symlink_to(loop)
    assert read_reason(loop) in {"unreadable", "missing"}


def test_read_bytes_without_permission(tmp_path, monkeypatch):
    path = tmp_path / "a.jpg"
    path.write_bytes(b"x")

    def refuse(self):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(type(path), "read_bytes", refuse)
    assert read_reason(path) == "no-permission"


def test_read_bytes_has_a_cap(tmp_path, monkeypatch):
    path = tmp_path / "a.jpg"
    path.write_bytes(b"12345")
    monkeypatch.setattr("tlkit.imaging.safe_read.MAX_BYTES", 4)
    assert read_reason(path) == "too-big"


def test_read_bytes_of_an_embedded_image(tmp_path):
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"imageData": base64.b64encode(b"pixels").decode()}))
    assert read_bytes(path) == b"pixels"
    assert read_bytes(path, embedded=False).startswith(b"{")
    other = tmp_path / "a.dat"
    other.write_text(path.read_text())
    assert read_bytes(other, embedded=True) == b"pixels"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("{", "broken-json"),
        ("[" * 100_000, "broken-json"),
        ("[" * 200 + "]" * 200, "broken-json"),
        ('{"a":' * 200 + "1" + "}" * 200, "broken-json"),
        ("1" * 5000, "broken-json"),
        ('{"imageData": NaN}', "no-image"),
        ("[1]", "no-image"),
        ('{"imageData": null}', "no-image"),
        ('{"imageData": 7}', "no-image"),
        ('{"imageData": "abc"}', "damaged"),
        ('{"imageData": "\\u00e9"}', "damaged"),
    ],
)
def test_read_bytes_of_a_json_without_image(tmp_path, content, reason):
    path = tmp_path / "a.json"
    path.write_text(content)
    assert read_reason(path) == reason


def json_of(tmp_path, text: str):
    (tmp_path / "a.json").write_text(text)
    return read_json(tmp_path / "a.json")


def test_json_knows_only_finite_numbers(tmp_path):
    text = '{"a": [NaN, Infinity, -Infinity, 1e999, -1e999, 1.5, -2, 1e3], "b": "NaN"}'
    assert json_of(tmp_path, text) == {
        "a": [None, None, None, None, None, 1.5, -2, 1000.0],
        "b": "NaN",
    }


def test_json_as_windows_writes_it(tmp_path):
    path = tmp_path / "a.json"
    for encoding in ("utf-8-sig", "utf-16"):
        path.write_text('{"é": 1}', encoding=encoding)
        assert read_json(path) == {"é": 1}


def test_json_may_be_nested_as_deep_as_that(tmp_path):
    deep = "[" * MAX_JSON_DEPTH + "]" * MAX_JSON_DEPTH
    assert json_of(tmp_path, deep)
    with pytest.raises(Unusable, match="nested deeper than 100 levels"):
        json_of(tmp_path, f"[{deep}]")


def test_json_has_a_cap_on_its_values(tmp_path, monkeypatch):
    monkeypatch.setattr("tlkit.imaging.safe_read.MAX_JSON_VALUES", 6)
    assert json_of(tmp_path, '{"a": [1, {}, "b"]}')
    with pytest.raises(Unusable, match="7 values, of which 6") as caught:
        json_of(tmp_path, '{"a": [1, {}, []]}')
    assert caught.value.reason == "too-big"


def test_both_ends_of_a_file(tmp_path, monkeypatch):
    path = tmp_path / "a"
    path.write_bytes(b"0123456789")
    monkeypatch.setattr("tlkit.imaging.safe_read.GLANCE", 3)
    assert glance(path) == b"012789"
    path.write_bytes(b"0123")
    assert glance(path) == b"0123"  # the ends overlap
    assert glance(tmp_path / ("long" * 100)) == b""
    assert glance(tmp_path) == b""
    assert glance(tmp_path / "none") == b""


def test_lines_are_counted_without_reading_them(tmp_path):
    path = tmp_path / "a"
    for content, number in ((b"", 0), (b"1", 1), (b"1\n2\n", 2), (b"1\n2", 2)):
        path.write_bytes(content)
        assert count_lines(path) == number
    assert count_lines(tmp_path) == count_lines(tmp_path / "none") == 0
