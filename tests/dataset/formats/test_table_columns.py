from __future__ import annotations

import pytest

from tests.dataset.formats.tables import (
    images,
    labels,
    parsed,
    write,
)
from tlkit.dataset.formats.table_cells import header_of
from tlkit.dataset.formats.table_columns import UnknownColumns, find_columns
from tlkit.errors import DatasetError, UsageError


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
        # A fold is not a split.
        ("file,fold,target", {"path": 0, "label": 2}),
        # The more specific name comes first.
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


def test_columns_as_asked(tmp_path):
    images(tmp_path, "1.jpg", "2.jpg")
    write(tmp_path, "id,label,breed,patient\n1,0,pug,p7\n2,1,lab,p8\n")
    with pytest.raises(DatasetError, match="known as the path"):
        parsed(tmp_path)
    asked = (("path", "id"), ("label", "Breed"), ("group", "patient"))
    found = parsed(tmp_path, columns=asked)
    assert labels(found) == {"1.jpg": ("pug",), "2.jpg": ("lab",)}
    assert [record.group for record in found.records] == ["p7", "p8"]
    assert found.records[0].attributes == {"label": "0"}
    with pytest.raises(UnknownColumns, match="no column 'race'"):
        parsed(tmp_path, columns=(*asked[:1], ("label", "race")))
    with pytest.raises(UsageError, match="Unknown role of a column 'lable'"):
        parsed(tmp_path, columns=(("lable", "breed"),))


def test_columns_without_usual_names(tmp_path):
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


def test_coordinates_are_not_labels():
    with pytest.raises(UnknownColumns, match="none of its columns is known as the lab"):
        find_columns(("file", "x", "y"), (), "points.csv")
