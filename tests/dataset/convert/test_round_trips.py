"""Real annotations, read, written in each format and read again: nothing is lost."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.dataset.conftest import in_pixels
from tlkit.dataset import formats
from tlkit.dataset.annotations.coco_segmentation import same_shapes
from tlkit.dataset.annotations.shapes import rectangle
from tlkit.dataset.convert.convert import convert
from tlkit.dataset.convert.records import NAMELESS
from tlkit.dataset.convert.writers import WRITERS
from tlkit.dataset.formats.detect import claims
from tlkit.dataset.records import Annotation, ImageRecord
from tlkit.dataset.sources.open import open_source
from tlkit.imaging.decode import decode
from tlkit.imaging.safe_read import read_bytes

# So many pixels a box may move by: labelme and YOLO have none but that of the shapes,
# and COCO's may be in whole pixels; YOLO cuts at the edge of the image as well.
TOLERANCE = {"labelme": 1.0, "coco": 1e-6, "yolo": 1.0, "voc": 1e-2}
LABELME = (
    "bbox_detection", "classification_flags", "coins_v5", "fruits_nuts_v3",
    "instance_segmentation", "primitives", "semantic_segmentation", "tutorial",
    "video_annotation",
)  # fmt: skip


OPEN_IN_LABELME = """
import pathlib, sys
try:
    from labelme._label_file import LabelFile
except ImportError:
    from labelme.label_file import LabelFile
for place in sys.argv[1:]:
    files = [p for p in pathlib.Path(place).rglob("*.json") if p.name != "convert.json"]
    opened = [LabelFile(str(p)) for p in files]
    assert all(one.imageData for one in opened)
    print(len(opened), sum(len(one.shapes) for one in opened))
"""


def open_kind(place: Path, kind: str):
    source = open_source(place, workers=0)
    assert claims(source)[kind] > 0
    return source, in_pixels(source.root, formats.read(source, kind))


def by_image(place: Path, kind: str):
    """The records of each image, by its content."""
    source, parsed = open_kind(place, kind)
    found: dict[str, list[ImageRecord]] = {}
    for record in parsed.records:
        data = read_bytes(source.root / record.path)
        found.setdefault(hashlib.sha256(data).hexdigest(), []).append(record)
    assert parsed.records
    return found


def objects(records) -> list[Annotation]:
    return [obj for record in records for obj in record.objects]


def pairs(before: list[Annotation], after: list[Annotation], tolerance: float):
    """Each object with the one that it became."""
    left = list(after)
    for obj in before:
        near = [
            other
            for other in left
            if other.label == (obj.label or NAMELESS)
            and max(abs(a - b) for a, b in zip(obj.bounds, other.bounds, strict=True))
            <= tolerance
        ]
        assert near, (obj.label, obj.bounds)
        same = [other for other in near if same_shapes(obj.shapes, other.shapes)]
        one = (same or near)[0]
        left.remove(one)
        yield obj, one
    assert not left


@pytest.fixture
def multiformat(shared_data: Path, tmp_path: Path):
    """multiformat/ has annotations alone; its images are those of yolo/."""

    def make(name: str) -> Path:
        folder = tmp_path / "photos"
        shutil.copytree(shared_data / "multiformat" / name, folder, dirs_exist_ok=True)
        for image in (shared_data / "yolo" / "obj_train_data").glob("*.jpg"):
            shutil.copy(image, folder)
        return folder

    return make


def there_and_back(place: Path, kind: str, to: str, out: Path):
    before = by_image(place, kind)
    written = convert(place, out, to=to, format=kind, workers=0)
    assert formats.detect(open_source(out, workers=0), "shapes") == to
    after = by_image(out, to)
    assert before.keys() == after.keys()
    number = 0
    for key, records in before.items():
        assert {record.split for record in records} == {
            record.split for record in after[key]
        }
        found = pairs(objects(records), objects(after[key]), TOLERANCE[to])
        for obj, other in found:
            number += 1
            if to in {"coco", "labelme"}:
                assert same_shapes(obj.shapes, other.shapes)
                assert {**obj.attributes, "flags": 0} == {
                    **other.attributes,
                    "flags": 0,
                }
        if to in {"coco", "labelme"}:
            assert [p.labels for p in records] == [p.labels for p in after[key]]
    assert number == sum(written.objects.values())
    return number, before, after, written


@pytest.mark.parametrize("to", WRITERS)
@pytest.mark.parametrize("name", LABELME)
def test_labelme(shared_data, tmp_path, name, to):
    numbers = {
        "bbox_detection": 9, "classification_flags": 0, "coins_v5": 91,
        "fruits_nuts_v3": 165, "instance_segmentation": 14, "primitives": 8,
        "semantic_segmentation": 18, "tutorial": 4, "video_annotation": 15,
    }  # fmt: skip
    place = shared_data / "labelme" / name
    number, *_ = there_and_back(place, "labelme", to, tmp_path / "out")
    assert number == numbers[name]


@pytest.mark.parametrize("to", WRITERS)
def test_coco(shared_data, tmp_path, to):
    number, *_ = there_and_back(shared_data / "coco", "coco", to, tmp_path / "out")
    assert number == 165


@pytest.mark.parametrize("to", WRITERS)
@pytest.mark.parametrize("name", ["coco_v1", "coco_v2"])
def test_coco_of_two_exporters(multiformat, tmp_path, name, to):
    folder = multiformat("coco")
    others = {"coco_v1", "coco_v2"} - {name}
    (folder / f"{others.pop()}.json").unlink()
    number, *_ = there_and_back(folder, "coco", to, tmp_path / "out")
    assert number == 87


def test_the_same_objects_as_labelme_and_as_coco(shared_data):
    labelme = by_image(shared_data / "labelme" / "fruits_nuts_v3", "labelme")
    coco = by_image(shared_data / "coco", "coco")
    assert labelme.keys() == coco.keys()
    assert len(coco) == 18
    number = 0
    for key, records in labelme.items():
        # COCO has the boxes in whole pixels.
        for obj, other in pairs(objects(records), objects(coco[key]), 1.0):
            assert same_shapes(obj.shapes, other.shapes)
            number += 1
    assert number == 165


BOXES = {"yolo": 87, "voc": 87, "coco_v1": 87, "coco_v2": 87, "labelme": 36}


@pytest.mark.parametrize("name", BOXES)
def test_the_same_boxes_in_five_formats(shared_data, multiformat, name):
    """Against the numbers in YOLO's files, read here."""
    kind = name.split("_")[0]
    folder = {"voc": "pascal_voc", "coco_v1": "coco", "coco_v2": "coco"}.get(name, name)
    place = shared_data / "yolo" if kind == "yolo" else multiformat(folder)
    for other in {"coco_v1", "coco_v2"} - {name} if kind == "coco" else ():
        (place / f"{other}.json").unlink()
    truth = shared_data / "yolo" / "obj_train_data"
    names = (shared_data / "yolo" / "obj.names").read_text().split("\n")
    _, parsed = open_kind(place, kind)
    number = 0
    for record in parsed.records:
        stem = Path(record.path).stem
        width, height = decode((truth / f"{stem}.jpg").read_bytes()).pixels.shape[1::-1]
        expected = []
        for line in (truth / f"{stem}.txt").read_text().splitlines():
            which, *numbers = line.split()
            x, y, w, h = map(float, numbers)
            x0, y0, x1, y1 = x - w / 2, y - h / 2, x + w / 2, y + h / 2
            box = (x0 * width, y0 * height, x1 * width, y1 * height)
            expected.append(Annotation(names[int(which)], (rectangle(box),)))
        found = [
            replace(obj, shapes=(rectangle(obj.bounds),)) for obj in record.objects
        ]
        number += sum(1 for _ in pairs(expected, found, 0.011))
    assert number == BOXES[name]


