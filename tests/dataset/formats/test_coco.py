from __future__ import annotations

import json

import pytest
from PIL import Image

from tlkit.dataset import formats as sources
from tlkit.dataset.annotations.rle import compress
from tlkit.dataset.formats import coco, common
from tlkit.dataset.formats.detect import claims
from tlkit.dataset.sources.open import ReaderOptions, open_source

CATEGORIES = [{"id": 3, "name": "cat"}, {"id": 90, "name": "dog"}]
BOX = {"id": 1, "image_id": 7, "category_id": 3, "bbox": [4, 8, 10, 20]}


@pytest.fixture
def folder(tmp_path, draw):
    """A factory: images and COCO files in a folder."""

    class Folder:
        root = tmp_path / "photos é"

        def image(self, *names: str) -> None:
            for name in names:
                (self.root / name).parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(draw(0, 0)).save(self.root / name)

        def coco(self, annotations, name: str = "coco.json", **content) -> None:
            images = [{"id": 7, "file_name": "a.png", "width": 64, "height": 64}]
            whole = {"images": images, "categories": CATEGORIES}
            whole |= {"annotations": annotations, **content}
            (self.root / name).parent.mkdir(parents=True, exist_ok=True)
            (self.root / name).write_text(json.dumps(whole))

        def read(self, **reading):
            source = open_source(self.root, options=ReaderOptions(**reading), workers=0)
            return coco.read(source)

        def objects(self, *annotations, **content):
            self.image("a.png")
            self.coco(list(annotations), **content)
            (record,) = self.read().records
            return record.objects

    return Folder()


def reasons(parsed):
    return [(r.file, r.reason) for r in parsed.rejected]


def test_a_box_alone(folder):
    folder.image("images/a.png", "images/b.png")
    images = [
        {"id": 7, "file_name": "a.png", "width": 64, "height": 64, "license": 4},
        {"id": 8, "file_name": "b.png"},
    ]
    folder.coco([{**BOX, "segmentation": [], "iscrowd": 0}], images=images)
    parsed = folder.read()
    record, empty = parsed.records
    assert (record.path, record.file, record.shown) == (
        "images/a.png",
        "coco.json",
        "images/a.png",
    )
    assert record.size == (64, 64)
    assert record.attributes == {"license": 4}
    (obj,) = record.objects
    assert obj.label == "cat"
    assert obj.bbox == (4, 8, 14, 28)
    assert [(s.kind, s.bounds) for s in obj.shapes] == [("rectangle", (4, 8, 14, 28))]
    assert obj.attributes == {}
    assert (empty.path, empty.objects, empty.size) == ("images/b.png", (), None)
    assert parsed.rejected == ()
    assert parsed.annotation_files == {"coco.json"}
    assert parsed.classes == ("cat", "dog")
    assert parsed.note == "Read as COCO annotations, 1 objects on 2 images."


def test_polygons(folder):
    corners = [[4, 8, 14, 8, 14, 28], [20, 20, 30, 20, 30, 30, 20, 30]]
    one, two = folder.objects(
        {**BOX, "segmentation": corners},
        {**BOX, "segmentation": [[4, 8, 14, 8, 14, 28, 4, 28]], "category_id": 90},
    )
    assert [s.kind for s in one.shapes] == ["polygon", "polygon"]
    assert one.shapes[0].points == ((4, 8), (14, 8), (14, 28))
    assert one.bounds == one.bbox == (4, 8, 14, 28)  # as told, not as drawn
    assert (two.label, two.shapes[0].kind) == ("dog", "polygon")


def test_masks_and_crowds(folder):
    runs = {"size": [64, 64], "counts": [64 * 2 + 5, 3, 64 * 62 - 8]}
    text = {"size": [64, 64], "counts": compress([64 * 2 + 5, 3, 64 * 62 - 8])}
    both = folder.objects(
        {**BOX, "segmentation": runs, "iscrowd": 1, "bbox": [2, 5, 1, 3]},
        {**BOX, "segmentation": text, "bbox": None},
    )
    for obj in both:
        assert [(s.kind, s.points) for s in obj.shapes] == [("mask", ((2, 5), (2, 7)))]
        assert obj.bounds == (2, 5, 3, 8)
    assert both[0].attributes == {"iscrowd": 1}
    assert both[1].bbox is None


