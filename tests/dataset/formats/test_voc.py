from __future__ import annotations

import shutil

import numpy as np
import pytest
from PIL import Image

from tests.dataset.conftest import in_pixels
from tlkit.dataset.annotations.shapes import mask_shape, rectangle
from tlkit.dataset.formats import detect, voc_xml
from tlkit.dataset.formats.detect import claims
from tlkit.dataset.formats.voc import read
from tlkit.dataset.formats.voc_masks import (
    match_masks,
    palette,
    read_classes,
    read_numbers,
)
from tlkit.dataset.formats.voc_xml import parse_xml
from tlkit.dataset.formats.yolo import read as read_yolo
from tlkit.dataset.records import Annotation
from tlkit.dataset.sources.open import open_source
from tlkit.imaging.safe_read import Unusable


def box(x0, y0, x1, y1):
    names = zip(("xmin", "ymin", "xmax", "ymax"), (x0, y0, x1, y1), strict=True)
    return f"<bndbox>{''.join(f'<{n}>{v}</{n}>' for n, v in names)}</bndbox>"


def obj(name="cat", inner=None):
    inner = box(1, 2, 30, 18) if inner is None else inner
    return f"<object><name>{name}</name>{inner}</object>"


@pytest.fixture
def folder(tmp_path):
    """A factory: images of 40 x 20, XML, masks and lists in a folder."""

    class Folder:
        root = tmp_path / "set é"

        def place(self, name):
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            return path

        def image(self, *names):
            for name in names:
                Image.fromarray(np.zeros((20, 40, 3), np.uint8)).save(self.place(name))

        def text(self, name, content):
            self.place(name).write_text(content, encoding="utf-8")

        def xml(self, name, *objects, head="<filename>gone.jpg</filename>"):
            self.text(name, f"<annotation>{head}{''.join(objects)}</annotation>")

        def one(self, *objects, **head):
            """What is read of one image with this XML."""
            self.image("a.png")
            self.xml("a.xml", *objects, **head)
            return self.read()

        def mask(self, name, numbers, mode="P"):
            image = Image.fromarray(np.asarray(numbers, np.uint8))
            if mode == "P":
                image.putpalette(bytes(range(256)) * 3)
            image.save(self.place(name))

        def read(self, place=""):
            return read(open_source(self.root / place))

    return Folder()


def reasons(parsed):
    return {r.file: r.reason for r in parsed.rejected}


def details(parsed):
    return [(r.reason, r.detail) for r in parsed.rejected]


def test_boxes(folder):
    size = "<size><width>40</width><height>20.0</height><depth>3</depth></size>"
    parsed = folder.one(
        obj(" cat "), obj("dog", box(30.5, "1e1", 4, 2)), obj("x"), head=size
    )
    (record,) = parsed.records
    assert (record.path, record.file, record.size) == ("a.png", "a.xml", (40, 20))
    assert record.objects == (
        Annotation("cat", (rectangle((1, 2, 30, 18)),)),
        Annotation("dog", (rectangle((4, 2, 30.5, 10)),)),
        Annotation("x", (rectangle((1, 2, 30, 18)),)),
    )
    assert parsed.rejected == ()


@pytest.mark.parametrize(
    "polygon",
    [
        "<x2>9</x2><y2>1</y2><x1>1</x1><y1>1</y1><n>3</n><x10>5</x10><y10>8.5</y10>",
        "<pt><x>1</x><y>1</y></pt><pt><x>9</x><y>1</y></pt><pt><x>5</x><y>8.5</y></pt>",
        " 1,1, 9,1\n5 8.5 ",
    ],
)
def test_polygons(folder, polygon):
    inner = f"<polygon>{polygon}</polygon>"
    parsed = folder.one(
        obj("a", inner),
        obj("b", inner + box(1, 1, 9, 8.5)),
        obj("c", inner + box(1, 1, 9, 9)),
        obj("d", inner + "<polygon/>" + inner),
        obj("e", "<polygon/>" + box(1, 1, 9, 9)),
    )
    objects = parsed.records[0].objects
    points = ((1, 1), (9, 1), (5, 8.5))
    expected = [("polygon", points)]
    drawn = [[(s.kind, s.points) for s in obj.shapes] for obj in objects]
    square = [("rectangle", ((1, 1), (9, 9)))]
    assert drawn == [expected, expected, expected, expected * 2, square]
    assert [obj.bbox for obj in objects] == [None, None, (1, 1, 9, 9), None, None]