def test_what_is_written_opens_in_pycocotools(shared_data, tmp_path, capsys):
    coco = pytest.importorskip("pycocotools.coco")
    for name, count in (("fruits_nuts_v3", 165), ("primitives", 8)):
        place, out = shared_data / "labelme" / name, tmp_path / name
        convert(place, out, to="coco", workers=0)
        opened = coco.COCO(str(out / "annotations" / "instances_default.json"))
        assert "index created" in capsys.readouterr().out
        assert len(opened.anns) == count
        drawn = 0
        for each in opened.loadAnns(opened.getAnnIds()):
            inside = opened.annToMask(each)
            if each["area"]:
                drawn += 1
                assert inside.sum() == pytest.approx(each["area"], rel=0.05)
                x, y, w, h = each["bbox"]
                rows, columns = inside.any(1).nonzero()[0], inside.any(0).nonzero()[0]
                around = columns[0], rows[0], columns[-1] + 1, rows[-1] + 1
                assert around == pytest.approx((x, y, x + w, y + h), abs=1.5)
        # Of the primitives, a line, a line strip and a point have no area.
        assert drawn == {165: 165, 8: 5}[count]


def test_what_is_written_opens_in_labelme(shared_data, tmp_path):
    """In labelme's own reader, in a process of its own: it is never imported here."""
    python = os.environ.get("TLKIT_LABELME", sys.executable)
    if python == sys.executable and importlib.util.find_spec("labelme") is None:
        pytest.skip(
            "labelme is not installed; TLKIT_LABELME names a Python that has it"
        )
    for name in LABELME:
        place = shared_data / "labelme" / name
        convert(place, tmp_path / name, to="labelme", format="labelme", workers=0)
    done = subprocess.run(
        [python, "-c", OPEN_IN_LABELME, *(str(tmp_path / name) for name in LABELME)],
        env={**os.environ, "QT_QPA_PLATFORM": "offscreen"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert [tuple(map(int, line.split())) for line in done.stdout.splitlines()] == [
        (3, 9), (2, 0), (30, 91), (18, 165), (3, 18), (1, 8), (3, 18), (1, 4), (5, 15),
    ]  # fmt: skip


@pytest.mark.parametrize("to", WRITERS)
def test_via(shared_data, tmp_path, to):
    place = shared_data / "via" / "kudzu"
    number, *_ = there_and_back(place, "via", to, tmp_path / "out")
    assert number == 520 + 349


@pytest.mark.parametrize("to", WRITERS)
@pytest.mark.parametrize(
    ("name", "kind", "number"),
    [("yolo", "yolo", 87), ("bccd", "voc", 1870)],
)
def test_yolo_and_voc(shared_data, tmp_path, name, kind, number, to):
    found, *_ = there_and_back(shared_data / name, kind, to, tmp_path / "out")
    assert found == number


@pytest.mark.parametrize("to", WRITERS)
@pytest.mark.parametrize(
    ("name", "kind", "number"), [("pascal_voc", "voc", 87), ("labelme", "labelme", 36)]
)
def test_multiformat(multiformat, tmp_path, name, kind, number, to):
    found, *_ = there_and_back(multiformat(name), kind, to, tmp_path / "out")
    assert found == number
