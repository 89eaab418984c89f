from __future__ import annotations

import csv
import json
import os
import time

import numpy as np
import pandas
import pytest
from PIL import Image, ImageOps

from tlkit.dataset.annotations.orient import orient_record
from tlkit.dataset.formats import ReaderOptions, detect, open_source, table
from tlkit.dataset.formats.detect import claims
from tlkit.dataset.formats.table_cells import header_of, place_frame
from tlkit.dataset.formats.table_columns import UnknownColumns, find_columns
from tlkit.dataset.prepare import prepare
from tlkit.dataset.records import ImageInfo, ImageRecord
from tlkit.errors import DatasetError, UsageError
from tlkit.imaging.safe_read import count_lines


def images(root, *names: str, size=(40, 20)):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", size, (len(name), 9, 9)).save(root / name)
    return root


def write(root, text: str, name: str = "labels.csv", encoding: str = "utf-8"):
    (root / name).write_bytes(text.encode(encoding))
    return root


def parsed(place, **reading):
    return table.read(open_source(place, options=ReaderOptions(**reading), workers=0))


def labels(found) -> dict[str, tuple[str, ...]]:
    return {record.path: record.labels for record in found.records}


def reasons(found) -> list[tuple[str, str]]:
    return [(one.file, one.reason) for one in found.rejected]


def drawn(record: ImageRecord) -> list[tuple[str, tuple[float, ...]]]:
    return [(t.label, tuple(round(v, 6) for v in t.bounds)) for t in record.objects]


def in_pixels(root, record: ImageRecord) -> ImageRecord:
    """Orient a record as prepare does once it has inspected the image."""
    with Image.open(root / record.path) as image:
        size = ImageOps.exif_transpose(image).size
    oriented = orient_record(record, ImageInfo(record.path, "", "", *size, "JPEG"))
    assert isinstance(oriented, ImageRecord)
    return oriented


def test_one_row_per_image(tmp_path):
    images(tmp_path, "a/1.jpg", "b/2.jpg", "b/3.jpg")
    write(
        tmp_path,
        "File Name,Class,Subset,group,camera,note\n"
        'a/1.jpg, cat ,train,g1,"left, old",\n'
        "\n"
        "b/2.jpg,dog,Validation,g1,right,\n"
        "b/3.jpg,,,,,x\n",
    )
    found = parsed(tmp_path)
    assert found.records == (
        ImageRecord(
            path="a/1.jpg",
            file="labels.csv",
            labels=("cat",),
            split="train",
            group="g1",
            attributes={"camera": "left, old"},
            shared=True,
        ),
        ImageRecord(
            path="b/2.jpg",
            file="labels.csv",
            labels=("dog",),
            split="val",
            group="g1",
            attributes={"camera": "right"},
            shared=True,
        ),
        ImageRecord(
            path="b/3.jpg",
            file="labels.csv",
            attributes={"note": "x"},
            shared=True,
        ),
    )
    assert found.rejected == ()
    assert found.annotation_files == {"labels.csv"}
    assert found.note == (
        "Read as a table, labels.csv: path = File Name, label = Class, split = Subset, "
        "group = group; other columns: camera, note."
    )


@pytest.mark.parametrize(
    ("header", "roles"),
    [
        ("path,label", {"path": 0, "label": 1}),
        ("ID,IMAGE,Class_Name", {"path": 1, "label": 2}),
        ("label_name;img", {"path": 1, "label": 0}),
        ("image path\tcategory\tset", {"path": 0, "label": 1, "split": 2}),
        ("y,file", {"path": 1, "label": 0}),
        # One half of a place is no label.
        ("file,x,y,target", {"path": 0, "label": 3}),
        # A fold is no side of a split.
        ("file,fold,target", {"path": 0, "label": 2}),
        # The more telling name comes first.
        ("image,path,label", {"path": 1, "label": 2}),
        # Without all four corners there is no box.
        ("path,label,xmin,ymin,width", {"path": 0, "label": 1}),
        (
            "filename,width,height,class,xmin,ymin,xmax,ymax",
            {
                **dict(
                    zip(("xmin", "ymin", "xmax", "ymax"), (4, 5, 6, 7), strict=True)
                ),
                **dict(
                    zip(("path", "width", "height", "label"), range(4), strict=True)
                ),
            },
        ),
        (
            "img,x1,y1,x2,y2,class",
            {"path": 0, "label": 5, "xmin": 1, "ymin": 2, "xmax": 3, "ymax": 4},
        ),
    ],
)
def test_columns_by_their_usual_names(tmp_path, header, roles):
    write(tmp_path, header + "\n")
    names = header_of(tmp_path / "labels.csv")
    assert find_columns(names, (), "x").places == roles


