from __future__ import annotations

import json

import pytest

from tlkit.dataset import sources
from tlkit.dataset.sources.annotation import in_natural_order, is_label
from tlkit.errors import DatasetError
from tlkit.progress import Silent

PAGE = json.dumps({"flags": {"a": True}, "shapes": [], "imagePath": "1.jpg"})


def touch(root, *names: str, text: str = ""):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def test_detects_class_folders(tmp_path):
    assert sources.detect(touch(tmp_path, "a/1.jpg", "b/2")) == "folders"
    assert sources.detect(touch(tmp_path, "c/coco.json", text="{}")) == "folders"


def test_detects_labelme(tmp_path):
    touch(tmp_path, "a/1.jpg", "a/2.jpg")
    touch(tmp_path, "a/1.json", "a/2.json", text=PAGE)
    assert sources.detect(tmp_path) == "labelme"


def test_detects_labelme_around_a_large_picture(tmp_path):
    content = json.loads(PAGE)
    del content["imagePath"], content["flags"], content["shapes"]
    large = {"imageData": "A" * (3 * sources.GLANCE), "imagePath": "x", "shapes": []}
    touch(tmp_path, "1.json", text=json.dumps(large))
    assert sources.detect(tmp_path) == "labelme"


def test_cannot_tell(tmp_path):
    touch(tmp_path, *(f"a/{i}.jpg" for i in range(10)))
    touch(tmp_path, "a/1.json", text=PAGE)
    with pytest.raises(DatasetError, match="may be class folders") as caught:
        sources.detect(tmp_path)
    assert "--from folders" in caught.value.hint
    assert sources.detect(tmp_path, "shapes") == "labelme"


def test_json_alone(tmp_path):
    touch(tmp_path, "a/1.json", text="{}")
    with pytest.raises(DatasetError, match="neither class folders"):
        sources.detect(tmp_path)


def test_a_few_annotations_beside_loose_pictures(tmp_path):
    touch(tmp_path, *(f"{i}.jpg" for i in range(10)))
    touch(tmp_path, "1.json", text=PAGE)
    assert sources.detect(tmp_path) == "labelme"


def test_finds_nothing(tmp_path):
    with pytest.raises(DatasetError, match=r"holds 0 file\(s\)"):
        sources.detect(tmp_path)
    touch(tmp_path, "1.jpg", "2.jpg", "notes.txt")
    with pytest.raises(DatasetError, match=r"3 file\(s\), 2 of them") as caught:
        sources.detect(tmp_path)
    assert "neither class folders" in str(caught.value)
    assert "labelme" in str(caught.value)


def test_what_cannot_be_opened_is_no_annotation(tmp_path):
    touch(tmp_path, "a/1.jpg")
    (tmp_path / "a" / "1.json").symlink_to(tmp_path / "nothing")
    assert sources.detect(tmp_path) == "folders"


def test_what_must_not_be_read_is_no_annotation(tmp_path, monkeypatch):
    touch(tmp_path, "a/1.jpg", "a/1.json")

    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(type(tmp_path), "open", refuse)
    assert sources.detect(tmp_path) == "folders"


def test_reads_by_name(tmp_path):
    touch(tmp_path, "a/1.jpg", "b/2.jpg")
    scan = sources.read(
        tmp_path, "folders", label_by="image", workers=0, progress=Silent()
    )
    assert len(scan.annotations) == 2
    touch(tmp_path, "a/1.json", text=PAGE)
    scan = sources.read(
        tmp_path, "labelme", label_by="image", workers=0, progress=Silent()
    )
    assert [a.path for a in scan.annotations] == ["a/1.jpg"]


def test_natural_order_is_total():
    labels = ["10", "9", "a10", "a9", "01", "1", "B", "b", "é"]
    ordered = in_natural_order(labels)
    assert ordered == in_natural_order(reversed(labels))
    assert ordered.index("9") < ordered.index("10")
    assert ordered.index("a9") < ordered.index("a10")
    assert abs(ordered.index("01") - ordered.index("1")) == 1


def test_labels():
    assert is_label("steam train é")
    assert not any(map(is_label, ["", "  ", "a\nb", "a\tb", "a\x7f"]))
