from __future__ import annotations

import os
import sys

import pytest

from tlkit.dataset.formats import folders
from tlkit.dataset.formats.common import has_split_folders
from tlkit.dataset.sources.open import open_source
from tlkit.errors import DatasetError


def read(root):
    return folders.read(open_source(root))


def make(root, *names: str):
    for name in names:
        path = root / name
        (path if name.endswith("/") else path.parent).mkdir(parents=True, exist_ok=True)
        if not name.endswith("/"):
            path.write_text("")
    return root


def rows(parsed) -> list[tuple[str, str, str | None]]:
    assert all(p.file == "" and not p.objects for p in parsed.records)
    return [(p.path, *p.labels, p.split) for p in parsed.records]


def test_class_folders(tmp_path):
    make(tmp_path, "ants/1.jpg", "ants/deep/er/2.png", "bees é/notes.txt", "3.jpg")
    parsed = read(tmp_path)
    assert rows(parsed) == [
        ("ants/1.jpg", "ants", None),
        ("ants/deep/er/2.png", "ants", None),
        ("bees é/notes.txt", "bees é", None),
    ]
    assert [(r.file, r.reason) for r in parsed.rejected] == [
        ("3.jpg", "no-class-folder")
    ]
    assert parsed.note == "Read as class folders."
    assert parsed.warnings == ()


def test_given_split(tmp_path):
    make(tmp_path, "Train/a/1.jpg", "train/b/1.jpg", "valid/a/1.jpg")
    make(tmp_path, "validation/b/2.jpg", "test/a/3.jpg", "test/4.jpg", ".git/x")
    parsed = read(tmp_path)
    assert sorted(rows(parsed)) == [
        ("Train/a/1.jpg", "a", "train"),
        ("test/a/3.jpg", "a", "test"),
        ("train/b/1.jpg", "b", "train"),
        ("valid/a/1.jpg", "a", "val"),
        ("validation/b/2.jpg", "b", "val"),
    ]
    assert [(r.file, r.reason) for r in parsed.rejected] == [
        (".git/", "junk"),
        ("test/4.jpg", "no-class-folder"),
    ]
    assert parsed.note == "Read as class folders with a given test/train/val split."


def test_a_class_may_be_called_train(tmp_path):
    make(tmp_path, "train/1.jpg", "bus/1.jpg", "train/old/2.jpg")
    assert not has_split_folders(tmp_path)
    assert {p.labels for p in read(tmp_path).records} == {("train",), ("bus",)}


def test_json_files_are_rejected(tmp_path):
    parsed = read(make(tmp_path, "a/1.jpg", "a/1.json", "b/2.JSON"))
    assert rows(parsed) == [("a/1.jpg", "a", None)]
    assert [(r.file, r.reason) for r in parsed.rejected] == [
        ("a/1.json", "not-an-image"),
        ("b/2.JSON", "not-an-image"),
    ]


def test_split_folders_without_class_folders(tmp_path):
    make(tmp_path, "train/1.jpg", "test/1.jpg")
    with pytest.raises(DatasetError, match="no class folders in them"):
        read(tmp_path)


def test_split_folders_among_others(tmp_path):
    make(tmp_path, "train/a/1.jpg", "val/a/1.jpg", "masks/1.png")
    with pytest.raises(DatasetError, match="but also masks") as caught:
        read(tmp_path)
    assert "Move" in caught.value.hint


def test_empty_folders_are_warned_of(tmp_path):
    make(tmp_path, "a/1.jpg", "b/")
    assert read(tmp_path).warnings == ("b: an empty folder.",)
    make(tmp_path / "split", "train/a/1.jpg", "train/b/2.jpg", "val/b/")
    assert read(tmp_path / "split").warnings == ("val/b: an empty folder.",)


def test_a_name_that_cannot_be_a_label(tmp_path):
    make(tmp_path, "a\nb/1.jpg", "c/1.jpg")
    parsed = read(tmp_path)
    assert [(r.file, r.reason) for r in parsed.rejected] == [
        ("a\nb/1.jpg", "bad-label")
    ]


@pytest.mark.skipif(sys.platform != "linux", reason="names are UTF-8 elsewhere")
def test_a_folder_whose_name_is_not_utf8(tmp_path):
    make(tmp_path, "a/1.jpg")
    place = os.fsencode(tmp_path) + b"/\xff"
    os.mkdir(place)  # noqa: PTH102 - bytes are the point here
    with open(place + b"/1.jpg", "wb"):  # noqa: PTH123
        pass
    parsed = read(tmp_path)
    assert [w.split(":")[0] for w in parsed.warnings] == [r"'\\xff'"]
    assert [(r.file, r.reason) for r in parsed.rejected] == [
        ("\\xff/1.jpg", "name-not-utf8")
    ]


def test_a_folder_whose_name_cannot_be_a_label(tmp_path):
    make(tmp_path, "a/1.jpg", "new\nline/1.jpg")
    parsed = read(tmp_path)
    (warning,) = parsed.warnings
    assert warning.startswith(r"'new\nline': the name of this folder cannot be a label")
    assert [(r.file, r.reason) for r in parsed.rejected] == [
        ("new\nline/1.jpg", "bad-label")
    ]