def test_columns_that_were_said(tmp_path):
    images(tmp_path, "1.jpg", "2.jpg")
    write(tmp_path, "id,label,breed,patient\n1,0,pug,p7\n2,1,lab,p8\n")
    with pytest.raises(DatasetError, match="known as the path"):
        parsed(tmp_path)
    said = (("path", "id"), ("label", "Breed"), ("group", "patient"))
    found = parsed(tmp_path, columns=said)
    assert labels(found) == {"1.jpg": ("pug",), "2.jpg": ("lab",)}
    assert [record.group for record in found.records] == ["p7", "p8"]
    assert found.records[0].attributes == {"label": "0"}
    with pytest.raises(UnknownColumns, match="no column 'race'"):
        parsed(tmp_path, columns=(*said[:1], ("label", "race")))
    with pytest.raises(UsageError, match="Unknown role of a column 'lable'"):
        parsed(tmp_path, columns=(("lable", "breed"),))


def test_columns_that_cannot_be_told(tmp_path):
    images(tmp_path, "1.jpg")
    write(tmp_path, "path,class,class_name\n1.jpg,0,cat\n")
    with pytest.raises(DatasetError, match="may be the label: class and class_na") as e:
        parsed(tmp_path)
    assert e.value.hint == "Choose one: --column label=class"
    assert labels(parsed(tmp_path, columns=(("label", "class_name"),))) == {
        "1.jpg": ("cat",)
    }
    write(tmp_path, "1.jpg,cat\n")
    with pytest.raises(DatasetError, match="the path or the label") as caught:
        parsed(tmp_path)
    assert "names of the columns above it" in caught.value.hint
    write(tmp_path, "\n1.jpg,cat\n")
    with pytest.raises(DatasetError, match="They have no names"):
        parsed(tmp_path / "labels.csv")


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


def test_plain_csv_of_excel_is_told_how_to_be_saved(tmp_path):
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
def test_a_first_line_that_tells_the_separator(tmp_path, first, encoding):
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
    write(tmp_path, f"{first},label\n")
    assert header_of(tmp_path / "labels.csv")[-1] == "label"


def test_a_table_too_large(tmp_path, monkeypatch):
    images(tmp_path, "1.jpg")
    write(tmp_path, "path,label\n1.jpg,cat\n")
    monkeypatch.setattr("tlkit.dataset.formats.table_cells.MAX_TABLE_BYTES", 20)
    write(tmp_path, "path,label\n", "2.csv")
    assert reasons(parsed(tmp_path)) == [("labels.csv", "too-big")]


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
    # A row without side and without label says nothing new.
    assert {record.split: record.labels for record in found.records} == {
        "train": ("cat",),
        None: (),
    }


def test_names_as_others_give_them(tmp_path):
    images(tmp_path, "in/a/1.jpg", "in/b/1.jpg", "in/b/2.png")
    rows = {
        "a\\1.jpg": "windows",
        str(tmp_path / "in" / "b" / "1.jpg"): "absolute",
        "2": "stem",
    }
    text = "".join(f"{name},{label}\n" for name, label in rows.items())
    write(tmp_path, "path,label\n" + text)
    assert labels(parsed(tmp_path)) == {
        "in/a/1.jpg": ("windows",),
        "in/b/1.jpg": ("absolute",),
        "in/b/2.png": ("stem",),
    }


