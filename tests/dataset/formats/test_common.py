from __future__ import annotations

import pytest

from tests.dataset.formats.test_detect import touch
from tlkit.dataset.formats.common import (
    MANY,
    Faults,
    has_split_folders,
    split_by_folders,
    split_by_lists,
    split_of_folders,
    top_split,
)
from tlkit.dataset.records import ImageRecord


def test_only_train_is_a_split(tmp_path):
    assert has_split_folders(touch(tmp_path, "train/a/1.jpg", "train/b/1.jpg"))


def test_train_alone_without_classes(tmp_path):
    assert not has_split_folders(touch(tmp_path, "train/1.jpg"))


@pytest.mark.parametrize(
    ("path", "top", "of_folders"),
    [
        ("Train/1.jpg", "train", "train"),
        ("a/valid/b/1.jpg", None, "val"),
        ("train/test/1.jpg", "train", None),
        ("train/training/1.jpg", "train", "train"),
        ("train.jpg", None, None),
        ("train", None, None),
    ],
)
def test_splits_by_the_names_of_folders(path, top, of_folders):
    assert top_split(path) == top
    assert split_of_folders(path) == of_folders


def test_records_of_images_in_split_folders(tmp_path):
    touch(tmp_path, "train/1.jpg", "dev/2.jpg", "3.jpg")
    records = [ImageRecord(p) for p in ("train/1.jpg", "dev/2.jpg", "3.jpg")]
    kept, outside = split_by_folders(tmp_path, records)
    assert [record.split for record in kept] == ["train", "val"]
    assert [(one.file, one.reason) for one in outside] == [("3.jpg", "no-split")]
    touch(tmp_path, "more/4.jpg")
    assert split_by_folders(tmp_path, records) == (records, [])


def test_lists_that_name_an_image_twice_or_not_at_all():
    lists = {"train": {"1", "2"}, "val": {"2", "9"}}
    assert split_by_lists(lists, ["1", "2", "10", "4"], "lists/") == (
        {"1": "train"},
        [
            "lists/: 1 of 4 images are in several splits, and are taken as in none, "
            "such as 2.",
            "lists/: 2 of 4 images are in no split, such as 4.",
        ],
    )
    same = {"train": {"1"}, "val": {"1"}}
    assert split_by_lists(same, ["1"], "x") == (
        {},
        [
            "x: train and val are the same 1 image(s), so that no split is taken "
            "from it."
        ],
    )
    assert split_by_lists({}, ["1"], "x") == ({}, [])


def test_many_faults_of_a_kind_are_cut():
    faults = Faults("a.json")
    for i in range(MANY + 2):
        faults.add("bad-box", f"Box {i}")
    faults.add("bad-label", "None")
    rows = faults.rejections()
    assert len(rows) == MANY + 2
    assert (rows[0].detail, rows[-1].detail) == ("Box 0.", "And 2 more of this kind.")
