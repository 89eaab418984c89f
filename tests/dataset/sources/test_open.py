from __future__ import annotations

import json
import os

import pytest

from tests.dataset.formats.test_detect import LABELME, touch
from tlkit.dataset import formats
from tlkit.dataset.sources.open import ReaderOptions, open_source
from tlkit.errors import DatasetError, UsageError


def test_one_annotation_file_of_many(tmp_path):
    touch(tmp_path, "1.jpg", "2.jpg", "a/3.jpg")
    touch(tmp_path, "1.json", "2.json", text=LABELME)
    source = open_source(tmp_path / "1.json")
    assert (source.root, source.only) == (tmp_path, "1.json")
    assert source.place == tmp_path / "1.json"
    assert source.ending(".json") == ["1.json"]
    assert formats.detect(source) == "labelme"
    assert [p.file for p in formats.read(source, "labelme").records] == ["1.json"]
    assert open_source(tmp_path).ending(".json", ".jpg") == [
        *("1.jpg", "1.json", "2.jpg", "2.json", "a/3.jpg"),
    ]
    assert open_source(tmp_path).place == tmp_path
    with pytest.raises(DatasetError, match="not an annotation file"):
        formats.detect(open_source(tmp_path / "a" / "3.jpg"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"separator": ""}, "one character at least"),
        ({"limit": 0}, "limit must be >= 1, got 0"),
    ],
)
def test_reader_options_that_cannot_be_meant(options, message):
    with pytest.raises(UsageError, match=message):
        ReaderOptions(**options)


def test_few_tasks_stay_in_this_process(tmp_path, told):
    touch(tmp_path, "1.jpg")
    source = open_source(tmp_path, progress=told)
    assert set(source.map(_process, range(3), "Counting")) == {os.getpid()}
    assert told.tasks == {"Counting": 3}
    assert os.getpid() not in source.map(_process, range(2), few=1)


def _process(_: int) -> int:
    return os.getpid()


def test_records_of_convert_are_not_of_the_source(tmp_path):
    touch(tmp_path, "a/1.jpg", "rejected.csv", "notes.txt")
    content = {"source": "x", "format": "coco", "files": ["rejected.csv"]}
    (tmp_path / "convert.json").write_text(json.dumps(content))
    source = open_source(tmp_path)
    assert source.own == {"convert.json", "rejected.csv"}
    assert source.files == ("a/1.jpg", "notes.txt")
    for other in ("[]", "{", '{"files": []}'):
        (tmp_path / "convert.json").write_text(other)
        assert not open_source(tmp_path).own
