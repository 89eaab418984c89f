from __future__ import annotations

import csv
import dataclasses
import json

import numpy as np
import pytest

from tlkit.dataset.dataset_files import checksum_of, write_contents, write_table
from tlkit.dataset.example import Example
from tlkit.dataset.manifest import Manifest
from tlkit.errors import DatasetError

ODD = 'a, "b"\nc\r d é 写真.jpg'


def example(i: int = 0, **changes) -> Example:
    plain = Example(f"id{i}", f"x/{i}.jpg", "ab" * 32, 8, 9, ("x",), "train", f"g{i}")
    return dataclasses.replace(plain, **changes)


EXAMPLES = (
    example(0),
    example(1, split="val", path=ODD),
    example(
        2, labels=("y 2",), box=(1, 2, 3, 4), shape='{"a":[1,2]}', annotation="2.json"
    ),
    example(3, labels=("y 2",), split="test"),
)
LABELS = ("x", "y 2")


@pytest.fixture
def written(tmp_path):
    """A data set directory beside its source."""
    directory = tmp_path / "data"
    directory.mkdir()
    (tmp_path / "photos").mkdir()
    write_contents(directory, LABELS, EXAMPLES)
    info = {
        "format": 2,
        "checksum": checksum_of(LABELS, EXAMPLES),
        "labels": list(LABELS),
        "source": {"path": str(tmp_path / "photos"), "relative": "../photos"},
    }
    (directory / "dataset.json").write_text(json.dumps(info))
    return directory


def edit_info(directory, **changes):
    path = directory / "dataset.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def fault_of(directory) -> str:
    with pytest.raises(DatasetError) as caught:
        Manifest.read(directory)
    return str(caught.value)


def test_what_was_written_is_read(written, tmp_path):
    manifest = Manifest.read(written)
    assert manifest.examples == EXAMPLES
    assert manifest.labels == LABELS
    assert manifest.source == tmp_path / "photos"
    assert manifest.checksum == checksum_of(LABELS, EXAMPLES)
    assert manifest.of("train") == (EXAMPLES[0], EXAMPLES[2])
    assert manifest.targets("train").tolist() == [0, 1]
    assert manifest.targets(EXAMPLES[2:]).tolist() == [1, 1]
    assert manifest.targets("train").dtype == np.int64
    assert manifest.counts() == {
        "x": {"train": 1, "val": 1, "test": 0},
        "y 2": {"train": 1, "val": 0, "test": 1},
    }


def test_the_csv_is_plain(written):
    with (written / "manifest.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["path"] for row in rows] == ["x/0.jpg", ODD, "x/2.jpg", "x/3.jpg"]
    assert rows[2]["box"] == "1 2 3 4"
    assert (written / "labels.txt").read_text(encoding="utf-8") == "x\ny 2\n"


def test_tables_survive_any_text(tmp_path):
    rows = [[ODD, "\r", 'q"q'], ["plain", "", "1"], ["\n", "-x", " y "]]
    half = ["\ud800", "", ""]  # of a character, as JSON may hold
    write_table(tmp_path / "t.csv", ("a", "b", "c"), [*rows, half])
    with (tmp_path / "t.csv").open(encoding="utf-8", newline="") as file:
        header, *found, last = csv.reader(file)
    assert (header, found) == (["a", "b", "c"], rows)
    assert last == ["\\ud800", "", ""]


def test_digest_depends_on_content_only():
    checksum = checksum_of(LABELS, EXAMPLES)
    assert checksum_of(list(LABELS), iter(EXAMPLES)) == checksum
    assert checksum_of(LABELS[::-1], EXAMPLES) != checksum
    assert checksum_of(LABELS, EXAMPLES[::-1]) != checksum
    other = (*EXAMPLES[:3], dataclasses.replace(EXAMPLES[3], width=1))
    assert checksum_of(LABELS, other) != checksum


def test_lines_may_end_as_on_windows(written):
    for name in ("labels.txt",):
        path = written / name
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert Manifest.read(written).labels == LABELS


def test_no_directory(tmp_path, photo_folder):
    assert "does not exist" in fault_of(tmp_path / "none")
    file = tmp_path / "file"
    file.write_text("")
    assert "is not a directory" in fault_of(file)
    message = fault_of(photo_folder({"a": 1, "b": 1}))
    assert "run tlkit prepare first" in message


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is not JSON"),
        ("[]", "is not from tlkit prepare"),
        ("{}", "is not from tlkit prepare"),
        ('{"checksum": "", "format": 1}', "has format 1, this tlkit reads 2"),
    ],
)
def test_broken_info(written, content, message):
    (written / "dataset.json").write_text(content)
    assert message in fault_of(written)