def test_a_image_is_meant_by_one_name_only(tmp_path):
    images(tmp_path, "cats/1.jpg", "dogs/2.jpg")
    write(
        tmp_path,
        "path,label\ncats/1.jpg,cat\ndogs/1.jpg,dog\nold/2.jpg,cat\nnew/2.jpg,dog\n",
    )
    found = parsed(tmp_path)
    assert labels(found) == {"cats/1.jpg": ("cat",)}
    assert [one.detail for one in found.rejected] == [
        "Row 3: Its image is not there, and cats/1.jpg is another row's.",
        "Row 4: Its image is not there, and dogs/2.jpg is another row's.",
        "Row 5: Its image is not there, and dogs/2.jpg is another row's.",
    ]


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


def test_rows_without_label_are_listed(photos, tmp_path):
    names = sorted(path.name for path in photos.glob("*.png"))
    rows = "".join(f"{name},{name.split('_')[0]}\n" for name in names[1:])
    write(photos, f"path,label\n{rows}{names[1]},\n{names[0]},\n{names[0]},\n")
    prepare(photos / "labels.csv", tmp_path / "out", near=False)
    with (tmp_path / "out" / "rejected.csv").open(newline="") as file:
        lines = [(r["file"], r["reason"], r["detail"]) for r in csv.DictReader(file)]
    assert lines == [
        (names[0], "no-label", "The image itself has no label."),
        (
            "labels.csv",
            "no-label",
            f"Row 25: It gives {names[1]} no label, another row does.",
        ),
    ]


def test_what_rows_of_a_image_do_not_agree_on(tmp_path):
    images(tmp_path, "1.jpg", "2.jpg")
    write(
        tmp_path,
        "path,label,group,camera,expert\n1.jpg,a,g,left,x\n1.jpg,a,,left,y\n"
        "2.jpg,a,g1,,\n2.jpg,b,g2,,\n",
    )
    found = parsed(tmp_path)
    assert [(p.path, p.group, p.attributes) for p in found.records] == [
        ("1.jpg", "g", {"camera": "left"})
    ]
    assert reasons(found) == [("2.jpg", "several-groups")]
    assert found.rejected[0].detail == "In several groups: g1, g2."


def test_sides_by_the_names_of_the_tables(tmp_path):
    images(tmp_path, "1.jpg", "2.jpg", "3.jpg")
    write(tmp_path, "path,label\n1.jpg,a\n", "train_labels.csv")
    assert parsed(tmp_path).records[0].split is None
    write(tmp_path, "path,label\n2.jpg,a\n", "val-annotations-bbox.csv")
    write(tmp_path, "path,label\n3.jpg,a\n", "rest.csv")
    assert [record.split for record in parsed(tmp_path).records] == [
        "train",
        "val",
        None,
    ]
    assert [record.split for record in parsed(tmp_path / "rest.csv").records] == [None]
    write(tmp_path, "path,label,split\n3.jpg,a,test\n", "rest.csv")
    assert [record.split for record in parsed(tmp_path).records] == [None, None, "test"]


def test_sides_by_the_folders_of_the_images(tmp_path):
    images(tmp_path, "Train/1.jpg", "valid/2.jpg")
    write(tmp_path, "path,label\n1.jpg,a\n2.jpg,a\n")
    assert [record.split for record in parsed(tmp_path).records] == ["train", "val"]
    images(tmp_path, "3.jpg")
    write(tmp_path, "path,label\n1.jpg,a\n2.jpg,a\n3.jpg,a\n")
    assert {record.split for record in parsed(tmp_path).records} == {None}


