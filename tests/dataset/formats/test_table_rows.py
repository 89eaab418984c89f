from __future__ import annotations

import pytest

from tests.dataset.formats.tables import (
    images,
    labels,
    parsed,
    reasons,
    write,
)
from tlkit.dataset.prepare import prepare
from tlkit.errors import UsageError


def test_rows_that_cannot_be_used(tmp_path):
    images(tmp_path, "1.jpg", "a/x.jpg", "b/x.jpg")
    write(
        tmp_path,
        "path,label,split\n"
        "1.jpg,cat,train\n"
        "none.jpg,cat,train\n"
        ",cat,train\n"
        "x.jpg,cat,\n"
        "../../etc/passwd,cat,\n"
        "1.jpg,a\tb,train\n"
        "1.jpg,cat,fold3\n"
        "1.jpg,cat,train,too,many\n"
        "1.jpg,cat,train,,\n"
        "1.jpg\n",
    )
    found = parsed(tmp_path)
    assert reasons(found) == [
        ("labels.csv", "image-missing"),
        ("labels.csv", "image-ambiguous"),
        ("labels.csv", "outside-source"),
        ("labels.csv", "no-path"),
        ("labels.csv", "bad-label"),
        ("labels.csv", "bad-split"),
        ("labels.csv", "bad-row"),
    ]
    assert [one.detail.split(":")[0] for one in found.rejected] == [
        *("Row 3", "Row 5", "Row 6", "Row 4", "Row 7", "Row 8", "Row 9"),
    ]
    assert found.rejected[0].detail == (
        "Row 3: Its image 'none.jpg' leads to no image."
    )
    # A row without split and label adds nothing.
    assert {record.split: record.labels for record in found.records} == {
        "train": ("cat",),
        None: (),
    }


def test_several_labels(tmp_path):
    images(tmp_path, "1.jpg", "2.jpg", "3.jpg")
    write(tmp_path, "path,label\n1.jpg,b|a\n2.jpg,a | |\n3.jpg,c\n3.jpg,a\n")
    found = parsed(tmp_path)
    assert labels(found) == {
        "1.jpg": ("b|a",),
        "2.jpg": ("a | |",),
        "3.jpg": ("c", "a"),
    }
    assert found.warnings == ()
    found = parsed(tmp_path, separator="|")
    assert labels(found) == {
        "1.jpg": ("b", "a"),
        "2.jpg": ("a",),
        "3.jpg": ("c", "a"),
    }
    write(tmp_path, "path;label\n1.jpg;b|a\n2.jpg;a|b\n3.jpg;c\n")
    assert parsed(tmp_path).warnings == (
        "Most labels hold '|', such as 'b|a': --separator '|' makes several labels of "
        "each.",
    )
    assert parsed(tmp_path, separator="|").warnings == ()


def test_an_empty_separator_is_refused(tmp_path):
    write(images(tmp_path, "1.jpg"), "path,label\n1.jpg,a\n")
    with pytest.raises(UsageError, match="must be one character at least"):
        prepare(tmp_path, tmp_path / "out", separator="")