def test_other_keys_are_kept(folder):
    (obj,) = folder.objects(
        {
            **BOX,
            "keypoints": [5, 9, 2],
            "num_keypoints": 1,
            "attributes": {"occluded": False},
            "area": 120.5,
            "ignore": 0,
            "caption": "",
        },
        categories=[{"id": 3, "name": "cat ", "supercategory": "animal"}],
    )
    assert obj.label == "cat"
    assert obj.attributes == {
        "keypoints": [5, 9, 2],
        "num_keypoints": 1,
        "attributes": {"occluded": False},
        "area": 120.5,
        "supercategory": "animal",
    }
    (obj,) = folder.objects({**BOX, "area": 201})  # 10 x 20, more or less
    assert obj.attributes == {}


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        (3, "bad-entry"),
        ({**BOX, "category_id": 4}, "unknown-class"),
        ({**BOX, "category_id": None}, "unknown-class"),
        ({**BOX, "category_id": [3]}, "unknown-class"),
        ({**BOX, "image_id": 9}, "unknown-image"),
        ({**BOX, "image_id": {}}, "unknown-image"),
        ({**BOX, "bbox": [4, 8, -1, 20]}, "bad-box"),
        ({**BOX, "bbox": [4, 8, float("nan"), 20]}, "bad-box"),
        ({**BOX, "bbox": [4, 8, 10, float("inf")]}, "bad-box"),
        ({**BOX, "bbox": [4, 8, 10]}, "bad-box"),
        ({**BOX, "bbox": [4, 8, 10, 10**400]}, "bad-box"),
        ({**BOX, "bbox": "abcd"}, "bad-box"),
        ({**BOX, "bbox": 3}, "bad-box"),
        ({**BOX, "bbox": None}, "no-shape"),
        ({**BOX, "bbox": None, "segmentation": [[1, 2, 3, 4]]}, "no-shape"),
        ({**BOX, "bbox": None, "segmentation": {"size": [64, 64]}}, "no-shape"),
    ],
)
def test_objects_that_cannot_be_used(folder, entry, reason):
    folder.image("a.png")
    folder.coco([entry, BOX])
    parsed = folder.read()
    assert [len(record.objects) for record in parsed.records] == [1]
    assert ("coco.json", reason) in reasons(parsed)
    assert all("entry 1:" in rejection.detail for rejection in parsed.rejected)


def test_images_and_classes_that_cannot_be_used(folder):
    folder.image("a.png", "b.png")
    images = [
        {"id": 7, "file_name": "a.png"},
        {"id": 7, "file_name": "a.png"},
        {"id": 7, "file_name": "b.png"},
        {"file_name": "b.png"},
        {"id": 8},
        {"id": 9, "file_name": "gone.png"},
        {"id": 10, "file_name": "../secret.png"},
        {"id": "11", "file_name": 3, "coco_url": "http://example.org/x/b.png?size=2"},
        "b.png",
    ]
    categories = [
        {"id": 3, "name": "cat"},
        {"id": 3, "name": "cat"},
        {"id": 3, "name": "dog"},
        {"id": 4, "name": "a\nb"},
        {"id": 5},
        {"name": "cow"},
        {"id": 6, "name": "\ud800"},
    ]
    folder.coco([BOX, {**BOX, "image_id": "11"}], images=images, categories=categories)
    parsed = folder.read()
    assert [(p.path, len(p.objects)) for p in parsed.records] == [
        ("a.png", 1),
        ("b.png", 1),
    ]
    assert sorted(reason for _, reason in reasons(parsed)) == [
        *("bad-entry", "bad-id", "bad-id", "bad-label", "bad-label", "bad-label"),
        *("duplicate-id", "duplicate-id", "image-missing", "image-missing"),
        "outside-source",
    ]


def test_many_faults_are_counted(folder, monkeypatch):
    monkeypatch.setattr(common, "MANY", 2)
    folder.image("a.png")
    folder.coco([{**BOX, "category_id": 4}] * 5)
    details = [r.detail for r in folder.read().rejected]
    assert details[:2] == [
        f"annotations, entry {i}: no class has the id 4." for i in (1, 2)
    ]
    assert details[2:] == ["And 3 more of this kind."]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "broken-json"),
        ("[]", "not-coco"),
        ("{}", "not-coco"),
        ('{"images": {}}', "not-coco"),
        ('{"images": [], "annotations": 3, "categories": null}', None),
        ("[" * 100_000, "broken-json"),
    ],
)
def test_json_that_cannot_be_used(folder, text, reason):
    folder.image("a.png")
    folder.coco([BOX])
    (folder.root / "b.json").write_text(text)
    parsed = folder.read()
    assert len(parsed.records) == 1
    assert reasons(parsed) == ([("b.json", reason)] if reason else [])


@pytest.mark.parametrize(
    ("file", "image", "split"),
    [
        ("annotations/instances_val2017.json", "val2017/a.png", "val"),
        ("annotations/instances_train.json", "images/a.png", "train"),
        ("test.json", "images/a.png", "test"),
        ("trainval.json", "images/a.png", None),
        ("train/_annotations.coco.json", "train/a.png", "train"),
        ("coco.json", "images/valid/a.png", "val"),
        ("instances_default.json", "images/a.png", None),
    ],
)
def test_the_split_of_a_file(folder, file, image, split):
    folder.image(image)
    folder.coco([BOX], file)
    (record,) = folder.read().records
    assert (record.path, record.split) == (image, split)