def test_boxes_of_tensorflow(tmp_path):
    images(tmp_path, "1.jpg", "2.jpg", "3.jpg")
    write(
        tmp_path,
        "filename,width,height,class,xmin,ymin,xmax,ymax,pose\n"
        "1.jpg,40,20,cat,1,2,11,12,left\n"
        "1.jpg,40,20,dog,30.5,18,20,4,\n"
        "1.jpg,40,20,,0,0,4,4,\n"
        "2.jpg,0,0,cat,1,2,nan,4,\n"
        "2.jpg,0,0,cat,1,2,,4,\n"
        "2.jpg,0,0,cat,1,2,x,4,\n"
        "2.jpg,0,0,cat,,,,,\n"
        "3.jpg,,,,,,,,\n",
    )
    found = parsed(tmp_path)
    one, two, three = found.records
    assert drawn(one) == [
        ("cat", (1, 2, 11, 12)),
        ("dog", (20, 4, 30.5, 18)),
        ("", (0, 0, 4, 4)),
    ]
    assert one.size == (40, 20)
    assert one.labels == ()
    assert one.objects[0].attributes == {"pose": "left"}
    assert (two.objects, two.size) == ((), None)
    # An image that nothing is on.
    assert (three.objects, three.labels, three.size) == ((), (), None)
    assert [(o.file, o.reason, o.detail.split(":")[0]) for o in found.rejected] == [
        ("labels.csv", "bad-points", "Row 5"),
        ("labels.csv", "bad-box", "Row 6"),
        ("labels.csv", "bad-box", "Row 7"),
        ("2.jpg", "no-box", "labels.csv, row 8"),
    ]
    assert found.note.endswith("other columns: pose. Boxes are in pixels.")


def test_boxes_of_openimages(tmp_path):
    images(tmp_path, "0a1.jpg", "0b2.jpg", size=(200, 100))
    turned = Image.Exif()
    turned[0x0112] = 6
    Image.new("RGB", (200, 100)).save(tmp_path / "0c3.jpg", exif=turned)
    (tmp_path / "0d4.jpg").write_text("no image")
    write(
        tmp_path,
        "ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,IsGroupOf\n"
        "0a1,x,/m/cat,1,0.25,0.5,0.1,1.0,0\n"
        '0b2,x,/m/dog,1,"0,1","0,2","0,5","1",1\n'
        "0b2,x,/m/cat,0,0,1,0,1,0\n"
        "0c3,x,/m/cat,,0,0.5,0,0.5,0\n"
        "0d4,x,/m/cat,,0,0.5,0,0.5,0\n"
        "0a1,x,/m/dog,?,0,3.5,0,0.5,0\n",
    )
    found = parsed(tmp_path)
    assert all(r.relative and r.size is None for r in found.records)
    records = [in_pixels(tmp_path, record) for record in found.records[:3]]
    assert {record.path: drawn(record) for record in records} == {
        "0a1.jpg": [("/m/cat", (50, 10, 100, 100)), ("/m/dog", (0, 0, 700, 50))],
        "0b2.jpg": [("/m/dog", (20, 50, 40, 100))],
        # As it is shown, 100 wide and 200 high.
        "0c3.jpg": [("/m/cat", (0, 0, 50, 100))],
    }
    assert [(record.size, record.relative) for record in records] == [
        ((200, 100), False),
        ((200, 100), False),
        ((100, 200), False),
    ]
    crowd = found.records[1].objects[0].attributes
    assert (crowd["iscrowd"], crowd["IsGroupOf"]) == (1, "1")
    assert reasons(found) == [("labels.csv", "ruled-out")]
    assert found.note.endswith("Boxes are shares of width and height.")


def test_boxes_in_shares_and_in_pixels_of_one_image(tmp_path):
    images(tmp_path, "1.jpg")
    header = "filename,class,xmin,ymin,xmax,ymax\n"
    write(tmp_path, header + "1.jpg,cat,0.25,0.5,0.5,1\n", "a.csv")
    write(tmp_path, header + "1.jpg,dog,4,5,20,10\n", "b.csv")
    records = [in_pixels(tmp_path, record) for record in parsed(tmp_path).records]
    assert sorted(each for record in records for each in drawn(record)) == [
        ("cat", (10, 10, 20, 20)),
        ("dog", (4, 5, 20, 10)),
    ]


