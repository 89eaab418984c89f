"""Real annotations, read, written in each format and read again: nothing is lost."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections import Counter
from pathlib import Path

import pytest

from tlkit.dataset import images, sources
from tlkit.dataset.convert import convert
from tlkit.dataset.segmentation import same_shapes
from tlkit.dataset.sources.page import Thing
from tlkit.dataset.writers import WRITERS

# So many pixels a box may move by: labelme has no box but that of the shapes, and COCO's
# may be in whole pixels; the others write numbers of six digits and more.
TOLERANCE = {"labelme": 1.0, "coco": 1e-6, "yolo": 1e-2, "voc": 1e-2}
LABELME = (
    "bbox_detection", "classification_flags", "coins_v5", "fruits_nuts_v3",
    "instance_segmentation", "primitives", "semantic_segmentation", "tutorial",
    "video_annotation",
)  # fmt: skip


def open_kind(place: Path, kind: str):
    source = sources.open_source(place, workers=0)
    assert sources.SOURCES[kind].claims(source) > 0
    return source, sources.read(source, kind)


def by_picture(place: Path, kind: str):
    """What is said of each picture, by its content."""
    source, scan = open_kind(place, kind)
    found: dict[str, list] = {}
    for page in scan.pages:
        data = images.read_bytes(source.root / page.path)
        found.setdefault(hashlib.sha256(data).hexdigest(), []).append(page)
    assert scan.pages
    return found


def things(pages) -> list[Thing]:
    return [thing for page in pages for thing in page.things]


def pairs(before: list[Thing], after: list[Thing], tolerance: float):
    """Each thing with the one that it became."""
    left = list(after)
    for thing in before:
        near = [
            other
            for other in left
            if other.label == thing.label
            and max(abs(a - b) for a, b in zip(thing.bounds, other.bounds, strict=True))
            <= tolerance
        ]
        assert near, (thing.label, thing.bounds)
        same = [other for other in near if same_shapes(thing.shapes, other.shapes)]
        one = (same or near)[0]
        left.remove(one)
        yield thing, one
    assert not left


@pytest.fixture
def voc_and_coco(shared_data, tmp_path):
    """multiformat/ has annotations alone; its pictures are those of yolo/."""

    def make(name: str) -> Path:
        folder = tmp_path / "photos"
        shutil.copytree(shared_data / "multiformat" / name, folder, dirs_exist_ok=True)
        for picture in (shared_data / "yolo" / "obj_train_data").glob("*.jpg"):
            shutil.copy(picture, folder)
        return folder

    return make


def there_and_back(place: Path, kind: str, to: str, out: Path):
    before = by_picture(place, kind)
    written = convert(place, out, to=to, source=kind, workers=0)
    after = by_picture(out, to)
    assert before.keys() == after.keys()
    number = 0
    for key, pages in before.items():
        assert {page.split for page in pages} == {page.split for page in after[key]}
        found = pairs(things(pages), things(after[key]), TOLERANCE[to])
        for thing, other in found:
            number += 1
            if to in {"coco", "labelme"}:
                assert same_shapes(thing.shapes, other.shapes)
                assert {**thing.attributes, "flags": 0} == {
                    **other.attributes,
                    "flags": 0,
                }
        if to in {"coco", "labelme"}:
            assert [p.labels for p in pages] == [p.labels for p in after[key]]
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
def test_coco_of_two_exporters(voc_and_coco, tmp_path, name, to):
    folder = voc_and_coco("coco")
    others = {"coco_v1", "coco_v2"} - {name}
    (folder / f"{others.pop()}.json").unlink()
    number, *_ = there_and_back(folder, "coco", to, tmp_path / "out")
    assert number == 87
