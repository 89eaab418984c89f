from __future__ import annotations

import shutil

import numpy as np
import pytest
from PIL import Image

from tests.dataset.conftest import in_pixels
from tlkit.dataset.annotations.shapes import scale
from tlkit.dataset.formats import detect
from tlkit.dataset.formats.detect import claims
from tlkit.dataset.formats.yolo import read
from tlkit.dataset.formats.yolo_labels import looks_like_label, parse_line
from tlkit.dataset.sources.open import open_source
from tlkit.imaging.safe_read import Unusable

BOX = "1 0.5 0.5 0.5 0.25\n"


@pytest.fixture
def folder(tmp_path):
    """A factory: images of 40 x 20 and text files in a folder."""

    class Folder:
        root = tmp_path / "set é"

        def place(self, name):
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            return path

        def image(self, *names, **options):
            for name in names:
                Image.fromarray(np.zeros((20, 40, 3), np.uint8)).save(
                    self.place(name), **options
                )

        def text(self, name, content):
            self.place(name).write_text(content, encoding="utf-8")

        def read(self, place=""):
            return in_pixels(self.root, read(open_source(self.root / place)))

    return Folder()


def drawn(parsed):
    return {
        record.path: [(obj.label, obj.bounds) for obj in record.objects]
        for record in parsed.records
    }


def splits(parsed):
    return {record.path: record.split for record in parsed.records}


def reasons(parsed):
    return {r.file: r.reason for r in parsed.rejected}


@pytest.mark.parametrize(
    ("line", "kind", "points", "attributes"),
    [
        ("2 0.5 0.5 0.5 0.25", "rectangle", ((25, 75), (75, 125)), {}),
        ("2.0\t0.5 0.5  1 1", "rectangle", ((0, 0), (100, 200)), {}),
        ("2 0 1 0.02 0.02", "rectangle", ((-1, 198), (1, 202)), {}),
        ("2 .5 .5 0 0", "rectangle", ((50, 100), (50, 100)), {}),
        (
            "2 0.5 0.5 0.5 0.25 0.75",
            "rectangle",
            ((25, 75), (75, 125)),
            {"confidence": 0.75},
        ),
        ("2 0 0 1 0 0.5 1", "polygon", ((0, 0), (100, 0), (50, 200)), {}),
        (
            "2 .1 .1 .9 0.1 .9 .9 .1 1.05",
            "polygon",
            ((10, 20), (90, 20), (90, 180), (10, 210)),
            {},
        ),
    ],
)
def test_lines(line, kind, points, attributes):
    found = parse_line(line)
    assert (found.class_number, found.shape.kind) == (2, kind)
    np.testing.assert_allclose(scale(found.shape, (100, 200)).points, points, atol=1e-9)
    assert found.attributes == attributes
    assert looks_like_label(line)


def test_lines_with_keypoints():
    line = "0 0.5 0.5 1 1 0.1 0.2 2 0.3 0.4 0"
    found = parse_line(line, (2, 3))
    assert found.shape.kind == "rectangle"
    assert found.attributes == {"keypoints": [[0.1, 0.2, 2], [0.3, 0.4, 0]]}
    found = parse_line("0 0.5 0.5 1 1 0.1 0.2", (1, 2))
    assert found.attributes == {"keypoints": [[0.1, 0.2]]}
    # not so announced, it is an outline of three corners
    assert parse_line("0 0.5 0.5 1 1 0.1 0.2").shape.kind == "polygon"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("cat 0.5 0.5 0.5 0.25", "bad-line"),
        ("1 0,5 0,5 0,5 0,2", "bad-line"),
        ("1 0.5 0.5 0.5", "bad-line"),
        ("1", "bad-line"),
        ("1 .1 .1 .9 .1 .9 .9 .1", "bad-line"),
        ("1 nan 0.5 0.5 0.25", "bad-points"),
        ("1 0.5 inf 0.5 0.25", "bad-points"),
        ("nan 0.5 0.5 0.5 0.25", "bad-points"),
        ("1 0.5 0.5 -0.1 0.25", "bad-points"),
        ("1 120 80 30 40", "bad-points"),
        ("1 0.5 0.5 0.5 1.3", "bad-points"),
        ("1 0 0 1 0 0.5 -0.3", "bad-points"),
        ("-1 0.5 0.5 0.5 0.25", "bad-class"),
        ("1.5 0.5 0.5 0.5 0.25", "bad-class"),
        ("1e30 0.5 0.5 0.5 0.25", "bad-class"),
    ],
)
def test_lines_that_cannot_be_used(line, reason):
    with pytest.raises(Unusable) as caught:
        parse_line(line)
    assert caught.value.reason == reason