def test_the_same_boxes_as_in_yolo(shared_data, tmp_path):
    yolo = shared_data / "yolo"
    names = (yolo / "obj.names").read_text().split()
    expected = {}
    for path in sorted((yolo / "obj_train_data").glob("*.jpg")):
        (tmp_path / path.name).symlink_to(path)
        with Image.open(path) as image:
            width, height = image.size
        expected[path.name] = sorted(
            (
                names[int(number)],
                *((x - w / 2) * width, (y - h / 2) * height, w * width, h * height),
            )
            for number, x, y, w, h in np.loadtxt(path.with_suffix(".txt"), ndmin=2)
        )
    source = shared_data / "multiformat" / "openimages" / "boxes.csv"
    (tmp_path / "boxes.csv").write_bytes(source.read_bytes())
    opened = open_source(tmp_path, options=ReaderOptions(allow_outside=True), workers=0)
    assert detect(opened) == "csv"
    found = table.read(opened)
    assert found.rejected == ()
    assert sum(len(record.objects) for record in found.records) == 87
    for record in found.records:
        record = in_pixels(tmp_path, record)
        boxes = sorted(
            (t.label, b[0], b[1], b[2] - b[0], b[3] - b[1])
            for t in record.objects
            for b in [t.bounds]
        )
        assert [b[0] for b in boxes] == [b[0] for b in expected[record.path]]
        np.testing.assert_allclose(
            [b[1:] for b in boxes], [b[1:] for b in expected[record.path]], atol=0.5
        )
    assert {record.path for record in found.records} == set(expected)


def test_claims(tmp_path):
    images(tmp_path, "a/1.jpg", "a/2.jpg", "b/3.jpg")
    assert claims(open_source(tmp_path)) == {}
    # Numbers about something else, and a table of other images, are stray.
    write(tmp_path, "epoch,loss\n1,2\n", "history.csv")
    write(tmp_path, "path,label\nx/7.jpg,a\nx/8.jpg,b\n", "other.csv")
    write(tmp_path, "filename,label,region_shape_attributes\n1.jpg,a,{}\n", "via.csv")
    (tmp_path / "bad.csv").write_bytes(b"path,label\n1.jpg,\xff\n")
    assert detect(open_source(tmp_path)) == "folders"
    write(tmp_path, "path,label\na/1.jpg,x\n2,y\nb/3.jpg,z")
    assert claims(open_source(tmp_path)) == {"csv": 3}
    assert detect(open_source(tmp_path)) == "csv"
    # What was asked for is read, or refused with its columns.
    assert detect(open_source(tmp_path / "other.csv")) == "csv"
    assert detect(open_source(tmp_path / "history.csv")) == "csv"
    with pytest.raises(DatasetError, match="It has: epoch, loss"):
        parsed(tmp_path / "history.csv")
    with pytest.raises(DatasetError, match="is not an annotation file"):
        detect(open_source(tmp_path / "via.csv"))
    with pytest.raises(DatasetError, match="table of the VGG Image Annotator"):
        parsed(tmp_path / "via.csv")
    found = parsed(tmp_path)
    assert ("history.csv", "unknown-columns") in reasons(found)
    assert ("via.csv", "unknown-columns") in reasons(found)


def test_a_table_that_must_not_be_read(tmp_path, monkeypatch):
    images(tmp_path, "a/1.jpg", "b/2.jpg")
    write(tmp_path, "path,label\na/1.jpg,x\n")

    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    said = (("path", "path"), ("label", "label"))
    header = header_of(tmp_path / "labels.csv")
    monkeypatch.setattr(type(tmp_path), "open", refuse)
    assert detect(open_source(tmp_path)) == "folders"
    assert count_lines(tmp_path / "labels.csv") == 0
    monkeypatch.setattr("tlkit.dataset.formats.table_rows.header_of", lambda _: header)
    with pytest.raises(DatasetError, match="cannot be read: Permission denied"):
        parsed(tmp_path, columns=said)