def test_edited_manifest(written):
    path = written / "manifest.csv"
    path.write_text(path.read_text(encoding="utf-8").replace(",8,9,", ",8,10,"))
    message = fault_of(written)
    assert "manifest.csv was changed" in message
    assert "prepare again" in message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("y 2\nx\n", "labels.txt was changed"),
        ("x\ny 2\nz\n", "labels.txt was changed"),
        ("x\n", "label 'y 2' is not in labels.txt"),
        ("x\n\ny 2\n", "empty line"),
        ("x\nx\n", "twice"),
        ("", "empty line"),
    ],
)
def test_edited_labels(written, text, message):
    (written / "labels.txt").write_text(text)
    assert message in fault_of(written)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"split": "valid"}, "split 'valid' is none of train, val, test"),
        ({"id": "id0"}, "id id0 is there twice"),
        ({"group": "g1"}, "group g1 is in val and in test"),
    ],
)
def test_contents_that_do_not_hold_together(written, changes, message):
    examples = (*EXAMPLES[:3], dataclasses.replace(EXAMPLES[3], **changes))
    write_contents(written, LABELS, examples)
    edit_info(written, checksum=checksum_of(LABELS, examples))
    assert message in fault_of(written)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the first line is not id,path"),
        ("id,path\n1,2\n", "the first line is not id,path"),
        ("{}a,b,c\n", "line 2: not an example"),
        ("{}a,b,c,eight,9,x,train,g,,,\n", "line 2: not an example"),
        ("{}a,b,c,8,9,x,train,g,1 2 3,,\n", "line 2: not an example"),
        ("{}a,b,c,8,9,x,train,g,,,,\n", "line 2: not an example"),
        ('{}"\0"\n', "manifest.csv"),
    ],
)
def test_manifest_that_is_no_table(written, text, message):
    path = written / "manifest.csv"
    header = path.read_text(encoding="utf-8").split("\n")[0] + "\n"
    path.write_text(text.replace("{}", header))
    assert message in fault_of(written)


@pytest.mark.parametrize("name", ["manifest.csv", "labels.txt"])
def test_missing_files_and_foreign_bytes(written, name):
    (written / name).write_bytes(b"\xff\xfe\xff")
    assert "cannot be read" in fault_of(written)
    (written / name).unlink()
    assert "cannot be read" in fault_of(written)


def test_moved_together_with_the_photos(written, tmp_path):
    new = tmp_path / "elsewhere"
    new.mkdir()
    written.rename(new / "data")
    (tmp_path / "photos").rename(new / "photos")
    assert Manifest.read(new / "data").source == new / "photos"


def test_photos_that_are_gone(written, tmp_path):
    (tmp_path / "photos").rename(tmp_path / "away")
    message = fault_of(written)
    assert str(tmp_path / "photos") in message
    assert "dataset.json" in message
    edit_info(written, source={"path": str(tmp_path / "away")})
    assert Manifest.read(written).source == tmp_path / "away"
    edit_info(written, source=None)
    assert "not in" in fault_of(written)


def test_multi_label(written):
    examples = (
        example(0, labels=("x", "y 2")),
        example(1, labels=("y 2",), split="val"),
        example(2, split="val", group="g1"),
    )
    write_contents(written, LABELS, examples)
    edit_info(written, checksum=checksum_of(LABELS, examples), multi_label=True)
    manifest = Manifest.read(written)
    assert manifest.multi_label
    assert manifest.examples[0].labels == ("x", "y 2")
    wanted = [[float(n in e.labels) for n in LABELS] for e in examples]
    assert manifest.multi_hot(examples).tolist() == wanted
    assert manifest.counts() == {
        "x": {"train": 1, "val": 1, "test": 0},
        "y 2": {"train": 1, "val": 1, "test": 0},
    }
    edit_info(written, multi_label=False)
    assert "label 'x|y 2' is not in labels.txt" in fault_of(written)


def test_a_key_of_dataset_json_that_is_missing_is_named(written):
    info = Manifest.read(written).info
    with pytest.raises(DatasetError, match=r"dataset\.json has no 'origin'"):
        info["source"]["origin"]
    assert info.get("options") is None
    path = written / "dataset.json"
    content = json.loads(path.read_text())
    del content["labels"]
    path.write_text(json.dumps(content))
    with pytest.raises(DatasetError, match="no 'labels'") as caught:
        Manifest.read(written).info["labels"]
    assert "prepare again" in caught.value.hint
    edit_info(written, options=5)
    assert "'options' must be an object, got 5" in fault_of(written)