def test_darknet_as_cvat_writes_it(folder):
    folder.image("obj_train_data/a.png", "obj_train_data/b.png")
    folder.image("obj_train_data/c.png", "obj_train_data/d.png")
    folder.text("obj_train_data/a.txt", BOX + "\n0 0.5 0.5 1 1\n")
    folder.text("obj_train_data/b.txt", "")
    folder.text("obj_train_data/c.txt", BOX)
    folder.text("obj.names", "cat\nbig dog \n\n")
    data = "classes = 2\ntrain = data/train.txt\nvalid = data/valid.txt\n"
    folder.text("obj.data", data + "names = data/obj.names\nbackup = backup/\n")
    train = "data/obj_train_data/a.png\ndata/obj_train_data/d.png\n"
    folder.text("train.txt", train)
    folder.text("valid.txt", "D:\\x\\b.png\n")
    parsed = folder.read()
    assert drawn(parsed) == {
        "obj_train_data/a.png": [
            ("big dog", (10, 7.5, 30, 12.5)),
            ("cat", (0, 0, 40, 20)),
        ],
        "obj_train_data/b.png": [],
        "obj_train_data/c.png": [("big dog", (10, 7.5, 30, 12.5))],
    }
    assert list(splits(parsed).values()) == ["train", "val", None]
    assert {record.size for record in parsed.records} == {(40, 20)}
    assert parsed.annotation_files == {
        "obj.data",
        "obj.names",
        "train.txt",
        "valid.txt",
    }
    assert parsed.rejected == ()
    assert parsed.warnings == (
        "obj.data: 1 of 3 images are in no split, such as obj_train_data/c.png.",
    )
    assert parsed.annotation_of["obj_train_data/a.png"] == "obj_train_data/a.txt"
    assert "d.png" not in str(parsed.annotation_of)


ULTRALYTICS = """
path: ../datasets/coco8  # stale
train: images/train
val:
  - images/val
test:
names:
  0: no
  1: 1e3
download: |
  import os
"""


def test_ultralytics(folder):
    for split in ("train", "val"):
        folder.image(f"images/{split}/sub/1.png", f"images/{split}/2.png")
        folder.text(f"labels/{split}/sub/1.txt", BOX)
        folder.text(f"labels/{split}/2.txt", "0 0.5 0.5 1 1\n")
    folder.text("data.yaml", ULTRALYTICS)
    folder.text("labels/train.cache", "x")
    parsed = folder.read()
    assert drawn(parsed) == {
        f"images/{split}/{name}": objects
        for split in ("train", "val")
        for name, objects in (
            ("2.png", [("no", (0, 0, 40, 20))]),
            ("sub/1.png", [("1e3", (10, 7.5, 30, 12.5))]),
        )
    }
    assert all(split == path.split("/")[1] for path, split in splits(parsed).items())
    assert (parsed.warnings, parsed.rejected) == ((), ())
    assert parsed.note == (
        "Read as YOLO labels, 4 files, names from data.yaml, split from data.yaml."
    )
    assert folder.read("data.yaml") == parsed


def test_one_label_file_alone(folder):
    folder.image("a.png", "b.png")
    folder.text("a.txt", BOX)
    folder.text("b.txt", BOX)
    folder.text("classes.txt", "cat\ndog")
    assert drawn(folder.read("a.txt")) == {"a.png": [("dog", (10, 7.5, 30, 12.5))]}


def test_roboflow_and_lists_in_a_yaml(folder):
    for split in ("train", "valid"):
        folder.image(f"{split}/images/1.png")
        folder.text(f"{split}/labels/1.txt", BOX)
    places = "train: ../train/images\nval: /home/x/set/valid/images\n"
    folder.text("data.yaml", places + "nc: 2\nnames: ['cat', 'dog']\n")
    parsed = folder.read()
    expected = {"train/images/1.png": "train", "valid/images/1.png": "val"}
    assert splits(parsed) == expected
    lists = "train: a.txt\nval: lists/b.txt\ntest: gone\nnames: [cat, dog]\n"
    folder.text("data.yaml", lists)
    folder.text("a.txt", "./train/images/1.png\n./train/images/0.png\n")
    folder.text("lists/b.txt", "../valid/images/1.png\n")
    parsed = folder.read()
    assert splits(parsed) == expected
    assert parsed.annotation_files == {"data.yaml", "a.txt", "lists/b.txt"}
    assert parsed.rejected == ()
    assert parsed.warnings == (
        "data.yaml: its test, 'gone', is not in here.",
        "a.txt: 1 of 2 lines lead to no image. Its image './train/images/0.png' "
        "leads to no image.",
    )