def test_a_header_too_long_for_a_table(tmp_path):
    write(tmp_path, "path," + "x" * 200 + "\n")
    before = csv.field_size_limit(100)
    try:
        assert header_of(tmp_path / "labels.csv") == ()
    finally:
        csv.field_size_limit(before)


def test_a_pipe_is_no_table(tmp_path):
    images(tmp_path, "a/1.jpg", "b/2.jpg")
    os.mkfifo(tmp_path / "labels.csv")
    assert detect(open_source(tmp_path)) == "folders"
    with pytest.raises(DatasetError, match="Not an ordinary file"):
        parsed(tmp_path)


def test_many_rows(tmp_path):
    rows = "".join(f"a/{i}.jpg,{i % 7},g{i % 100},x\n" for i in range(10_000))
    write(tmp_path, "path,label,group,more\n" + rows)
    files = tuple(f"a/{i}.jpg" for i in range(10_000))
    opened = open_source(tmp_path)
    object.__setattr__(opened, "found", type(opened.found)(files, ()))
    object.__setattr__(opened, "only", "labels.csv")
    start = time.process_time()
    found = table.read(opened)
    assert len(found.records) == 10_000
    assert time.process_time() - start < 5


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
def test_what_is_no_data_frame(tmp_path, given):
    with pytest.raises(UsageError, match=f"Received: {type(given).__name__}") as caught:
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


def test_prepares_lists_of_labels(photos, tmp_path):
    names = sorted(path.name for path in photos.glob("*.png"))
    cells = [[n.split("_")[0], "drawn"] for n in names[1:]]
    frame = pandas.DataFrame({"path": names, "label": [["bar"], *cells]})
    manifest = prepare(
        frame, tmp_path / "data", root=photos, near=False, multi_label=True
    )
    assert manifest.labels == ("bar", "disc", "drawn")
    assert manifest.info["counts"]["rejected"] == {}
    assert sum(manifest.counts()["drawn"].values()) == len(names) - 1


@pytest.fixture
def photos(photo_folder, tmp_path):
    """Two kinds of drawing in one folder, which does not tell their names."""
    root = photo_folder({"disc": 12, "bar": 12}, tmp_path / "in")
    for path in root.rglob("*.png"):
        path.rename(root / path.name)
    return root


def test_prepares_a_table(photos, tmp_path):
    names = sorted(path.name for path in photos.glob("*.png"))
    rows = "".join(f"{n},{n.split('_')[0]},p{int(n[-6:-4]) % 6}\n" for n in names)
    write(photos, "path,label,patient\n" + rows + "none.png,bar,p1\n")
    # Beside the table, where `tlkit prepare labels.csv --out data` puts it.
    for _ in range(2):
        manifest = prepare(
            photos / "labels.csv",
            photos / "data",
            columns={"group": "patient"},
            near=False,
            overwrite=True,
        )
    assert manifest.labels == ("bar", "disc")
    assert len(manifest.examples) == 24
    assert {example.annotation for example in manifest.examples} == {"labels.csv"}
    assert manifest.source == photos
    assert manifest.info["counts"]["rejected"] == {"image-missing": 1}
    assert manifest.info["source"]["format"] == "csv"
    # By itself it is as good as in its folder.
    other = prepare(
        photos / "labels.csv",
        tmp_path / "out",
        columns={"group": "patient"},
        near=False,
    )
    assert len(other.examples) == 24


