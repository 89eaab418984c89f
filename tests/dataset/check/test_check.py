from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tlkit.dataset.annotations.shapes import rectangle
from tlkit.dataset.check.check import Checked, check
from tlkit.dataset.check.leaks import Leaks
from tlkit.dataset.check.read_split import SplitImage
from tlkit.dataset.dataset_files import MANIFEST
from tlkit.dataset.duplicates.pairs import Pair
from tlkit.dataset.manifest import Manifest
from tlkit.dataset.prepare import prepare
from tlkit.dataset.records import Annotation, DuplicateRow, ImageRecord, ParsedSource
from tlkit.errors import DatasetError, UsageError

THING = Annotation("nut", (rectangle((1, 1, 9, 9)),))


def save(place: Path, pixels: np.ndarray, **options) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(place, **options)


@pytest.fixture
def split(draw, tmp_path):
    """A clean split by hand: train and test of two classes, different images."""
    root = tmp_path / "split"
    for side, seeds in (("train", range(6)), ("test", range(6, 9))):
        for kind, name in enumerate(("disc", "bar")):
            for seed in seeds:
                pixels = draw(kind, seed, size=100)
                save(root / side / name / f"{seed}.png", pixels)
    return root


def found_in(checked: Checked) -> list[tuple[str, str, str]]:
    return [(f.kind, f.file, f.match) for f in checked.findings]


def test_a_clean_split(split):
    found = check(split, rotated=True, workers=0)
    assert found.clean
    assert found.findings == ()
    assert found.remarks == ()
    assert found.verdict == ("No duplicates across splits: 18 images compared.",)


def test_duplicates_of_each_kind_are_reported(split, draw):
    shutil.copy(split / "train/disc/0.png", split / "test/disc/same bytes.png")
    save(split / "test/disc/resaved.jpg", draw(0, 1, size=100), quality=60)
    save(split / "test/bar/mirrored.png", draw(1, 2, size=100)[:, ::-1])
    found = check(split, workers=0)
    assert found_in(found) == [
        ("near", "test/disc/resaved.jpg", "train/disc/1.png"),
        ("exact", "test/disc/same bytes.png", "train/disc/0.png"),
    ]
    assert found.verdict == ("2 images of test are duplicates of train images.",)
    assert not found.clean
    near, exact = found.findings
    assert (exact.split, exact.match_split, exact.distance) == ("test", "train", 0)
    assert (near.label, near.match_label) == ("disc", "disc")
    assert near.distance is not None
    turned = check(split, rotated=True, workers=0)
    assert [
        (f.file, f.match, f.transform) for f in turned.findings if f.kind == "rotated"
    ] == [("test/bar/mirrored.png", "train/bar/2.png", "flipped")]
    assert turned.verdict == ("3 images of test are duplicates of train images.",)


def test_the_same_image_under_two_labels(split):
    shutil.copy(split / "train/disc/0.png", split / "train/bar/again.png")
    found = check(split, workers=0)
    assert found_in(found) == [
        ("conflict", "train/bar/again.png", "train/disc/0.png"),
        ("conflict", "train/disc/0.png", "train/bar/again.png"),
    ]
    assert found.verdict == (
        "No duplicates across splits: 19 images compared.",
        "2 image(s) under two labels.",
    )


def test_a_class_missing_from_a_split_is_only_a_remark(split):
    shutil.rmtree(split / "test/bar")
    found = check(split, workers=0)
    assert found.clean
    assert found.remarks == ("bar: no image in test.",)


def test_splits_without_classes(split, tmp_path):
    flat = tmp_path / "flat"
    for side in ("train", "test"):
        (flat / side).mkdir(parents=True)
        for i, file in enumerate(sorted((split / side).rglob("*.png"))):
            shutil.copy(file, flat / side / f"{i}.png")
    shutil.copy(flat / "train/0.png", flat / "test/copy.png")
    (flat / "test/notes.txt").write_text("no image")
    (flat / "readme.txt").write_text("on no side")
    found = check(flat, workers=0)
    assert found_in(found) == [("exact", "test/copy.png", "train/0.png")]
    assert found.remarks == (
        "1 file(s) are in no split and left out.",
        "1 file(s), test/notes.txt: no images that can be read.",
    )
    (flat / "readme.txt").unlink()
    (flat / "test/notes.txt").unlink()
    assert check(flat, workers=0).remarks == ()


def test_annotated_images_in_given_splits(split, monkeypatch):
    """As a reader of annotations returns them; some are in no split."""
    records = [
        ImageRecord(
            "train/disc/0.png", labels=("a", "b"), split="train", group="clip 1"
        ),
        ImageRecord("test/disc/6.png", labels=("a",), split="test", group="clip 1"),
        ImageRecord("test/disc/7.png", objects=(THING,), split="test"),
        ImageRecord("test/disc/8.png", labels=("a",)),
    ]
    parsed = ParsedSource(
        files=tuple(record.path for record in records), records=tuple(records)
    )
    monkeypatch.setattr("tlkit.dataset.formats.read", lambda source, name: parsed)
    found = check(split, workers=0)
    assert found_in(found) == [("group", "test/disc/6.png", "train/disc/0.png")]
    assert found.findings[0].group == "clip 1"
    assert found.findings[0].match_label == "a | b"
    assert found.remarks == (
        "1 image(s) are in no split and left out.",
        "b: no image in test.",
        "nut: no image in train.",
    )