def test_attributes(folder):
    usual = "<pose>Unspecified</pose><truncated>0</truncated><difficult>0</difficult>"
    part = f"<part><name>head</name>{box(1, 2, 3, 4)}</part>"
    cvat = "<attributes><attribute><name>ripe</name><value>yes</value></attribute>"
    more = "<difficult>1</difficult><occluded>2</occluded><pose>Left</pose><id/>"
    deep = "<actions><jumping>1</jumping></actions>"
    parsed = folder.one(
        obj("a", box(1, 2, 3, 4) + usual),
        obj("b", box(1, 2, 3, 4) + part + part + more + deep + cvat + "</attributes>"),
    )
    assert [obj.attributes for obj in parsed.records[0].objects] == [
        {},
        {
            "difficult": 1,
            "occluded": "2",
            "pose": "Left",
            "actions": {"jumping": "1"},
            "ripe": "yes",
            "parts": [{"name": "head", "box": [1, 2, 3, 4]}] * 2,
        },
    ]


@pytest.mark.parametrize(
    ("object_", "reason", "detail"),
    [
        (obj("", ""), "bad-label", "Object 2: its name is ''."),
        (obj("a\tb"), "bad-label", "Object 2: its name is 'a\\tb'."),
        (obj("x", ""), "no-shape", "Object 2: x has neither bndbox nor polygon."),
        (obj("x", "<bndbox/>"), "bad-points", "Object 2: '' is not a coordinate."),
        (
            obj("x", box("nan", 1, 2, 3)),
            "bad-points",
            "Object 2: 'nan' is not a coordinate.",
        ),
        (
            obj("x", box(1, 1, 2, "1e300")),
            "bad-points",
            "Object 2: '1e300' is not a coordinate.",
        ),
        (
            obj("x", "<polygon>1 2 3</polygon>"),
            "bad-points",
            "Object 2: a polygon of 3 numbers.",
        ),
        (
            obj("x", "<polygon>1 2 3 4</polygon>"),
            "bad-points",
            "Object 2: polygon of 2 point(s), expected 3 or more.",
        ),
        (
            obj("x", "<polygon><x1>1</x1></polygon>"),
            "bad-points",
            "Object 2: a polygon without y1.",
        ),
    ],
)
def test_objects_that_cannot_be_used(folder, object_, reason, detail):
    parsed = folder.one(obj(), object_)
    assert [obj.label for obj in parsed.records[0].objects] == ["cat"]
    assert details(parsed) == [(reason, detail)]
    # alone, it does not make the image one without objects
    folder.xml("a.xml", object_)
    assert folder.read().records == ()
    folder.xml("a.xml")
    assert folder.read().records[0].objects == ()


BOMB = (
    '<!DOCTYPE a [<!ENTITY b "ha"><!ENTITY c "&b;&b;&b;">]><annotation>&c;</annotation>'
)
FILE = (
    '<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><annotation>&b;</annotation>'
)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "broken-xml"),
        ("<annotation>", "broken-xml"),
        ("<annotation>&b;</annotation>", "broken-xml"),
        ("<annotation>\x00</annotation>", "broken-xml"),
        ('<?xml version="1.0" encoding="klingon"?><annotation/>', "broken-xml"),
        ('<?xml version="1.0" encoding="gb2312"?><annotation/>', "broken-xml"),
        ("<a>" * 100_000, "broken-xml"),
        ("<a>" * 33 + "</a>" * 33, "broken-xml"),
        ("<annotation>" + "<a>" * 32 + "</a>" * 32 + "</annotation>", "broken-xml"),
        ("<a>" + "<b/>" * 1_000_000 + "</a>", "broken-xml"),
        (BOMB, "broken-xml"),
        (FILE, "broken-xml"),
        ("<!DOCTYPE annotation><annotation/>", "broken-xml"),
        ("<annotations/>", "not-voc"),
    ],
)
def test_xml_that_cannot_be_used(folder, content, reason):
    folder.image("a.png", "b.png")
    folder.text("a.xml", content)
    folder.xml("b.xml", obj())
    parsed = folder.read()
    assert [record.path for record in parsed.records] == ["b.png"]
    assert reasons(parsed) == {"a.xml": reason}