def test_prepares_boxes_in_shares(photos, tmp_path):
    names = sorted(path.name for path in photos.glob("*.png"))
    (photos / names[0]).write_text("no image")
    with Image.open(photos / names[1]) as image:
        width, height = image.size
    rows = "".join(f"{name},{name[:3]},0.25,0.5,0.75,1\n" for name in names)
    write(photos, "filename,class,xmin,ymin,xmax,ymax\n" + rows)
    manifest = prepare(photos, tmp_path / "out", near=False, label_by="shapes")
    box = width // 4, height // 2, 3 * width // 4, height
    assert {example.box for example in manifest.examples} == {box}
    assert len(manifest.examples) == len(names) - 1
    assert manifest.info["counts"]["rejected"] == {"not-an-image": 1}


def test_what_lies_beside_a_table(photos, tmp_path):
    names = sorted(path.name for path in photos.glob("*.png"))
    rows = [f"{name},{name.split('_')[0]}\n" for name in names]
    write(photos, "path,label\n" + "".join(rows[1:]))
    write(photos, "path,label\n" + "".join(rows), "other.csv")
    write(photos, "to do", "notes.txt")
    (photos / names[2]).rename(photos / "plain")  # an image by its content
    write(photos, "path,label\nplain,bar\n" + "".join([rows[1], *rows[3:]]))
    unlabeled = {names[0]: "unlabeled"}

    def rejected(src, **options):
        manifest = prepare(src, tmp_path / "out", near=False, overwrite=True, **options)
        with (tmp_path / "out" / "rejected.csv").open(newline="") as file:
            lines = {row["file"]: row["reason"] for row in csv.DictReader(file)}
        assert len(manifest.examples) == 23
        return lines

    assert rejected(photos / "labels.csv") == unlabeled
    frame = pandas.read_csv(photos / "labels.csv")
    assert rejected(frame, root=photos) == unlabeled
    # In a folder all files are of the source.
    (photos / "other.csv").unlink()
    assert rejected(photos) == {**unlabeled, "notes.txt": "unlabeled"}


def test_the_faults_of_the_table_come_first(photos, tmp_path):
    write(photos, "path,label\ngone.png,cat\n")
    write(photos, "to do", "notes.txt")
    with pytest.raises(DatasetError) as caught:
        prepare(photos / "labels.csv", tmp_path / "out", near=False)
    first, second, third = caught.value.message.split("\n")
    assert first.startswith(f"{photos / 'labels.csv'}: expected images of two")
    assert second.startswith("  1 rejected as image-missing, such as labels.csv: Row 2")
    assert third.startswith("  24 rejected as unlabeled, such as bar_000.png")


def test_prepares_a_data_frame(photos, tmp_path):
    names = sorted(path.name for path in photos.glob("*.png"))
    frame = pandas.DataFrame({"path": names, "label": [n[:3] for n in names]})
    manifest = prepare(frame, tmp_path / "data", root=photos, near=False)
    assert manifest.labels == ("bar", "dis")
    assert {example.path for example in manifest.examples} == set(names)
    assert {example.annotation for example in manifest.examples} == {""}
    assert manifest.info["source"]["format"] == "csv"
    with pytest.raises(DatasetError, match="does not exist"):
        prepare(frame, tmp_path / "other", root=tmp_path / "none", near=False)


def test_a_image_on_two_sides_is_a_leak(photos, tmp_path):
    names = sorted(path.name for path in photos.glob("*.png"))
    lines = {"train": names, "test": names[:1]}
    for side, each in lines.items():
        rows = "".join(f"{name},{name.split('_')[0]}\n" for name in each)
        write(photos, "path,label\n" + rows, f"{side}.csv")
    manifest = prepare(photos, tmp_path / "data", near=False)
    assert [example.path for example in manifest.of("test")] == names[:1]
    assert names[0] not in {e.path for e in manifest.of("train") + manifest.of("val")}
    assert manifest.info["counts"]["leaks"] == 1
    info = json.loads((tmp_path / "data" / "dataset.json").read_text())
    assert info["source"]["annotation_files"] == ["test.csv", "train.csv"]


def test_places_are_no_labels():
    with pytest.raises(UnknownColumns, match="none of its columns is known as the lab"):
        find_columns(("file", "x", "y"), (), "points.csv")
