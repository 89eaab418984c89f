from __future__ import annotations

import csv
import sys

import numpy as np
import pandas
import pytest

from tests.dataset.formats.tables import (
    images,
    labels,
    parsed,
    reasons,
    write,
)
from tlkit.dataset.formats import detect, table
from tlkit.dataset.formats.detect import claims
from tlkit.dataset.formats.table_cells import header_of, place_frame
from tlkit.dataset.prepare import prepare
from tlkit.dataset.sources.open import ReaderOptions, open_source
from tlkit.errors import DatasetError, UsageError
from tlkit.imaging.safe_read import count_lines


@pytest.mark.parametrize("text", ["", "\ufeff", "sep=;\n"])
def test_an_empty_table(tmp_path, text):
    images(tmp_path, "1.jpg")
    write(tmp_path, text)
    for place in (tmp_path, tmp_path / "labels.csv"):
        with pytest.raises(DatasetError, match=r"labels\.csv: The file is empty"):
            parsed(place)
    write(tmp_path, "path,label\n")
    with pytest.raises(DatasetError, match=r"labels\.csv has no rows"):
        parsed(tmp_path)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("mark", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_however_it_was_saved(tmp_path, encoding, mark, end):
    images(tmp_path, "é 1.jpg", "2.jpg")
    rows = [
        ["path", "label", '"a, b; c"'],
        ["é 1.jpg", "Kätzchen", f'"two{end}lines, ""quoted"""'],
        ["2.jpg", '" dog"'],
    ]
    text = end.join(mark.join(row) for row in rows)
    found = parsed(write(tmp_path, text, "labels.tsv", encoding))
    assert labels(found) == {"é 1.jpg": ("Kätzchen",), "2.jpg": ("dog",)}
    first = next(record for record in found.records if record.path != "2.jpg")
    assert first.attributes == {"a, b; c": f'two{end}lines, "quoted"'}
    assert found.rejected == ()


@pytest.mark.parametrize(
    ("data", "reason", "detail"),
    [
        ("path,label\n1.jpg,Kätzchen\n".encode("cp1252"), "not-utf8", "byte 0xE4"),
        ("path,Größe\n1.jpg,cat\n".encode("cp1252"), "not-utf8", "byte 0xF6"),
        (b'path,label\n1.jpg,"cat\n' + b"x" * 200_000, "broken-csv", "quote left open"),
        (
            b"\xff\xfep\0a\0t\0h\0,\0l\0a\0b\0e\0l\0\n\0\0\xd8\n",
            "not-utf8",
            "begins as UTF-16, but is not",
        ),
    ],
)
def test_tables_that_cannot_be_read(tmp_path, data, reason, detail):
    images(tmp_path, "1.jpg", "2.jpg")
    write(tmp_path, "path,label\n2.jpg,cat\n", "good.csv")
    (tmp_path / "bad.csv").write_bytes(data)
    found = parsed(tmp_path)
    assert labels(found) == {"2.jpg": ("cat",)}
    assert reasons(found) == [("bad.csv", reason)]
    assert detail in found.rejected[0].detail
    with pytest.raises(DatasetError, match=detail) as caught:
        parsed(tmp_path / "bad.csv")
    assert caught.value.message.startswith(f"{tmp_path / 'bad.csv'}: ")
    (tmp_path / "good.csv").write_text("epoch,loss\n1,2\n")
    with pytest.raises(DatasetError, match="none of 2 tables can be used") as caught:
        parsed(tmp_path)
    assert detail in caught.value.message
    assert "It has: epoch, loss" in caught.value.message


def test_plain_csv_of_excel_gets_a_hint(tmp_path):
    text = "path;label\r\n1.jpg;Käfer\r\n2.jpg;Größe\r\n"
    root = images(tmp_path / "in", "1.jpg", "2.jpg")
    write(root, text, encoding="cp1252")
    for place in (root, root / "labels.csv"):
        with pytest.raises(DatasetError) as caught:
            prepare(place, tmp_path / "out", near=False)
        assert str(caught.value) == (
            f"{root / 'labels.csv'}: It is not in UTF-8 (byte 0xE4), but perhaps in "
            "Windows-1252, as plain CSV from Excel is: save it as CSV UTF-8.\n"
            "In Excel: File, Save As, CSV UTF-8."
        )
    assert detect(open_source(images(root, "a/3.jpg"))) == "folders"


@pytest.mark.parametrize("name", ["labels.txt", "labels.TAB"])
def test_unicode_text_of_excel(tmp_path, name):
    images(tmp_path, "1.jpg", "2.jpg", "3.jpg")
    text = "path\tlabel\r\n1.jpg\tKäfer\r\n2.jpg\tGröße\r\n"
    write(tmp_path, text, name, "utf-16")
    opened = open_source(tmp_path / name)
    assert detect(opened) == "csv"
    assert labels(table.read(opened)) == {"1.jpg": ("Käfer",), "2.jpg": ("Größe",)}
    # In a folder a .txt is anything; alone it has to have the columns.
    with pytest.raises(DatasetError, match=r"expected a table \(.csv, .tsv\), found"):
        parsed(tmp_path)
    write(tmp_path, "0 0.5 0.5 1 1\n", name)
    with pytest.raises(DatasetError, match="not an annotation file"):
        detect(open_source(tmp_path / name))
    with pytest.raises(DatasetError, match=r"\.csv, \.tsv, \.txt, \.tab\), found"):
        parsed(tmp_path / "1.jpg")


@pytest.mark.parametrize("first", ["sep=;", "SEP=;", '"sep=;"', "sep=|", "sep=\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_first_line_that_states_the_separator(tmp_path, first, encoding):
    mark = first.strip('"')[-1]
    images(tmp_path, "1.jpg", "2.jpg")
    rows = [first, "path/label/a,b", "1.jpg/cat/x,y", "2.jpg/dog/", "/dog/"]
    text = "\r\n".join([rows[0], *(row.replace("/", mark) for row in rows[1:])])
    write(tmp_path, text, encoding=encoding)
    opened = open_source(tmp_path, workers=0)
    assert claims(opened) == {"csv": 3}
    found = table.read(opened)
    assert labels(found) == {"1.jpg": ("cat",), "2.jpg": ("dog",)}
    assert found.records[0].attributes == {"a,b": "x,y"}
    # As Excel counts them, which does not show the line.
    assert [one.detail for one in found.rejected] == ["Row 4: it names no image."]


@pytest.mark.parametrize("first", ["sep=", 'sep="', "sep=a", "sep=,,", "sep=\0"])
def test_a_first_line_that_only_looks_like_it(tmp_path, first):
    if "\0" in first and sys.version_info < (3, 11):
        pytest.skip("the csv module of Python 3.10 refuses NUL")
    write(tmp_path, f"{first},label\n")
    assert header_of(tmp_path / "labels.csv")[-1] == "label"


def test_a_table_too_large(tmp_path, monkeypatch):
    images(tmp_path, "1.jpg")
    write(tmp_path, "path,label\n1.jpg,cat\n")
    monkeypatch.setattr("tlkit.dataset.formats.table_cells.MAX_TABLE_BYTES", 20)
    write(tmp_path, "path,label\n", "2.csv")
    assert reasons(parsed(tmp_path)) == [("labels.csv", "too-big")]


def test_a_table_that_must_not_be_read(tmp_path, monkeypatch):
    images(tmp_path, "a/1.jpg", "b/2.jpg")
    write(tmp_path, "path,label\na/1.jpg,x\n")

    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    asked = (("path", "path"), ("label", "label"))
    header = header_of(tmp_path / "labels.csv")
    monkeypatch.setattr(type(tmp_path), "open", refuse)
    assert detect(open_source(tmp_path)) == "folders"
    assert count_lines(tmp_path / "labels.csv") == 0
    monkeypatch.setattr("tlkit.dataset.formats.table_rows.header_of", lambda _: header)
    with pytest.raises(DatasetError, match="cannot be read: Permission denied"):
        parsed(tmp_path, columns=asked)


def test_a_header_too_long_for_a_table(tmp_path):
    write(tmp_path, "path," + "x" * 200 + "\n")
    before = csv.field_size_limit(100)
    try:
        assert header_of(tmp_path / "labels.csv") == ()
    finally:
        csv.field_size_limit(before)


def test_a_data_frame(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    images(tmp_path, "photos/a/1.jpg", "photos/b/2.jpg", "photos/b/3.jpg", "x.jpg")
    frame = pandas.DataFrame(
        {
            "path": ["photos/a/1.jpg", str(tmp_path / "photos/b/2.jpg"), None],
            "label": [["cat", "old"], 2.0, "dog"],
            "group": [None, float("nan"), pandas.NA],
        }
    )
    same, root = place_frame(frame, None, ReaderOptions())
    assert root == tmp_path / "photos"
    assert frame["path"][0] == "photos/a/1.jpg"
    found = table.read(open_source(root, frame=same))
    assert labels(found) == {"a/1.jpg": ("cat", "old"), "b/2.jpg": ("2",)}
    assert claims(open_source(root, frame=same)) == {"csv": 3}
    assert [record.group for record in found.records] == ["", ""]
    assert reasons(found) == [("DataFrame", "no-path")]
    assert found.annotation_files == frozenset()
    found = table.read(
        open_source(root, frame=same, options=ReaderOptions(separator="|")),
    )
    assert labels(found)["a/1.jpg"] == ("cat", "old")


def test_where_the_images_of_a_data_frame_are(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    frame = pandas.DataFrame({"file": ["a/1.jpg", "a/2.jpg"], "y": [0, 1]})
    same, root = place_frame(frame, None, ReaderOptions())
    assert (root, list(same["file"])) == (tmp_path / "a", ["1.jpg", "2.jpg"])
    same, root = place_frame(frame, "in", ReaderOptions())
    assert (root, list(same["file"])) == (tmp_path / "in", ["a/1.jpg", "a/2.jpg"])
    for paths, fault in (
        ([], "has no rows"),
        ([None, float("nan")], "names no images"),
        (["/x/1.jpg", "/y/1.jpg"], "no folder in common"),
    ):
        frame = pandas.DataFrame({"file": paths, "y": ["a"] * len(paths)}, dtype=object)
        with pytest.raises(DatasetError, match=fault):
            place_frame(frame, None, ReaderOptions())


def test_advice_for_a_data_frame_is_in_terms_of_python(tmp_path):
    images(tmp_path, "1.jpg", "2.jpg")
    for content, option in (
        ({"a": [1]}, 'columns={"path": "NAME", "label": "NAME"}'),
        ({"1.jpg": [1]}, 'columns={"path": "NAME", "label": "NAME"}'),
        ({"file": [1], "target": [1], "class": ["a"]}, 'columns={"label": "class"}'),
    ):
        with pytest.raises(DatasetError, match="The DataFrame") as caught:
            prepare(pandas.DataFrame(content), tmp_path / "out")
        assert caught.value.hint.endswith(f": {option}")
    frame = pandas.DataFrame({"path": ["1.jpg", "2.jpg"], "label": ["a|b", "b|a"]})
    (warning,) = table.read(open_source(tmp_path, frame=frame)).warnings
    assert warning.endswith("separator='|' makes several labels of each.")
    assert "--" not in warning


@pytest.mark.parametrize("given", [{"path": [1]}, [{"path": "1.jpg"}], None, 7])
def test_neither_path_nor_data_frame(tmp_path, given):
    with pytest.raises(UsageError, match=f"got {type(given).__name__}") as caught:
        prepare(given, tmp_path / "out")
    assert "pandas DataFrame" in caught.value.message


@pytest.mark.parametrize("kind", [list, tuple, set, frozenset, np.array])
def test_several_labels_in_a_cell(tmp_path, kind):
    images(tmp_path, "1.jpg", "2.jpg", "3.jpg", "4.jpg")
    cells = [kind(each) for each in (["a", "b|c"], ["b"], [], ["a", ""])]
    frame = pandas.DataFrame({"path": ["1", "2", "3", "4"], "label": cells})
    frame["seen"] = [kind(["x", "y"])] * 4
    found = table.read(open_source(tmp_path, frame=frame))
    assert labels(found) == {
        "1.jpg": ("a", "b|c"),
        "2.jpg": ("b",),
        "3.jpg": (),
        "4.jpg": ("a",),
    }
    assert found.records[0].attributes["seen"] == "x|y"
    assert found.warnings == ()
    # As in a text, where it was asked for.
    reading = ReaderOptions(separator="|")
    found = table.read(open_source(tmp_path, frame=frame, options=reading))
    assert labels(found)["1.jpg"] == ("a", "b", "c")
