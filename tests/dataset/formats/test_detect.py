from __future__ import annotations

import dataclasses
import json
import os

import pytest

from tlkit.dataset import formats as sources
from tlkit.dataset.formats import ReaderOptions, open_source
from tlkit.dataset.records import in_natural_order, is_label
from tlkit.errors import DatasetError, UsageError
from tlkit.imaging.safe_read import GLANCE, glance

PAGE = json.dumps({"flags": {"a": True}, "shapes": [], "imagePath": "1.jpg"})


def touch(root, *names: str, text: str = ""):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def detect(root, label_by=None) -> str:
    return sources.detect(open_source(root), label_by)


def test_detects_class_folders(tmp_path):
    assert detect(touch(tmp_path, "a/1.jpg", "b/2")) == "folders"
    assert detect(touch(tmp_path, "c/coco.json", text="{}")) == "folders"


def test_detects_labelme(tmp_path):
    touch(tmp_path, "a/1.jpg", "a/2.jpg")
    touch(tmp_path, "a/1.json", "a/2.json", text=PAGE)
    assert detect(tmp_path) == "labelme"


def test_detects_labelme_around_a_large_image(tmp_path):
    content = json.loads(PAGE)
    del content["imagePath"], content["flags"], content["shapes"]
    large = {"imageData": "A" * (3 * GLANCE), "imagePath": "x", "shapes": []}
    touch(tmp_path, "1.json", text=json.dumps(large))
    assert detect(tmp_path) == "labelme"


def test_cannot_tell(tmp_path):
    touch(tmp_path, *(f"a/{i}.jpg" for i in range(10)))
    touch(tmp_path, "a/1.json", text=PAGE)
    with pytest.raises(DatasetError, match="may be class folders") as caught:
        detect(tmp_path)
    assert "--from folders" in caught.value.hint
    assert detect(tmp_path, "shapes") == "labelme"


@pytest.mark.parametrize(
    ("images", "masks"),
    [
        ("images/{}.jpg", "masks/{}.png"),
        ("train/imgs/{}.jpg", "train/labels/{}.png"),
        ("JPEGImages/{}.jpg", "Annotations/{}_mask.png"),
        ("image/a/{}.jpg", "gt/a/{}.png"),
    ],
)
def test_images_and_masks_are_no_two_classes(tmp_path, images, masks):
    touch(tmp_path, *(images.format(i) for i in range(6)))
    touch(tmp_path, *(masks.format(i) for i in range(2, 7)))
    with pytest.raises(DatasetError, match=r"masks.* 4 names in common") as caught:
        detect(tmp_path)
    assert caught.value.hint == "Choose one: --from masks or --from folders."
    assert detect(tmp_path, "shapes") == "masks"
    assert len(sources.read(open_source(tmp_path), "masks").annotation_of) == 4


@pytest.mark.parametrize(
    "names",
    [
        ("images/1.jpg", "images/2.jpg", "masks/2.png", "masks/3.png"),
        ("images/1.jpg", "masks/1.png", "third/1.png"),
        ("cat/1.jpg", "masks/1.png"),
        ("images/1.jpg", "dog/1.png"),
        ("train/1.jpg", "test/1.png"),
    ],
)
def test_what_only_resembles_images_and_masks(tmp_path, names):
    assert detect(touch(tmp_path, *names)) == "folders"


def test_json_alone(tmp_path):
    touch(tmp_path, "a/1.json", text="{}")
    with pytest.raises(DatasetError, match="neither class folders"):
        detect(tmp_path)


def test_a_few_annotations_beside_loose_images(tmp_path):
    touch(tmp_path, *(f"{i}.jpg" for i in range(10)))
    touch(tmp_path, "1.json", text=PAGE)
    assert detect(tmp_path) == "labelme"


def test_finds_nothing(tmp_path):
    with pytest.raises(DatasetError, match=r"holds 0 file\(s\)"):
        detect(tmp_path)
    touch(tmp_path, "1.jpg", "2.jpg", "notes.txt")
    with pytest.raises(DatasetError, match=r"3 file\(s\), 2 of them") as caught:
        detect(tmp_path)
    assert "neither class folders" in str(caught.value)
    assert "labelme" in str(caught.value)


def test_what_cannot_be_opened_is_no_annotation(tmp_path):
    touch(tmp_path, "a/1.jpg")
    (tmp_path / "a" / "1.json").symlink_to(tmp_path / "nothing")
    assert detect(tmp_path) == "folders"