@pytest.mark.parametrize(
    "content",
    [
        [[1, 2, 3]],
        [[1, 2, 3, 4]],
        "abc",
        {"size": [64, 64], "counts": [3]},
        {"size": [64, 64], "counts": "garbage~~"},
        {"size": [2, 2], "counts": [1, 3]},
    ],
)
def test_the_box_is_used_where_the_segmentation_is_broken(folder, content):
    folder.image("a.png")
    folder.coco([{**BOX, "segmentation": content}])
    parsed = folder.read()
    (obj,) = parsed.records[0].objects
    assert [(s.kind, s.bounds) for s in obj.shapes] == [("rectangle", (4, 8, 14, 28))]
    (rejection,) = parsed.rejected
    assert rejection.reason == "bad-segmentation"
    assert rejection.detail.startswith("annotations, entry 1: ")
    assert rejection.detail.endswith("; its box is used.")


def test_one_polygon_of_several_is_broken(folder):
    folder.image("a.png")
    folder.coco([{**BOX, "segmentation": [[1, 2, 3], [4, 8, 14, 8, 14, 28]]}])
    parsed = folder.read()
    assert [shape.kind for shape in parsed.records[0].objects[0].shapes] == ["polygon"]
    assert reasons(parsed) == [("coco.json", "bad-points")]


def test_images_of_the_same_name_in_two_splits(folder):
    folder.image("train2017/a.png", "val2017/a.png")
    folder.coco([BOX], "annotations/instances_train2017.json")
    folder.coco([BOX, BOX], "annotations/instances_val2017.json")
    folder.coco([], "annotations/other.json")
    parsed = folder.read()
    assert [(p.path, p.split, len(p.objects)) for p in parsed.records] == [
        ("train2017/a.png", "train", 1),
        ("val2017/a.png", "val", 2),
    ]
    assert reasons(parsed) == [("annotations/other.json", "image-ambiguous")]


def test_what_tlkit_added(folder):
    line = {"shape_type": "line", "points": [[4, 8], [14, 28]]}
    triangle = {"shape_type": "polygon", "points": [[4, 8], [14, 8], [14, 28]]}
    own = {"segmentation": [], "tlkit": {"shapes": [line], "attributes": {"id": "x"}}}
    (obj,) = folder.objects({**BOX, **own})
    assert [(s.kind, s.points) for s in obj.shapes] == [("line", ((4, 8), (14, 28)))]
    assert obj.attributes == {"id": "x"}
    # It counts no longer where the object was changed since, or cannot be meant.
    changes: list[dict[str, object]] = [
        {**own, "bbox": [4, 8, 11, 20]},
        {**own, "segmentation": [[4, 8, 14, 8, 14, 30]]},
        {"tlkit": {"shapes": [triangle]}, "segmentation": [[4, 8, 14, 8, 14, 30]]},
        {"tlkit": {"shapes": [triangle]}},
        {"tlkit": {"shapes": [{"shape_type": "heart", "points": []}]}},
        {"tlkit": {"shapes": [3]}},
        {"tlkit": {"shapes": 3, "attributes": 3}},
        {"tlkit": {"shapes": [{}]}},
        {"tlkit": 3},
    ]
    for changed in changes:
        (obj,) = folder.objects({**BOX, **changed})
        assert obj.shapes[0].kind in {"rectangle", "polygon"}
        assert obj.shapes[0].bounds[3] == (30 if changed.get("segmentation") else 28)


def test_of_images_tlkit_added(folder):
    folder.image("a.png")
    own = {"labels": ["wet", 3, "a\nb"], "group": "clip 1"}
    image = {"id": 7, "file_name": "a.png", "width": "64", "height": 64, "tlkit": own}
    folder.coco([], images=[image])
    (record,) = folder.read().records
    assert (record.labels, record.group, record.size) == (("wet",), "clip 1", None)
    folder.coco([], images=[{**image, "tlkit": {"labels": "wet", "group": 3}}])
    (record,) = folder.read().records
    assert (record.labels, record.group) == ((), "")


def test_a_size_that_no_image_has(folder):
    folder.image("a.png")
    mask = {"shape_type": "mask", "points": [[0, 0], [1, 1]]}
    image = {"id": 7, "file_name": "a.png", "width": 10**9, "height": 10**9}
    folder.coco([{**BOX, "tlkit": {"shapes": [mask]}}], images=[image])
    (record,) = folder.read().records
    assert record.size is None
    assert record.objects[0].shapes[0].kind == "rectangle"


def test_recognized(folder):
    folder.image("images/a.png", "images/b.png")
    images = [{"id": i, "file_name": f"{i}.png"} for i in range(5000)]
    folder.coco([BOX] * 5000, images=images)
    source = open_source(folder.root, workers=0)
    assert claims(source) == {"coco": 5000}
    assert sources.detect(source) == "coco"
    for text in ("{}", '{"images": 3}', '{"shapes": [], "imagePath": "a"}'):
        (folder.root / "coco.json").write_text(text)
        assert "coco" not in claims(open_source(folder.root, workers=0))
    (folder.root / "coco.json").unlink()
    (folder.root / "coco.json").symlink_to("nothing.json")
    assert "coco" not in claims(open_source(folder.root, workers=0))