def test_xml_has_a_cap(folder, monkeypatch):
    monkeypatch.setattr(voc_xml, "MAX_XML_BYTES", 20)
    assert reasons(folder.one(obj())) == {"a.xml": "too-big"}


def test_xml_in_other_encodings():
    text = '<?xml version="1.0" encoding="{}"?><annotation>é</annotation>'
    for name in ("utf-16", "latin-1", "utf-8"):
        assert parse_xml(text.format(name).encode(name)).text == "é"


@pytest.mark.parametrize(("width", "size"), [("0", None), ("x", None), ("1.5", None)])
def test_sizes_that_nobody_knew(folder, width, size):
    head = f"<size><width>{width}</width><height>20</height></size>"
    assert folder.one(obj(), head=head).records[0].size == size


def test_which_image_is_meant(folder):
    folder.image("2007/JPEGImages/1.png", "2012/JPEGImages/1.png", "2012/images/2.png")
    folder.image("photos/3.png", "2007/JPEGImages/4.png", "2007/JPEGImages/4.jpg")
    folder.image(
        "SegmentationClassVisualization/3.png", "other.png", "2007/JPEGImages/s/7.png"
    )
    for name in ("2007/Annotations/1", "2012/Annotations/1", "2012/Annotations/2"):
        folder.xml(f"{name}.xml", head="<filename>1.png</filename>")
    folder.xml("2007/Annotations/3.xml", head="<filename>x\\3</filename>")
    folder.xml("2007/Annotations/4.xml")
    folder.xml("2007/Annotations/5.xml", head="<filename>../../other.png</filename>")
    folder.xml("2007/Annotations/6.xml", head="")
    folder.xml("2007/Annotations/s/7.xml", head="")
    folder.xml("2007/Annotations/8.xml", head="<filename>../../../8.png</filename>")
    Image.new("RGB", (9, 9)).save(folder.root.parent / "8.png")
    parsed = folder.read()
    assert {record.file: record.path for record in parsed.records} == {
        "2007/Annotations/1.xml": "2007/JPEGImages/1.png",
        "2012/Annotations/1.xml": "2012/JPEGImages/1.png",
        "2012/Annotations/2.xml": "2012/images/2.png",
        "2007/Annotations/3.xml": "photos/3.png",
        "2007/Annotations/5.xml": "other.png",
        "2007/Annotations/s/7.xml": "2007/JPEGImages/s/7.png",
    }
    assert reasons(parsed) == {
        "2007/Annotations/4.xml": "image-ambiguous",
        "2007/Annotations/6.xml": "image-missing",
        "2007/Annotations/8.xml": "outside-source",
    }
    assert parsed.annotation_of["photos/3.png"] == "2007/Annotations/3.xml"


def test_one_xml_alone(folder):
    folder.image("a.png", "b.png")
    folder.xml("a.xml", obj())
    folder.xml("b.xml", obj())
    assert [record.path for record in folder.read("b.xml").records] == ["b.png"]


def splits(parsed):
    return {record.path.split("/")[-1][:-4]: record.split for record in parsed.records}