def test_links_out_of_the_folder_are_reported(split, tmp_path):
    linked = tmp_path / "linked"
    for file in split.rglob("*.png"):
        place = linked / file.relative_to(split)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(file)
    with pytest.raises(DatasetError, match=r"18 link.*--allow-outside"):
        check(linked, workers=0)
    assert check(linked, allow_outside=True, workers=0).compared == 18


def test_sources_without_splits(split, tmp_path):
    with pytest.raises(DatasetError, match="has no splits") as caught:
        check(split / "train", workers=0)
    assert "--against" in caught.value.hint
    with pytest.raises(DatasetError, match="does not exist"):
        check(tmp_path / "nowhere")
    with pytest.raises(DatasetError, match="is not a folder"):
        check(split / "train/disc/0.png")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match="no files"):
        check(tmp_path / "empty")
    with pytest.raises(UsageError, match="workers must be"):
        check(split, workers=-1)


def test_against_another_folder(split, tmp_path, draw):
    own = tmp_path / "own test"
    save(own / "a.png", draw(0, 0, size=100))
    save(own / "deep/b.jpg", draw(1, 7, size=100), quality=70)
    save(own / "new.png", draw(0, 40, size=100))
    found = check(split, against=own, workers=0)
    assert found_in(found) == [
        ("exact", "a.png", "train/disc/0.png"),
        ("near", "deep/b.jpg", "test/bar/7.png"),
    ]
    assert found.verdict == (
        f"1 image of {own} is a duplicate of test images.",
        f"1 image of {own} is a duplicate of train images.",
    )
    assert found.compared == 21
    # without sides of its own, too
    found = check(split / "train", against=own, workers=0)
    assert found_in(found) == [("exact", "a.png", "disc/0.png")]
    assert found.verdict == (
        f"1 image of {own} is a duplicate of images of the data set.",
    )


def test_a_folder_of_the_data_set_is_no_copy_of_it(split):
    found = check(split, against=split / "test", workers=0)
    assert found.clean
    assert found.remarks == (
        "6 file(s) are the data set's own and not compared with it.",
    )


@pytest.fixture
def dataset(split, tmp_path):
    return prepare(split, tmp_path / "data", val=0, workers=0, near=False).directory


def test_what_prepare_made_is_clean(dataset):
    found = check(dataset, rotated=True, workers=0)
    assert found.clean
    assert found.compared == 18
    assert check(dataset, against=dataset, workers=0).remarks == (
        "18 file(s) are the data set's own and not compared with it.",
    )


def test_files_that_are_missing_or_changed(dataset, split, draw):
    (split / "train/disc/0.png").unlink()
    save(split / "train/disc/1.png", draw(2, 1, size=100))
    (split / "test/bar/6.png").write_bytes(b"")
    found = check(dataset, workers=0)
    assert [(f.kind, f.file, f.split) for f in found.findings] == [
        ("changed", "test/bar/6.png", "test"),
        ("missing", "train/disc/0.png", "train"),
        ("changed", "train/disc/1.png", "train"),
    ]
    assert found.verdict == (
        "No duplicates across splits: 16 images compared.",
        "1 file(s) missing.",
        "2 file(s) changed since prepare.",
    )


def test_a_manifest_that_parts_a_group(dataset):
    manifest = Manifest.read(dataset)
    text = (dataset / MANIFEST).read_text()
    group = next(e for e in manifest.examples if e.split == "train").group
    other = next(e for e in manifest.examples if e.split == "test")
    (dataset / MANIFEST).write_text(text.replace(f",{other.group},", f",{group},"))
    with pytest.raises(DatasetError, match="is in test and in train"):
        Manifest.read(dataset)
    found = check(dataset, workers=0)
    assert [(f.kind, f.file) for f in found.findings] == [
        ("group", other.path),
        ("changed", MANIFEST),
    ]
    assert found.verdict[1] == "1 group(s) in several splits."


def test_what_is_found_is_written(split, tmp_path):
    shutil.copy(split / "train/disc/0.png", split / "test/disc/a, b.png")
    found = check(split, workers=0)
    place = tmp_path / "leaks.csv"
    found.write(place)
    found.write(place)
    with place.open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert row["file"] == "test/disc/a, b.png"
    assert row["distance"] == "0"
    labels = tmp_path / "labels.csv"
    labels.write_text("path,label\n")
    with pytest.raises(UsageError, match="left alone"):
        found.write(labels)
    assert labels.read_text() == "path,label\n"
    with pytest.raises(UsageError, match="cannot be written"):
        found.write(tmp_path / "nowhere" / "leaks.csv")