def test_a_split_by_folders_and_by_unnamed_lists(folder):
    folder.image("images/train/1.png", "images/validation/2.png")
    folder.image("test/train/3.png")
    for name in ("labels/train/1", "labels/validation/2", "test/train/3"):
        folder.text(f"{name}.txt", BOX)
    folder.text("classes.txt", "cat\ndog")
    parsed = folder.read()
    assert list(splits(parsed).values()) == ["train", "val", None]
    assert "in no split, such as test/train/3.png" in parsed.warnings[0]
    folder.text("Test.txt", "1.png\n")
    folder.text("train.txt", "2.png\n3.png\n")
    parsed = folder.read()
    assert list(splits(parsed).values()) == ["test", "train", "train"]
    assert parsed.warnings == ()


def test_train_and_val_that_are_the_same(folder):
    folder.image("images/1.png", "images/2.png")
    folder.text("labels/1.txt", BOX)
    folder.text("labels/2.txt", BOX)
    folder.text("data.yaml", "train: images\nval: images\nnames: [cat, dog]\n")
    parsed = folder.read()
    assert set(splits(parsed).values()) == {None}
    assert parsed.warnings == (
        "data.yaml: train and val are the same 2 image(s), so that no split is "
        "taken from it.",
    )
    folder.text("data.yaml", "train: images\nval: [v.txt]\nnames: [cat, dog]\n")
    folder.text("v.txt", "images/2.png")
    parsed = folder.read()
    assert splits(parsed) == {"images/1.png": "train", "images/2.png": None}
    assert "1 of 2 images are in several splits" in parsed.warnings[0]


def test_the_same_folder_twice_that_is_named_as_a_split(folder):
    folder.image("images/val/1.png", "images/test/2.png")
    folder.text("labels/val/1.txt", BOX)
    folder.text("labels/test/2.txt", BOX)
    places = "train: images/val\nval: [images/val]\ntest: images/test\n"
    folder.text("data.yaml", f"{places}names: [cat, dog]\n")
    parsed = folder.read()
    assert splits(parsed) == {"images/test/2.png": "test", "images/val/1.png": "val"}
    assert parsed.warnings == (
        "data.yaml: train and val are both images/val, which is taken as val.",
    )
    assert parsed.classes == ("cat", "dog")


def test_names_that_are_missing_or_too_few(folder):
    folder.image("a.png")
    folder.text("a.txt", "0 .5 .5 1 1\n7 .5 .5 1 1\n1 .5 .5 1 1\n")
    parsed = folder.read()
    assert [label for label, _ in drawn(parsed)["a.png"]] == ["0", "7", "1"]
    assert parsed.warnings == (
        "./: there is no list of names (data.yaml, obj.names, classes.txt), so that "
        "classes are called 0, 1, ...",
    )
    folder.text("classes.txt", "cat\na\x01b")
    parsed = folder.read()
    assert [label for label, _ in drawn(parsed)["a.png"]] == ["cat"]
    assert [(r.file, r.reason, r.detail) for r in parsed.rejected] == [
        ("a.txt", "bad-class", "Line 2: classes.txt has no name for class 7."),
        ("a.txt", "bad-label", "Line 3: classes.txt calls class 1 'a\\x01b'."),
    ]