def test_what_must_not_be_read_is_no_annotation(tmp_path, monkeypatch):
    touch(tmp_path, "a/1.jpg", "a/1.json")

    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(type(tmp_path), "open", refuse)
    assert detect(tmp_path) == "folders"


def test_a_pipe_is_not_waited_for(tmp_path):
    touch(tmp_path, "a/1.jpg")
    os.mkfifo(tmp_path / "a" / "1.json")
    assert detect(tmp_path) == "folders"


def test_reads_by_name(tmp_path):
    touch(tmp_path, "a/1.jpg", "b/2.jpg")
    parsed = sources.read(open_source(tmp_path), "folders")
    assert [(p.path, p.labels) for p in parsed.records] == [
        ("a/1.jpg", ("a",)),
        ("b/2.jpg", ("b",)),
    ]
    touch(tmp_path, "a/1.json", text=PAGE)
    parsed = sources.read(open_source(tmp_path), "labelme")
    assert [(p.path, p.labels, p.file) for p in parsed.records] == [
        ("a/1.jpg", ("a",), "a/1.json")
    ]


def test_one_annotation_file_of_many(tmp_path):
    touch(tmp_path, "1.jpg", "2.jpg", "a/3.jpg")
    touch(tmp_path, "1.json", "2.json", text=PAGE)
    source = open_source(tmp_path / "1.json")
    assert (source.root, source.only) == (tmp_path, "1.json")
    assert source.place == tmp_path / "1.json"
    assert source.ending(".json") == ["1.json"]
    assert sources.detect(source) == "labelme"
    assert [p.file for p in sources.read(source, "labelme").records] == ["1.json"]
    assert open_source(tmp_path).ending(".json", ".jpg") == [
        *("1.jpg", "1.json", "2.jpg", "2.json", "a/3.jpg"),
    ]
    assert open_source(tmp_path).place == tmp_path
    with pytest.raises(DatasetError, match="not an annotation file"):
        sources.detect(open_source(tmp_path / "a" / "3.jpg"))


def test_several_formats(tmp_path, monkeypatch):
    touch(tmp_path, "1.jpg")
    touch(tmp_path, "1.json", text=PAGE)
    other = dataclasses.replace(
        sources.FORMATS["labelme"], signatures=(), count=lambda _: 3, what="notes"
    )
    monkeypatch.setitem(sources.FORMATS, "other", other)
    with pytest.raises(
        DatasetError, match=r"several formats: .*\(1\), notes \(3\)"
    ) as e:
        detect(tmp_path)
    assert e.value.hint == "Choose one: --from labelme or --from other."


def test_a_glance(tmp_path, monkeypatch):
    path = tmp_path / "a"
    path.write_bytes(b"0123456789")
    monkeypatch.setattr("tlkit.imaging.safe_read.GLANCE", 3)
    assert glance(path) == b"012789"
    path.write_bytes(b"0123")
    assert glance(path) == b"0123"  # the ends overlap
    assert glance(tmp_path / ("long" * 100)) == b""
    assert glance(tmp_path) == b""
    assert glance(tmp_path / "none") == b""


def test_natural_order_is_total():
    labels = ["10", "9", "a10", "a9", "01", "1", "B", "b", "é"]
    ordered = in_natural_order(labels)
    assert ordered == in_natural_order(reversed(labels))
    assert ordered.index("9") < ordered.index("10")
    assert ordered.index("a9") < ordered.index("a10")
    assert abs(ordered.index("01") - ordered.index("1")) == 1


def test_labels():
    assert is_label("steam train é")
    assert is_label("写" * 255)
    assert not any(map(is_label, ["", "  ", "a\nb", "a\tb", "a\x7f", "\ud800"]))
    assert not is_label("a" * 256)


@pytest.mark.parametrize(
    ("reading", "option"),
    [
        (ReaderOptions(attribute="kind"), "--attribute is for via"),
        (ReaderOptions(separator="|"), "--separator is for csv"),
        (ReaderOptions(columns=(("label", "x"),)), "--column is for csv"),
        (ReaderOptions(limit=3), "--limit is for quickdraw"),
    ],
)
def test_options_that_have_no_meaning(tmp_path, reading, option):
    touch(tmp_path, "a/1.jpg", "b/2.jpg")
    source = open_source(tmp_path, options=reading)
    with pytest.raises(UsageError, match=option):
        sources.read(source, "folders")
