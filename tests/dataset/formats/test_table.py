from __future__ import annotations

import csv
import json
import os
import time

import numpy as np
import pandas
import pytest
from PIL import Image

from tests.dataset.formats.tables import (
    drawn,
    images,
    in_pixels,
    labels,
    parsed,
    reasons,
    write,
)
from tlkit.dataset.formats import detect, table
from tlkit.dataset.formats.detect import claims
from tlkit.dataset.prepare import prepare
from tlkit.dataset.records import ImageRecord
from tlkit.dataset.sources.open import ReaderOptions, open_source
from tlkit.errors import DatasetError


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


def test_an_image_is_meant_by_one_name_only(tmp_path):
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


def test_what_rows_of_an_image_do_not_agree_on(tmp_path):
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


def test_splits_by_the_names_of_the_tables(tmp_path):
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


def test_splits_by_the_folders_of_the_images(tmp_path):
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
    rotated = Image.Exif()
    rotated[0x0112] = 6
    Image.new("RGB", (200, 100)).save(tmp_path / "0c3.jpg", exif=rotated)
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


def test_recognized(tmp_path):
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


def test_a_pipe_is_not_read(tmp_path):
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
    object.__setattr__(opened, "files", files)
    object.__setattr__(opened, "only", "labels.csv")
    start = time.process_time()
    found = table.read(opened)
    assert len(found.records) == 10_000
    assert time.process_time() - start < 5


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
    """Two kinds of drawing in one folder, whose names are not the labels."""
    root = photo_folder({"disc": 12, "bar": 12}, tmp_path / "in")
    for path in root.rglob("*.png"):
        path.rename(root / path.name)
    return root


def test_prepares_a_table(photos, tmp_path):
    names = sorted(path.name for path in photos.glob("*.png"))
    rows = "".join(f"{n},{n.split('_')[0]},p{int(n[-6:-4]) % 6}\n" for n in names)
    write(photos, "path,label,patient\n" + rows + "none.png,bar,p1\n")
    # Next to the table, where `tlkit prepare labels.csv --out data` puts it.
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


def test_files_around_a_table(photos, tmp_path):
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


def test_an_image_in_two_splits_is_a_leak(photos, tmp_path):
    names = sorted(path.name for path in photos.glob("*.png"))
    lines = {"train": names, "test": names[:1]}
    for split, each in lines.items():
        rows = "".join(f"{name},{name.split('_')[0]}\n" for name in each)
        write(photos, "path,label\n" + rows, f"{split}.csv")
    manifest = prepare(photos, tmp_path / "data", near=False)
    assert [example.path for example in manifest.of("test")] == names[:1]
    assert names[0] not in {e.path for e in manifest.of("train") + manifest.of("val")}
    assert manifest.info["counts"]["leaks"] == 1
    info = json.loads((tmp_path / "data" / "dataset.json").read_text())
    assert info["source"]["annotation_files"] == ["test.csv", "train.csv"]