def test_the_names_that_count(folder):
    for place in ("one", "two", "three/labels"):
        folder.image(f"{place.replace('labels', 'images')}/{place[:3]}.png")
        folder.text(f"{place}/{place[:3]}.txt", BOX)
    folder.text("one/classes.txt", "a\nb")
    folder.text("two/classes.txt", "c\nd\nd\n")
    parsed = folder.read()  # each its own, as labelImg writes them; none for the third
    labels = {path: objects[0][0] for path, objects in drawn(parsed).items()}
    expected = {"one/one.png": "b", "two/two.png": "d", "three/images/thr.png": "1"}
    assert labels == expected
    assert parsed.warnings == (
        "three/labels/: 2 lists of names elsewhere differ, so that classes are called "
        "0, 1, ...",
        "two/classes.txt: 'd' occurs 2 times.",
    )
    folder.text("two/classes.txt", "a\nb")
    parsed = folder.read()  # where they agree, they hold for all
    assert {objects[0][0] for objects in drawn(parsed).values()} == {"b"}
    assert parsed.warnings == ()
    folder.text("x.yaml", "names: [p, q]")
    folder.text("data.yaml", "names: [r, s]")
    folder.text("other.yml", "a: b")
    parsed = folder.read()  # what is trained by counts more
    assert {objects[0][0] for objects in drawn(parsed).values()} == {"s"}
    assert parsed.warnings == (
        "one/classes.txt is not used: data.yaml is.",
        "two/classes.txt is not used: data.yaml is.",
        "x.yaml is not used: data.yaml is.",
    )
    assert "other.yml" not in parsed.annotation_files


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("names: [a, b", "broken-yaml"),
        ("[" * 100_000, "broken-yaml"),
        ("a: &a [*a]\nnames: *a", "broken-yaml"),
        ("names: {" + "9" * 5000 + ": a}", "broken-yaml"),
        ("names: !!python/object/apply:os.system ['exit', x]", None),
        ("names: &a [x]\nb: [*a, *a]\n? [p]\n: q", "broken-yaml"),
        ("#" * (1 << 20) + "\n", "too-big"),
        ("3", None),
    ],
)
def test_yaml_that_cannot_be_used(folder, content, reason):
    folder.image("a.png")
    folder.text("a.txt", BOX)
    folder.text("data.yaml", content)
    parsed = folder.read()
    assert reasons(parsed).get("data.yaml") == reason
    assert len(parsed.records) == 1


def test_a_bomb_of_references(folder):
    levels = "".join(
        f"l{i}: &l{i} [{', '.join([f'*l{i - 1}'] * 9)}]\n" for i in range(1, 20)
    )
    folder.image("a.png")
    folder.text("a.txt", BOX)
    folder.text("data.yaml", f"l0: &l0 [x]\n{levels}names: *l19\ntrain: *l19")
    assert "there is no list of names" in folder.read().warnings[0]
    folder.text("data.yaml", f"l0: &l0 [x]\n{levels}names: [a, b]\ntrain: *l19")
    assert folder.read().warnings == ()


def test_names_that_are_not_utf8(folder):
    folder.image("a.png")
    folder.text("a.txt", BOX)
    folder.place("obj.names").write_bytes("Käse\nBrot".encode("latin-1"))
    parsed = folder.read()
    assert reasons(parsed) == {"obj.names": "not-utf8"}
    folder.place("obj.names").write_bytes("\ufeffKäse\r\nBrot\r\n".encode())
    assert drawn(folder.read())["a.png"][0][0] == "Brot"


def test_which_image_is_meant(folder):
    folder.image("images/1.png", "photos/2.png", "3.png", "3.jpg", "x/5.png")
    folder.image("y/5.png", "6.png")
    for name in ("labels/1", "images/1", "labels/2", "3", "4", "labels/5", "README"):
        folder.text(f"{name}.txt", BOX)
    folder.text("classes.txt", "cat\ndog")
    parsed = folder.read()
    assert {record.path: record.file for record in parsed.records} == {
        "images/1.png": "labels/1.txt",
        "photos/2.png": "labels/2.txt",
    }
    assert reasons(parsed) == {
        "images/1.txt": "several-annotations",
        "3.txt": "image-ambiguous",
        "4.txt": "image-missing",
        "labels/5.txt": "image-missing",
        "README.txt": "image-missing",
    }


def test_an_image_that_is_taken_is_not_given_away(folder):
    folder.image("train/images/1.png")
    folder.text("train/labels/1.txt", BOX)
    folder.text("valid/labels/1.txt", BOX)
    parsed = folder.read()
    assert [record.file for record in parsed.records] == ["train/labels/1.txt"]
    assert reasons(parsed) == {"valid/labels/1.txt": "image-missing"}


def test_files_that_are_not_what_their_names_suggest(folder):
    folder.image("valid.png")
    folder.text("valid.txt", BOX)  # labels, and no list
    folder.place("train.txt").write_bytes(b"\xff")
    folder.text("obj.data", "names = gone.names\nbackup = x")
    folder.text("other.data", "a = b")
    parsed = folder.read()
    assert drawn(parsed) == {"valid.png": [("1", (10, 7.5, 30, 12.5))]}
    assert reasons(parsed) == {"train.txt": "image-missing"}
    assert parsed.annotation_files == {"obj.data"}
    assert parsed.warnings[0] == "obj.data: its names, 'gone.names', are not in here."
    assert not looks_like_label("")