def test_image_sets(folder):
    for name in "abcd":
        folder.image(f"JPEGImages/{name}.png")
        folder.xml(f"Annotations/{name}.xml")
    folder.text("ImageSets/Main/trainval.txt", "a\nb\nc\n")
    folder.text("ImageSets/Main/test.txt", "d.png\n\nzz\n")
    folder.text("ImageSets/Main/cat_train.txt", "d -1\n")
    folder.text("ImageSets/Segmentation/val.txt", "a\n")
    parsed = folder.read()
    assert splits(parsed) == dict(zip("abcd", ("train",) * 3 + ("test",), strict=True))
    assert len(parsed.annotation_files) == 4
    assert parsed.warnings == (
        "ImageSets/Main/test.txt: 1 of 2 names have no annotation, such as 'zz'.",
    )
    folder.text("ImageSets/Main/val.txt", "b 1\n")
    folder.text("ImageSets/Main/train.txt", "a\n")
    assert splits(folder.read()) == {
        "a": "train",
        "b": "val",
        "c": "train",
        "d": "test",
    }
    folder.text("ImageSets/Main/val.txt", "a\nb\n")
    folder.text("ImageSets/Main/trainval.txt", "a\nb\n")
    parsed = folder.read()
    assert splits(parsed) == {"a": None, "b": "val", "c": None, "d": "test"}
    assert [line.split(": ")[1].split(", ")[0] for line in parsed.warnings] == [
        "1 of 2 names have no annotation",
        "1 of 4 images are in several splits",
        "1 of 4 images are in no split",
    ]
    shutil.rmtree(folder.root / "ImageSets" / "Main")
    assert splits(folder.read()) == {"a": "val", "b": None, "c": None, "d": None}
    folder.place("ImageSets/Segmentation/val.txt").write_bytes(b"\xff")
    assert "cannot be read: Not UTF-8" in folder.read().warnings[0]


def test_split_by_folders(folder):
    for split in ("train", "valid"):
        folder.image(f"{split}/{split}.png")
        folder.xml(f"{split}/{split}.xml")
    assert splits(folder.read()) == {"train": "train", "valid": "val"}


def blocks(**places):
    """Numbers [20, 40], 0 but for blocks: n3=(left, top, right, bottom)."""
    numbers = np.zeros((20, 40), np.uint8)
    for name, (x0, y0, x1, y1) in places.items():
        numbers[y0:y1, x0:x1] = int(name[1:])
    return numbers


def drawn(parsed):
    return [(t.label, t.shapes[0].kind, t.bounds) for t in parsed.records[0].objects]


KINDS = blocks(n8=(2, 2, 12, 12), n12=(20, 5, 30, 15), n255=(30, 5, 32, 15))
OBJECTS = blocks(n1=(2, 2, 7, 12), n2=(7, 2, 12, 12), n5=(20, 5, 30, 15))


def test_masks_of_objects(folder):
    folder.image("JPEGImages/a.jpg")
    folder.mask("SegmentationClass/a.png", KINDS)
    folder.mask("SegmentationObject/a.png", OBJECTS)
    parsed = folder.read()
    assert drawn(parsed) == [
        ("cat", "mask", (2, 2, 7, 12)),
        ("cat", "mask", (7, 2, 12, 12)),
        ("dog", "mask", (20, 5, 30, 15)),
    ]
    assert parsed.records[0].size == (40, 20)
    assert "taken for the 20 classes of Pascal VOC" in parsed.warnings[0]
    masks = {"SegmentationClass/a.png", "SegmentationObject/a.png"}
    assert parsed.annotation_files == masks
    folder.text("labels.txt", "__ignore__\n_background_\n" + "x\n" * 11 + "fig\n")
    parsed = folder.read()
    assert [label for label, *_ in drawn(parsed)] == ["x", "x", "fig"]
    assert parsed.warnings == ()
    assert parsed.annotation_files == masks | {"labels.txt"}
    assert claims(open_source(folder.root)) == {"voc": 1}
    assert detect(open_source(folder.root)) == "voc"
    folder.text("labels.txt", "_background_\nx\n")
    parsed = folder.read()
    assert parsed.records == ()
    assert (
        details(parsed)
        == [("bad-class", "class 8 of SegmentationObject/a.png: no name.")] * 2
    )
    folder.place("labels.txt").write_bytes(b"\xff")
    assert reasons(folder.read()) == {
        "labels.txt": "not-utf8",
        "SegmentationClass/a.png": "no-names",
        "SegmentationObject/a.png": "no-names",
    }