def across(rows: str, *pairs: Pair) -> list[tuple[str, str, str, float | None, str]]:
    """Findings among images "a:train b:test", numbered in that order."""
    images = [
        (SplitImage(name, side), i)
        for i, (name, side) in enumerate(row.split(":") for row in rows.split())
    ]
    found = Leaks(images, pairs).across()
    return [(f.kind, f.file, f.match, f.distance, f.transform) for f in found]


def test_duplicates_of_duplicates_are_reported():
    # c is an exact copy of b, and b a near one of a
    pairs = [Pair(1, 2, "exact"), Pair(0, 1, "near", 3, same=False)]
    assert across("a:train b:train c:test", *pairs) == [("exact", "c", "b", 0, "")]
    assert across("a:train b:val c:test", *pairs) == [
        ("near", "b", "a", 3, ""),
        ("near", "c", "a", 3, ""),
        ("exact", "c", "b", 0, ""),
    ]


def test_pairs_that_a_search_leaves_out_are_reported():
    pairs = [Pair(0, 1, "near", 2), Pair(1, 2, "near", 4)]
    assert across("a:train b:test c:test", *pairs) == [
        ("near", "b", "a", 2, ""),
        ("near", "c", "a", None, ""),
    ]
    # but not what merely looks like something that looks like something
    apart = [Pair(0, 1, "near", 2, same=False), Pair(1, 2, "near", 4, same=False)]
    assert across("a:train b:test c:test", *apart) == [("near", "b", "a", 2, "")]


def test_rotations_are_reported_from_the_later_split():
    pair = Pair(0, 1, "rotated", 2, False, "rotated by 90")
    found = across("a:train b:test", pair)
    assert found == [("rotated", "b", "a", 2, "rotated by 90")]
    assert across("a:test b:train", pair) == [
        ("rotated", "a", "b", 2, "rotated by 270")
    ]


def test_the_same_file_in_two_splits():
    images = [(SplitImage("a", "train"), 0), (SplitImage("a", "test"), 0)]
    (found,) = Leaks(images, []).across()
    assert found == DuplicateRow("exact", "a", "test", "", "a", "train", "", 0)


def test_real_photos_are_clean(shared_data):
    found = check(shared_data / "hymenoptera")
    assert found.clean
    assert found.verdict == ("No duplicates across splits: 398 images compared.",)


def test_planted_leaks_in_real_photos(shared_data, tmp_path):
    photos = shared_data / "hymenoptera"
    for side in ("train", "val"):
        for file in sorted((photos / side / "bees").glob("*.jpg"))[:20]:
            place = tmp_path / "photos" / side / "bees" / file.name
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, place)
    train = sorted((tmp_path / "photos/train/bees").iterdir())
    val = tmp_path / "photos/val/bees"
    shutil.copy(train[0], val / "1 exact.jpg")
    with Image.open(train[1]) as image:
        image.resize((200, 150)).save(val / "2 small.jpg", quality=50)
    with Image.open(train[2]) as image:
        image.transpose(Image.Transpose.ROTATE_90).save(val / "3 turned.jpg")
    found = check(tmp_path / "photos", rotated=True, workers=0)
    assert [(f.kind, f.file.split("/")[-1], f.transform) for f in found.findings] == [
        ("exact", "1 exact.jpg", ""),
        ("near", "2 small.jpg", ""),
        ("rotated", "3 turned.jpg", "rotated by 270"),
    ]
    assert found.verdict == ("3 images of val are duplicates of train images.",)


def test_an_ambiguous_source_is_an_error(split):
    """A few images of class folders are annotated with labelme, too."""
    for seed in (0, 1):
        content = {"imagePath": f"{seed}.png", "shapes": [], "flags": {"a": True}}
        (split / f"train/disc/{seed}.json").write_text(json.dumps(content))
    with pytest.raises(DatasetError, match="may be class folders") as caught:
        check(split, workers=0)
    assert "--from folders" in caught.value.hint
    assert check(split, format="folders", workers=0).compared == 18


def test_two_records_that_disagree_are_a_conflict(split):
    """Two labelme files for one image, with other flags."""

    def annotate(name: str, label: str) -> None:
        content = {"imagePath": "0.png", "shapes": [], "flags": {label: True}}
        (split / f"train/disc/{name}.json").write_text(json.dumps(content))

    annotate("0", "disc")
    assert check(split, format="labelme", workers=0).clean
    annotate("0 again", "bar")
    found = check(split, format="labelme", workers=0)
    assert [(f.kind, f.file, f.label, f.match_label) for f in found.findings] == [
        ("conflict", "train/disc/0.png", "bar", "disc"),
        ("conflict", "train/disc/0.png", "disc", "bar"),
    ]
    assert found.verdict[-1] == "1 image(s) under two labels."


def test_other_columns_are_named_as_for_prepare(split):
    files = sorted(split.rglob("*.png"))
    rows = [f"{f.relative_to(split).as_posix()};{f.parts[-3]};x" for f in files]
    (split / "a.csv").write_text("where;part;kind\n" + "\n".join(rows) + "\n")
    columns = {"path": "where", "split": "part", "label": "kind"}
    assert check(split, format="csv", columns=columns, workers=0).compared == 18