def test_images_that_cannot_be_read(folder):
    folder.place("a.png").write_text("no image")
    folder.image("b.png", "c.png")
    folder.text("a.txt", BOX)
    folder.place("b.txt").write_bytes(b"\xff\xfe")
    folder.text("c.txt", "a photo of\n" * 30)
    parsed = folder.read()
    assert parsed.records == ()
    assert list(dict.fromkeys((r.file, r.reason) for r in parsed.rejected)) == [
        ("b.txt", "not-utf8"),
        ("c.txt", "bad-line"),
        ("a.png", "not-an-image"),
        ("a.txt", "not-an-image"),
    ]
    assert parsed.rejected[-1].detail.startswith("Its image a.png: ")
    assert parsed.rejected[-3].detail == "10 more lines cannot be used."
    assert len(parsed.rejected) == 24


def test_images_are_not_opened_to_be_read(folder):
    folder.place("a.png").write_text("no image")
    folder.text("a.txt", BOX)
    (record,) = read(open_source(folder.root)).records
    assert (record.size, record.relative) == (None, True)
    np.testing.assert_allclose(record.objects[0].bounds, (0.25, 0.375, 0.75, 0.625))


def test_shares_are_of_the_oriented_image(folder):
    exif = Image.Exif()
    exif[0x0112] = 6
    folder.image("a.png", exif=exif)
    folder.text("a.txt", BOX)
    (record,) = folder.read().records
    assert record.size == (20, 40)
    assert record.objects[0].bounds == (5, 15, 15, 25)


def test_keypoints_are_announced_by_the_yaml(folder):
    folder.image("a.png")
    folder.text("a.txt", "0 0.5 0.5 1 1 0.5 0.5 0 0")
    folder.text("data.yaml", "names: [cat]\nkpt_shape: [2, 2]")
    (record,) = folder.read().records
    assert record.objects[0].attributes == {"keypoints": [[20, 10], [0, 0]]}
    folder.text("data.yaml", "names: [cat]\nkpt_shape: [2, x]")
    (record,) = folder.read().records
    assert record.objects[0].shapes[0].kind == "polygon"


def test_claims(folder):
    folder.image("a.png", "b.png", "c.png")
    folder.text("a.txt", BOX)
    folder.text("b.txt", "")
    source = open_source(folder.root)
    assert claims(source) == {"yolo": 2}
    assert detect(source) == "yolo"
    folder.text("a.txt", "")
    assert claims(open_source(folder.root)) == {}
    folder.text("obj.data", "names = obj.names")
    assert claims(open_source(folder.root)) == {"yolo": 2}
    folder.text("a.txt", "a photo of a cat")
    folder.text("c.txt", "0 1 2 3 4")
    assert claims(open_source(folder.root)) == {}


def test_worker_processes_read_the_same(folder):
    folder.image("a.png", "b.png")
    folder.text("a.txt", BOX)
    folder.text("b.txt", "x")
    one, other = (read(open_source(folder.root, workers=n)) for n in (0, 1))
    assert one == other
    assert one.records


def test_shared_yolo(shared_data, tmp_path):
    parsed = in_pixels(shared_data / "yolo", read(open_source(shared_data / "yolo")))
    assert len(parsed.records) == 40
    assert sum(len(record.objects) for record in parsed.records) == 87
    assert {record.split for record in parsed.records} == {"train"}
    assert (parsed.rejected, parsed.warnings) == ((), ())
    assert parsed.annotation_files == {"obj.names", "obj.data", "train.txt"}
    assert len(parsed.files) == 83
    used = {obj.label for record in parsed.records for obj in record.objects}
    assert used < set((shared_data / "yolo" / "obj.names").read_text().split("\n"))
    # 2007_000027: 0 0.538066 0.452000 0.360082 0.500000 of 486 x 500 pixels
    first = next(record for record in parsed.records if "000027" in record.path)
    assert first.objects[0].label == "person"
    np.testing.assert_allclose(first.objects[0].bounds, (174, 101, 349, 351), atol=0.01)
    copy = tmp_path / "copy"
    shutil.copytree(shared_data / "yolo" / "obj_train_data", copy / "images")
    (copy / "labels").mkdir()
    for path in (copy / "images").glob("*.txt"):
        path.rename(copy / "labels" / path.name)
    shutil.copy(shared_data / "yolo" / "obj.names", copy)
    again = in_pixels(copy, read(open_source(copy)))
    assert [record.objects for record in again.records] == [
        p.objects for p in parsed.records
    ]