def test_masks_of_classes_alone(folder):
    folder.image("JPEGImages/a.jpg")
    folder.mask("SegmentationClassPNG/a.png", KINDS, mode="L")
    assert drawn(folder.read()) == [
        ("cat", "mask", (2, 2, 12, 12)),
        ("dog", "mask", (20, 5, 30, 15)),
    ]
    folder.xml("Annotations/a.xml")
    assert len(drawn(folder.read())) == 2
    folder.xml("Annotations/a.xml", obj())
    parsed = folder.read()
    assert drawn(parsed) == [("cat", "rectangle", (1, 2, 30, 18))]
    assert reasons(parsed) == {"SegmentationClassPNG/a.png": "not-needed"}


def test_masks_and_boxes(folder):
    folder.image("JPEGImages/a.jpg")
    folder.mask("SegmentationClass/a.png", KINDS)
    folder.mask("SegmentationObject/a.png", OBJECTS)
    objects = [
        obj("dog", box(1, 1, 13, 13)),
        obj("cat", box(7, 1, 13, 12)),
        obj("dog", box(20, 5, 30, 15)),
    ]
    folder.xml("Annotations/a.xml", *objects)
    parsed = folder.read()
    assert drawn(parsed) == [
        ("dog", "rectangle", (1, 1, 13, 13)),
        ("cat", "mask", (7, 1, 13, 12)),
        ("dog", "mask", (20, 5, 30, 15)),
        ("cat", "mask", (2, 2, 7, 12)),
    ]
    assert parsed.records[0].file == "Annotations/a.xml"
    folder.xml("Annotations/a.xml", obj("cat", "<polygon>1 1 9 1 5 8</polygon>"))
    parsed = folder.read()
    assert drawn(parsed) == [("cat", "polygon", (1, 1, 9, 8))]
    assert set(reasons(parsed).values()) == {"not-needed"}
    size = "<size><width>20</width><height>40</height></size>"
    folder.xml("Annotations/a.xml", *objects, head=size)
    parsed = folder.read()
    assert len(drawn(parsed)) == 3
    assert set(reasons(parsed).values()) == {"size-mismatch"}


def test_masks_that_cannot_be_used(folder):
    folder.image("JPEGImages/a.jpg")
    folder.mask("SegmentationObject/a.png", OBJECTS)
    assert reasons(folder.read()) == {"SegmentationObject/a.png": "no-class-mask"}
    folder.mask("SegmentationClass/a.png", KINDS[:10])
    assert set(reasons(folder.read()).values()) == {"size-mismatch"}
    folder.place("SegmentationClass/a.png").write_bytes(b"\x89PNG")
    assert set(reasons(folder.read()).values()) == {"not-png"}
    whole = folder.place("SegmentationObject/a.png").read_bytes()
    folder.place("SegmentationClass/a.png").write_bytes(whole[:-30])
    assert set(reasons(folder.read()).values()) == {"damaged"}
    deep = Image.fromarray(np.zeros((20, 40), np.uint16))
    deep.save(folder.root / "SegmentationClass/a.png")
    assert set(reasons(folder.read()).values()) == {"bad-mask"}
    folder.mask("SegmentationClass/a.png", KINDS * 0)
    parsed = folder.read()
    assert parsed.rejected[0].detail == "object 1 of SegmentationObject/a.png: no name."


def test_masks_in_color(folder):
    assert [palette()[c] for c in ((0, 0, 0), (128, 0, 0), (64, 128, 0))] == [0, 1, 10]
    assert palette()[224, 224, 192] == 255
    pixels = np.zeros((1, 4, 3), np.uint8)
    pixels[0, 1:] = (9, 8, 7), (0, 128, 0), (224, 224, 192)
    folder.mask("a.png", pixels, mode="RGB")
    lines = "# label:color_rgb:parts:actions\ncat:9,8,7::\nbackground:0,0,0::\n"
    folder.text("labelmap.txt", lines + "dog:0,128,0:ear,nose:\n")
    classes = read_classes(folder.root, "labelmap.txt")
    assert classes.names == ("background", "cat", "dog")
    numbers = read_numbers(folder.root / "a.png", classes.colors)
    np.testing.assert_array_equal(numbers, [[0, 1, 2, 255]])
    with pytest.raises(Unusable, match=r"\(9, 8, 7\) stands for no number"):
        read_numbers(folder.root / "a.png", palette())
    folder.text("labelmap.txt", "background\ncat\n")
    assert read_classes(folder.root, "labelmap.txt").colors == palette()


def test_masks_join_boxes_only_where_it_is_clear():
    inside = np.ones((10, 10), bool)
    mask = Annotation("cat", (mask_shape(inside),))
    one = Annotation("cat", (rectangle((0, 0, 10, 11)),))
    other = Annotation("cat", (rectangle((0, 0, 10, 12)),))
    small = Annotation("cat", (rectangle((0, 0, 4, 4)),))
    assert match_masks([other, one], [mask])[1].bbox == (0, 0, 10, 11)
    assert match_masks([small], [mask]) == (small, mask)
    assert match_masks([], [mask]) == (mask,)
    assert match_masks([one], []) == (one,)
    with pytest.raises(Unusable):
        mask_shape(~inside)


def test_worker_processes_read_the_same(folder):
    folder.one(obj())
    folder.mask("SegmentationClass/a.png", KINDS)
    assert read(open_source(folder.root, workers=1)) == folder.read()


def test_claims(folder):
    folder.one(obj())
    folder.text("b.xml", "<svg/>")
    folder.mask("SegmentationClass/no image.png", KINDS)
    source = open_source(folder.root)
    assert claims(source) == {"voc": 1}
    assert detect(source) == "voc"


def test_shared_bccd(shared_data):
    parsed = read(open_source(shared_data / "bccd"))
    given = [record.split for record in parsed.records]
    assert [given.count(split) for split in ("train", "val", "test")] == [69, 23, 28]
    labels = [obj.label for record in parsed.records for obj in record.objects]
    counts = {name: labels.count(name) for name in set(labels)}
    assert counts == {"RBC": 1593, "Platelets": 151, "WBC": 126}
    assert {record.size for record in parsed.records} == {(640, 480)}
    assert (parsed.rejected, parsed.warnings) == ((), ())
    used = {record.path for record in parsed.records} | {
        record.file for record in parsed.records
    }
    assert used | parsed.annotation_files == set(parsed.files)


def by_box(record):
    return sorted(
        record.objects, key=lambda t: (t.label, *(round(v) for v in t.bounds))
    )


def test_shared_boxes_are_those_of_yolo(shared_data, tmp_path):
    shutil.copytree(
        shared_data / "multiformat" / "pascal_voc", tmp_path / "Annotations"
    )
    yolo = shared_data / "yolo"
    shutil.copytree(yolo / "obj_train_data", tmp_path / "JPEGImages")
    parsed = read(open_source(tmp_path))
    expected = {
        record.path.split("/")[-1]: record
        for record in in_pixels(yolo, read_yolo(open_source(yolo))).records
    }
    assert len(parsed.records) == len(expected) == 40
    count = 0
    for record in parsed.records:
        other = expected[record.path.split("/")[-1]]
        assert record.size == other.size
        for one, two in zip(by_box(record), by_box(other), strict=True):
            assert one.label == two.label
            np.testing.assert_allclose(one.bounds, two.bounds, atol=0.01)
            count += 1
    assert count == 87


@pytest.mark.parametrize(
    ("name", "objects"),
    [
        ("bbox_detection", 9),
        ("instance_segmentation", 12),
        ("semantic_segmentation", 7),
        ("video_annotation", 10),
    ],
)
def test_shared_exports_of_labelme(shared_data, tmp_path, name, objects):
    folder = shared_data / "labelme" / name
    shutil.copytree(folder / "data_dataset_voc", tmp_path / "set")
    shutil.copytree(folder / "data_annotated", tmp_path / "set" / "JPEGImages")
    parsed = read(open_source(tmp_path / "set"))
    assert parsed.rejected == ()
    assert len(parsed.records) == len(list((tmp_path / "set").rglob("*.jpg")))
    assert sum(len(record.objects) for record in parsed.records) == objects
    assert parsed.warnings == ()
