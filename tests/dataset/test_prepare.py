from __future__ import annotations

import base64
import csv
import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import tlkit.dataset.output.write
import tlkit.dataset.prepare as module
from tlkit.dataset.example import Example, read_example
from tlkit.dataset.manifest import Manifest
from tlkit.dataset.prepare import prepare
from tlkit.errors import DatasetError, UsageError


def table(directory: Path, name: str) -> list[dict[str, str]]:
    with (directory / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def rejected(directory: Path) -> dict[str, str]:
    return {row["file"]: row["reason"] for row in table(directory, "rejected.csv")}


def files_below(root: Path) -> set[str]:
    return {p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file()}


def check_books(manifest: Manifest) -> None:
    """Every file found serves or is listed; no group is on two sides."""
    used = {e.path for e in manifest.examples}
    used |= {e.annotation for e in manifest.examples} - {""}
    listed = rejected(manifest.directory)
    folders = {name for name in listed if name.endswith("/")}
    found = {
        name
        for name in files_below(manifest.source)
        if not any(name.startswith(folder) for folder in folders)
    }
    assert used | set(listed) >= found
    assert used | set(listed) == found | folders
    sides: dict[str, set[str]] = {}
    for example in manifest.examples:
        sides.setdefault(example.group, set()).add(example.split)
    assert all(len(side) == 1 for side in sides.values())
    counts = manifest.info["counts"]
    assert counts["found"] == len(used | set(listed))
    assert counts["used"] == len(used)
    assert counts["examples"] == len(manifest.examples)
    reasons = Counter(r["reason"] for r in table(manifest.directory, "rejected.csv"))
    assert counts["rejected"] == reasons


def snapshot(root: Path) -> dict[str, tuple[int, bytes]]:
    return {
        name: ((root / name).stat().st_mtime_ns, (root / name).read_bytes())
        for name in files_below(root)
    }


def test_class_folders(photo_folder, tmp_path, told):
    root = photo_folder({"disc 10": 20, "disc 9 é": 20}, tmp_path / "my photos é")
    before = snapshot(root)
    manifest = prepare(root, tmp_path / "out é" / "data", progress=told)
    assert manifest.labels == ("disc 9 é", "disc 10")
    split = {"train": 14, "val": 3, "test": 3}
    assert manifest.counts() == {"disc 9 é": split, "disc 10": split}
    assert manifest.info["classes"] == manifest.counts()
    assert len({example.id for example in manifest.examples}) == 40
    check_books(manifest)
    first = manifest.examples[0]
    assert (first.path, first.width, first.height) == (
        "disc 9 é/disc 9 é_000.png",
        64,
        64,
    )
    expected = np.array(Image.open(root / first.path))
    np.testing.assert_array_equal(read_example(manifest.source, first), expected)
    assert snapshot(root) == before
    assert told.notes[0] == "Read as class folders."
    assert told.warnings == []
    assert told.tasks == {
        "Reading images": 40,
        "Looking for duplicates": None,
        "Drawing the page": 40,
    }
    assert told.done == 80
    assert sorted(p.name for p in manifest.directory.iterdir()) == [
        *("dataset.json", "duplicates.csv", "labels.txt", "manifest.csv"),
        *("notes.csv", "rejected.csv", "report.html"),
    ]
    assert not list(manifest.directory.parent.glob(".*"))


def test_same_command_same_result(photo_folder, tmp_path):
    root = photo_folder({"a": 12, "b": 12})
    one = prepare(root, tmp_path / "one", seed=5)
    copy = shutil.copytree(root, tmp_path / "elsewhere")
    for path in sorted(copy.rglob("*.png"), reverse=True):  # another order on the disk
        path.write_bytes(path.read_bytes())
    two = prepare(copy, tmp_path / "two", seed=5, workers=1)
    assert one.checksum == two.checksum
    for name in (
        *("manifest.csv", "labels.txt", "notes.csv", "rejected.csv"),
        "duplicates.csv",
    ):
        texts = [(d / name).read_bytes() for d in (one.directory, two.directory)]
        assert texts[0] == texts[1]
    assert prepare(root, tmp_path / "three", seed=6).checksum != one.checksum


def test_a_given_split_is_kept(photo_folder, tmp_path, told):
    root = tmp_path / "photos"
    photo_folder({"a": 8, "b": 8}, root / "train")
    photo_folder({"x": 8, "a": 14, "b": 14}, tmp_path / "more")
    for i in range(8, 14):
        for name in "ab":
            side = root / ("valid" if i < 11 else "test") / name
            side.mkdir(parents=True, exist_ok=True)
            shutil.move(tmp_path / "more" / name / f"{name}_{i:03d}.png", side)
    manifest = prepare(root, tmp_path / "data", progress=told)
    assert manifest.info["source"]["splits"] == ["train", "val", "test"]
    for counts in manifest.counts().values():
        assert counts == {"train": 8, "val": 3, "test": 3}
    assert "given test/train/val split" in told.notes[0]
    with pytest.raises(UsageError, match="gives the val split itself"):
        prepare(root, tmp_path / "other", val=0.2)
    shutil.rmtree(root / "valid")
    number = prepare(root, tmp_path / "no val").counts()["a"]
    assert number == {"train": 7, "val": 1, "test": 3}
    shutil.rmtree(root / "test")
    number = prepare(root, tmp_path / "train only").counts()["a"]
    assert number == {"train": 6, "val": 1, "test": 1}
    number = prepare(root, tmp_path / "halved", val=0.5, test=0).counts()["a"]
    assert number == {"train": 4, "val": 4, "test": 0}


def test_a_given_split_without_test(photo_folder, tmp_path):
    root = tmp_path / "photos"
    photo_folder({"a": 8, "b": 8}, root / "train")
    photo_folder({"x": 1, "y": 1, "a": 3, "b": 3}, tmp_path / "more")
    for name in "ab":
        shutil.copytree(tmp_path / "more" / name, root / "val" / name)
    manifest = prepare(root, tmp_path / "data")
    assert manifest.counts()["b"] == {"train": 8, "val": 3, "test": 0}
    manifest = prepare(root, tmp_path / "with test", test=0.25)
    assert manifest.counts()["b"] == {"train": 6, "val": 3, "test": 2}


def test_the_shares_that_were_drawn_are_recorded(photo_folder, tmp_path):
    def shares(root, name, **options):
        info = prepare(root, tmp_path / name, near=False, **options).info
        return info["options"]["val"], info["options"]["test"]

    root = photo_folder({"a": 8, "b": 8})
    assert shares(root, "usual") == (0.15, 0.15)
    assert shares(root, "asked", val=0.25, test=0) == (0.25, 0)
    given = tmp_path / "given"
    photo_folder({"a": 8, "b": 8}, given / "train")
    assert shares(given, "train only") == (0.15, 0.15)
    photo_folder({"x": 1, "y": 1, "a": 3, "b": 3}, tmp_path / "more")
    for name in "ab":
        shutil.copytree(tmp_path / "more" / name, given / "val" / name)
    assert shares(given, "val given") == (None, 0)
    assert shares(given, "with test", test=0.25) == (None, 0.25)
    (given / "val").rename(given / "test")
    assert shares(given, "test given") == (0.15, None)


def test_a_label_that_only_val_has(photo_folder, tmp_path, draw):
    root = tmp_path / "photos"
    photo_folder({"a": 4, "b": 4}, root / "train")
    for kind, name in enumerate(("A", "d")):
        (root / "val" / name).mkdir(parents=True)
        Image.fromarray(draw(kind, 99)).save(root / "val" / name / "1.png")
    with pytest.raises(DatasetError, match="No images to train on for A, d"):
        prepare(root, tmp_path / "data")
    shutil.rmtree(root / "train")
    with pytest.raises(DatasetError, match="val, but no train folder"):
        prepare(root, tmp_path / "data")


def test_copies_conflicts_and_broken_files(photo_folder, tmp_path, told, draw):
    root = photo_folder({"a": 12, "b": 12})
    shutil.copy(root / "a" / "a_000.png", root / "a" / "copy of 0.png")
    Image.open(root / "a" / "a_001.png").save(root / "a" / "resaved 1.bmp")
    Image.open(root / "a" / "a_002.png").resize((50, 50)).save(root / "a" / "small.png")
    shutil.copy(root / "a" / "a_003.png", root / "b" / "other label.png")
    Image.open(root / "b" / "b_004.png").convert("L").save(root / "a" / "gray 4.png")
    (root / "a" / "cut.png").write_bytes((root / "a" / "a_005.png").read_bytes()[:900])
    (root / "b" / "empty.jpg").write_bytes(b"")
    (root / "b" / "notes.jpg").write_text("notes")
    (root / "b" / "same notes.jpg").write_text("notes")
    (root / ".ipynb_checkpoints").mkdir()
    (root / ".ipynb_checkpoints" / "x.png").write_text("")
    (root / "loose.png").write_text("")
    manifest = prepare(root, tmp_path / "data", progress=told)
    check_books(manifest)
    assert rejected(manifest.directory) == {
        ".ipynb_checkpoints/": "junk",
        "a/a_003.png": "conflict",
        "a/copy of 0.png": "duplicate",
        "a/cut.png": "truncated",
        "a/gray 4.png": "conflict",
        "a/resaved 1.bmp": "duplicate",
        "b/b_004.png": "conflict",
        "b/empty.jpg": "empty",
        "b/notes.jpg": "not-an-image",
        "b/other label.png": "conflict",
        "b/same notes.jpg": "not-an-image",
        "loose.png": "no-class-folder",
    }
    groups = {e.path: e.group for e in manifest.examples}
    assert groups["a/a_002.png"] == groups["a/small.png"]
    assert len(set(groups.values())) == len(groups) - 1
    copies = table(manifest.directory, "duplicates.csv")
    assert {(row["file"], row["kind"], row["action"]) for row in copies} == {
        ("a/a_000.png", "exact", "kept"),
        ("a/copy of 0.png", "exact", "dropped"),
        ("a/a_001.png", "exact", "kept"),
        ("a/resaved 1.bmp", "exact", "dropped"),
        ("a/a_002.png", "near", "grouped"),
        ("a/small.png", "near", "grouped"),
        ("a/a_003.png", "conflict", "left out"),
        ("b/other label.png", "conflict", "left out"),
        ("a/gray 4.png", "conflict", "left out"),
        ("b/b_004.png", "conflict", "left out"),
        ("b/notes.jpg", "exact", "unreadable"),
        ("b/same notes.jpg", "exact", "unreadable"),
    }
    counts = manifest.info["counts"]
    assert counts["exact_duplicates"] == 2
    assert counts["near_groups"] == 1
    assert counts["conflicts"] == 4
    assert counts["leaks"] == 0
    assert any("under two labels, left out" in line for line in told.warnings)
    assert any(
        "duplicates of others or similar, in 1 groups" in line for line in told.notes
    )
    assert manifest.info["warnings"] == told.warnings

    kept = prepare(root, tmp_path / "kept", keep_conflicts=True, progress=told)
    check_books(kept)
    groups = {e.path: e.group for e in kept.examples}
    assert groups["a/a_003.png"] == groups["b/other label.png"]
    assert groups["a/gray 4.png"] == groups["b/b_004.png"]
    assert any("under two labels, kept" in line for line in told.warnings)

    exact = prepare(root, tmp_path / "exact", near=False)
    check_books(exact)
    assert exact.info["counts"]["near_groups"] == 0
    assert "a/gray 4.png" in {e.path for e in exact.examples}


def test_leaks_across_a_given_split(photo_folder, tmp_path, told):
    root = tmp_path / "photos"
    photo_folder({"a": 9, "b": 9}, root / "train")
    for name in "ab":
        for side in ("val", "test"):
            (root / side / name).mkdir(parents=True)
    train = root / "train" / "a"
    shutil.copy(train / "a_000.png", root / "val" / "a" / "leak.png")
    Image.open(train / "a_001.png").resize((90, 90)).save(root / "test/a/near leak.png")
    shutil.copy(train / "a_002.png", root / "val" / "a" / "twice.png")
    shutil.copy(train / "a_002.png", root / "test" / "a" / "thrice.png")
    for i, side in enumerate(("val", "test")):
        shutil.move(root / f"train/b/b_00{i}.png", root / side / "b")
    manifest = prepare(root, tmp_path / "data", progress=told)
    check_books(manifest)
    assert rejected(manifest.directory) == {
        "train/a/a_000.png": "leak",
        "train/a/a_001.png": "leak",
        "train/a/a_002.png": "leak",
        "val/a/twice.png": "leak",
    }
    assert manifest.info["counts"]["leaks"] == 4
    assert manifest.counts()["a"] == {"train": 6, "val": 1, "test": 2}
    assert any("4 file(s)" in line and "removed" in line for line in told.warnings)


def test_odd_formats_names_and_files(photo_folder, tmp_path, draw):
    root = photo_folder({"a": 6, "b": 6})
    (root / "a" / "x.jpg").mkdir()
    Image.fromarray(draw(0, 50)).save(root / "a" / "x.jpg" / 'in, a "folder"\r\n.png')
    Image.fromarray(draw(0, 51)).save(root / "a" / "jpeg.svg", "JPEG", quality=95)
    os.mkfifo(root / "b" / "pipe.jpg")
    (root / "b" / "gone.jpg").symlink_to(root / "nothing")
    (root / "b" / "loop").symlink_to(root)
    manifest = prepare(root, tmp_path / "data")
    paths = {e.path for e in manifest.examples}
    assert 'a/x.jpg/in, a "folder"\r\n.png' in paths
    assert "a/jpeg.svg" in paths
    assert rejected(manifest.directory) == {
        "b/gone.jpg": "missing",
        "b/loop/": "link-loop",
        "b/pipe.jpg": "not-a-file",
    }


def test_one_class_or_none(photo_folder, tmp_path):
    root = photo_folder({"a": 3})
    with pytest.raises(DatasetError, match="found only one, 'a'"):
        prepare(root, tmp_path / "data")
    (root / "b").mkdir()
    (root / "b" / "1.jpg").write_text("notes")
    with pytest.raises(
        DatasetError, match=r"1 rejected as not-an-image, such as b/1\.jpg"
    ):
        prepare(root, tmp_path / "data")
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(DatasetError, match="holds 0 file"):
        prepare(empty, tmp_path / "data")
    (empty / "a").mkdir()
    (empty / "a" / "1.jpg").write_text("notes")
    with pytest.raises(DatasetError, match="found none"):
        prepare(empty, tmp_path / "data")
    photo_folder({"a": 3, "b": 3}, tmp_path / "wrapped" / "photos")
    with pytest.raises(DatasetError, match="Are the classes in"):
        prepare(tmp_path / "wrapped", tmp_path / "data")
    with pytest.raises(DatasetError, match="does not exist"):
        prepare(tmp_path / "none", tmp_path / "data")
    with pytest.raises(DatasetError, match="is not an annotation file"):
        prepare(root / "a" / "a_000.png", tmp_path / "data")
    assert not (tmp_path / "data").exists()
    assert not list(tmp_path.glob(".data*"))


def test_an_empty_class_is_told(photo_folder, tmp_path, told):
    root = photo_folder({"a": 5, "b": 5})
    (root / "c").mkdir()
    manifest = prepare(root, tmp_path / "data", progress=told)
    assert manifest.labels == ("a", "b")
    assert "c: an empty folder." in told.warnings


def test_a_class_that_is_too_small(photo_folder, tmp_path):
    root = photo_folder({"a": 8, "b": 2})
    with pytest.raises(DatasetError, match=r"b: 2 example\(s\) in 2 group\(s\)"):
        prepare(root, tmp_path / "data")
    manifest = prepare(root, tmp_path / "data", test=0)
    assert manifest.counts()["b"] == {"train": 1, "val": 1, "test": 0}


def test_what_a_person_should_look_at(photo_folder, tmp_path, told, draw):
    root = photo_folder({"Bar": 5, "bar": 60})
    Image.fromarray(draw(1, 99)).save(root / "bar" / "odd.gif")
    for i in range(20):
        (root / "bar" / f"{i}.jpg").write_text("notes")
    prepare(root, tmp_path / "data", progress=told)
    text = "\n".join(told.warnings)
    assert "Bar: 3 image(s) to train on are few." in text
    assert "'Bar' and 'bar' are classes of their own" in text
    assert "bar has 43 images to train on, Bar 3" in text
    assert "20 file(s), bar/0.jpg, bar/1.jpg, bar/2.jpg, ...: cannot be used" in text
    assert "1 file(s), bar/odd.gif: GIF, unlike the others. Check them." in told.notes


def test_a_class_that_is_missing_from_a_side(photo_folder, tmp_path, told):
    root = tmp_path / "photos"
    photo_folder({"a": 12, "b": 12}, root / "train")
    (root / "val" / "a").mkdir(parents=True)
    shutil.move(root / "train" / "a" / "a_000.png", root / "val" / "a")
    manifest = prepare(root, tmp_path / "data", progress=told)
    assert "b: no image in val." in told.warnings
    assert manifest.targets("train").tolist().count(1) == 12


def test_a_share_beside_a_split_that_the_source_gives(photo_folder, tmp_path):
    """The default share of the test split is not added where none is drawn."""
    photo_folder({"a": 12, "b": 12}, tmp_path / "photos" / "train")
    photo_folder({"a": 2, "b": 2}, tmp_path / "photos" / "test", size=48)
    manifest = prepare(tmp_path / "photos", tmp_path / "data", val=0.9, near=False)
    assert manifest.counts()["a"] == {"train": 1, "val": 11, "test": 2}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"format": "folder"}, "Did you mean folders"),
        ({"label_by": "shape"}, "Did you mean shapes"),
        ({"val": 1.0}, "< 1, got 1.0"),
        ({"val": -0.1}, ">= 0 and < 1, got -0.1"),
        ({"test": float("nan")}, ">= 0 and < 1, got nan"),
        ({"val": 0.5, "test": 0.5}, "nothing for train"),
        ({"val": 0.9}, "nothing for train"),
        ({"workers": -1}, "workers must be >= 0"),
        ({"seed": -1}, "seed must be >= 0"),
        ({"format": "folders", "label_by": "shapes"}, "give each image one label"),
        ({"format": "folders", "multi_label": True}, "Remove the option"),
        ({"label_by": "shapes"}, "with --from"),
    ],
)
def test_options_that_cannot_be_meant(photo_folder, tmp_path, options, message):
    root = photo_folder({"a": 3, "b": 3})
    with pytest.raises(UsageError, match=message):
        prepare(root, tmp_path / "data", **options)
    assert not (tmp_path / "data").exists()


def test_an_existing_output(photo_folder, tmp_path):
    root = photo_folder({"a": 8, "b": 8})
    out = tmp_path / "data"
    out.mkdir()  # empty: nothing to lose
    first = prepare(root, out)
    with pytest.raises(UsageError, match="split by other options: seed was 0, is 1"):
        prepare(root, out, seed=1)
    assert Manifest.read(out).checksum == first.checksum
    assert prepare(root, out, seed=1, overwrite=True).checksum != first.checksum
    (out / "my notes.txt").write_text("mine")
    with pytest.raises(UsageError, match=r"my notes\.txt"):
        prepare(root, out, overwrite=True)
    assert (out / "my notes.txt").read_text() == "mine"
    other = tmp_path / "other"
    other.mkdir()
    (other / "thesis.txt").write_text("mine")
    for overwrite in (False, True):
        with pytest.raises(UsageError, match="left alone"):
            prepare(root, other, overwrite=overwrite)
    assert (other / "thesis.txt").read_text() == "mine"
    (tmp_path / "file").write_text("mine")
    with pytest.raises(UsageError):
        prepare(root, tmp_path / "file", overwrite=True)
    assert (tmp_path / "file").read_text() == "mine"


def test_nothing_is_lost_when_it_fails(photo_folder, tmp_path, monkeypatch):
    root = photo_folder({"a": 8, "b": 8})
    out = tmp_path / "data"
    first = prepare(root, out)
    before = snapshot(out)

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(tlkit.dataset.output.write, "write_table", fail)
    with pytest.raises(OSError, match="disk full"):
        prepare(root, out, seed=1, overwrite=True)
    assert snapshot(out) == before
    assert Manifest.read(out).checksum == first.checksum
    assert not list(tmp_path.glob(".data*"))


def test_places_that_must_not_be_written_to(photo_folder, tmp_path, monkeypatch):
    root = photo_folder({"a": 3, "b": 3})
    for out in (root, root / "a", root / "data", root / "a" / ".." / "new"):
        with pytest.raises(UsageError, match="is inside"):
            prepare(root, out)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="is inside"):
        prepare("photos", "photos/data")
    assert files_below(root) == {f"{n}/{n}_00{i}.png" for n in "ab" for i in range(3)}


def test_no_permission_is_told_before_the_work(photo_folder, tmp_path, monkeypatch):
    root = photo_folder({"a": 3, "b": 3})
    (tmp_path / "file").write_text("")
    monkeypatch.setattr("tlkit.dataset.formats.detect", None)  # would fail otherwise
    with pytest.raises(UsageError):
        prepare(root, tmp_path / "file" / "data")
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(DatasetError, match="no permission to read"):
        prepare(root, tmp_path / "data")


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere"
)
def test_a_folder_without_write_permission(photo_folder, tmp_path):
    root = photo_folder({"a": 3, "b": 3})
    locked = tmp_path / "locked"
    locked.mkdir()
    locked.chmod(0o500)
    with pytest.raises(UsageError, match="cannot be written to"):
        prepare(root, locked / "data")
    locked.chmod(0o700)


def test_a_source_on_another_drive(photo_folder, tmp_path, monkeypatch):
    root = photo_folder({"a": 3, "b": 3})

    def refuse(*_):
        raise ValueError("path is on mount 'D:', start on mount 'C:'")

    monkeypatch.setattr(os.path, "relpath", refuse)
    manifest = prepare(root, tmp_path / "data", near=False)
    assert manifest.info["source"]["relative"] == ""
    assert manifest.source == root


def test_moved_together(photo_folder, tmp_path):
    root = photo_folder({"a": 3, "b": 3}, tmp_path / "home" / "photos")
    prepare(root, tmp_path / "home" / "data")
    (tmp_path / "home").rename(tmp_path / "house")
    manifest = Manifest.read(tmp_path / "house" / "data")
    assert manifest.source == tmp_path / "house" / "photos"
    assert read_example(manifest.source, manifest.examples[0]).shape == (64, 64, 3)


@pytest.fixture
def records(tmp_path, draw):
    """A labelme folder: 8 photos with two things each, one with the image inside."""
    root = tmp_path / "pages"
    root.mkdir()
    for i in range(8):
        pixels = np.concatenate([draw(0, i), draw(1, i)], axis=1)
        Image.fromarray(pixels).save(root / f"{i}.png")
        shapes = [
            {"label": "disc", "points": [[0, 0], [64, 64]], "shape_type": "rectangle"},
            {"label": "bar", "points": [[64, 0], [200, 64]], "shape_type": "rectangle"},
        ]
        record: dict[str, object] = {
            "version": "5.0.1",
            "flags": {f"f{i % 2}": True},
            "shapes": shapes,
            "imagePath": f"{i}.png",
            "imageData": None,
            "imageWidth": 128,
            "imageHeight": 64,
        }
        if i == 7:
            inside = base64.b64encode((root / "7.png").read_bytes()).decode()
            (root / "7.png").unlink()
            record |= {"imageData": inside, "imagePath": "..\\lost.png"}
        (root / f"{i}.json").write_text(json.dumps(record))
    return root


def test_labelme_by_shapes(records, tmp_path, told):
    manifest = prepare(records, tmp_path / "data", label_by="shapes", progress=told)
    check_books(manifest)
    assert manifest.counts() == {
        label: {"train": 6, "val": 1, "test": 1} for label in ("bar", "disc")
    }
    assert "labelme" in told.notes[0]
    assert list(told.tasks)[:2] == ["Reading annotations", "Reading images"]
    by_path: dict[str, list[Example]] = {}
    for example in manifest.examples:
        by_path.setdefault(example.path, []).append(example)
    assert set(by_path) == {*(f"{i}.png" for i in range(7)), "7.json"}
    for examples in by_path.values():
        assert len({e.group for e in examples}) == len({e.split for e in examples}) == 1
        assert [e.box for e in examples] == [(0, 0, 64, 64), (64, 0, 128, 64)]
        assert json.loads(examples[0].shape)["shape_type"] == "rectangle"
    bar = next(e for e in manifest.examples if (e.path, e.label) == ("7.json", "bar"))
    assert read_example(manifest.source, bar).shape == (64, 64, 3)
    assert bar.annotation == "7.json"


def test_labelme_by_flags(records, tmp_path):
    manifest = prepare(records, tmp_path / "data")
    check_books(manifest)
    assert manifest.labels == ("f0", "f1")
    assert len(manifest.examples) == 8
    assert manifest.examples[0].annotation == "0.json"


def edit(path: Path, **changes) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_labelme_that_cannot_be_used(records, tmp_path):
    edit(records / "0.json", imageWidth=64, imageHeight=128)
    outside = {
        "label": "bar",
        "points": [[130, 0], [150, 9]],
        "shape_type": "rectangle",
    }
    shapes = json.loads((records / "1.json").read_text())["shapes"]
    edit(records / "1.json", shapes=[*shapes, outside, shapes[0]])
    (records / "2.png").write_bytes(b"notes")
    edit(records / "3.json", imagePath="gone.png", shapes=[])
    (records / "flags.txt").write_text("")
    shutil.copy(records / "4.png", records / "unlabeled.png")
    manifest = prepare(records, tmp_path / "data", label_by="shapes", test=0)
    check_books(manifest)
    rows = {
        (row["file"], row["reason"]) for row in table(tmp_path / "data", "rejected.csv")
    }
    assert rows == {
        ("0.json", "size-mismatch"),
        ("0.png", "size-mismatch"),
        ("1.json", "no-area"),
        ("1.json", "duplicate"),
        ("2.json", "not-an-image"),
        ("2.png", "not-an-image"),
        ("3.json", "no-shape"),
        ("3.png", "no-shape"),
        ("flags.txt", "unlabeled"),
        ("unlabeled.png", "unlabeled"),
    }


def test_labelme_image_beside_its_copy_in_the_json(records, tmp_path):
    (records / "x").mkdir()
    Image.new("RGB", (9, 9)).save(records / "x" / "lost.png")
    manifest = prepare(records, tmp_path / "data", label_by="shapes")
    check_books(manifest)
    (row,) = table(tmp_path / "data", "rejected.csv")
    assert (row["file"], row["reason"]) == ("x/lost.png", "embedded-copy")
    assert "7.json holds a copy" in row["detail"]


def test_labelme_copies_of_a_photo(records, tmp_path):
    shutil.copy(records / "0.png", records / "0 copy.png")
    shutil.copy(records / "0.json", records / "0 copy.json")
    edit(records / "0 copy.json", imagePath="0 copy.png")
    manifest = prepare(records, tmp_path / "data", label_by="shapes")
    check_books(manifest)
    assert len(manifest.examples) == 16
    assert rejected(tmp_path / "data") == {
        "0.json": "duplicate",
        "0.png": "duplicate",
    }


def test_labelme_without_labels(records, tmp_path, told):
    for path in records.glob("*.json"):
        edit(path, flags={})
    with pytest.raises(DatasetError, match="labels of 16 shapes alone") as caught:
        prepare(records, tmp_path / "data", progress=told)
    assert caught.value.hint.startswith("Add --label-by shapes for a crop of each")
    assert "Reading images" not in told.tasks
    with pytest.raises(DatasetError, match="found none") as caught:
        prepare(records, tmp_path / "data", label_by="image")
    # eight pages and the seven files that these lead to
    assert (
        "15 rejected as several-labels, such as 0.json: Labeled as 'bar', 'disc'."
        in (str(caught.value))
    )
    assert "--multi-label keeps them" in caught.value.hint
    assert told.warnings == []
    for path in records.glob("*.json"):
        edit(path, shapes=[])
    with pytest.raises(DatasetError, match="15 rejected as no-label") as caught:
        prepare(records, tmp_path / "data")
    assert caught.value.hint.startswith("Label the images")
    with pytest.raises(DatasetError, match="found none") as caught:
        prepare(records, tmp_path / "data", label_by="shapes")
    assert caught.value.hint.startswith("Draw shapes")


def test_labelme_labels_of_the_other_way_are_pointed_to(records, tmp_path):
    for path in records.glob("*.json"):
        edit(path, flags={"cat": True})
    with pytest.raises(DatasetError, match="only one, 'cat'") as caught:
        prepare(records, tmp_path / "data")
    assert caught.value.hint == "16 shape(s) are drawn on images: --label-by shapes."
    for path in records.glob("*.json"):
        edit(path, shapes=[])
    with pytest.raises(DatasetError, match="found none") as caught:
        prepare(records, tmp_path / "data", label_by="shapes")
    assert "8 image(s) have a label of their own: --label-by image" in (
        caught.value.hint
    )


def test_labelme_multi_label(records, tmp_path):
    shapes = json.loads((records / "0.json").read_text())["shapes"]
    for i in range(4):
        edit(records / f"{i}.json", shapes=shapes[:1])
    for path in records.glob("*.json"):
        edit(path, flags={})
    manifest = prepare(records, tmp_path / "data", multi_label=True, test=0)
    check_books(manifest)
    assert manifest.multi_label
    assert manifest.labels == ("bar", "disc")
    labels = [e.label for e in manifest.examples]
    assert labels == ["disc"] * 4 + ["bar|disc"] * 4
    assert manifest.examples[7].labels == ("bar", "disc")
    for counts in manifest.counts().values():
        assert counts["val"] >= 1
    assert manifest.counts()["disc"]["train"] + manifest.counts()["disc"]["val"] == 8


def test_worker_processes_import_neither_tensorflow_nor_torch(photo_folder, tmp_path):
    """A script needs no guard, and the process that prepares stays light."""
    root = photo_folder({"a é": 20, "b": 20})
    script = tmp_path / "script.py"
    script.write_text(
        "import sys\n"
        "from tlkit.dataset.prepare import prepare\n"
        f"manifest = prepare({str(root)!r}, 'data', near=False, workers=2)\n"
        "print(len(manifest.examples), {'tensorflow', 'torch'} & set(sys.modules))\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", str(script)],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(Path(module.__file__).parents[2])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("40 set()\n", "")


def test_shared_hymenoptera(shared_data, tmp_path, told):
    manifest = prepare(shared_data / "hymenoptera", tmp_path / "data", progress=told)
    check_books(manifest)
    assert manifest.counts() == {
        "ants": {"train": 124, "val": 70, "test": 0},
        "bees": {"train": 121, "val": 83, "test": 0},
    }
    # 397 photos, no two alike, and the placeholder that everybody has among them
    assert manifest.info["counts"]["near_groups"] == 0
    assert any("train/ants/imageNotFound.gif: GIF" in line for line in told.notes)


def test_shared_duplicates(shared_data, tmp_path):
    root = tmp_path / "photos"
    shutil.copytree(shared_data / "duplicates", root / "a")
    shutil.copytree(shared_data / "hymenoptera" / "val" / "bees", root / "b")
    manifest = prepare(root, tmp_path / "data")
    check_books(manifest)
    groups: dict[str, set[str]] = {}
    for row in table(tmp_path / "data", "duplicates.csv"):
        groups.setdefault(row["group"], set()).add(row["file"].removeprefix("a/"))
    together = {frozenset((x, y)) for g in groups.values() for x in g for y in g}
    found: Counter[tuple[str, bool]] = Counter()
    with (root / "a" / "truth.csv").open() as file:
        for row in csv.DictReader(file):
            pair = frozenset((row["file_a"], row["file_b"]))
            found[row["relation"], pair in together] += 1
    assert found == {
        ("exact", True): 20,
        ("near", True): 16,
        ("transformed", False): 12,
        ("not_duplicate", False): 45,
    }


def test_shared_labelme(shared_data, tmp_path):
    """Every JSON of every version serves or is listed."""
    source = shared_data / "labelme"
    manifest = prepare(
        source, tmp_path / "data", format="labelme", label_by="shapes", val=0, test=0
    )
    check_books(manifest)
    records = {p.relative_to(source).as_posix() for p in source.rglob("*.json")}
    used = {e.annotation for e in manifest.examples}
    assert len(records) == 67
    assert records - used <= set(rejected(tmp_path / "data"))
    assert len(used) >= 55
    for example in manifest.examples[::40]:
        x0, y0, x1, y1 = example.box or (0, 0, 0, 0)
        assert read_example(source, example).shape == (y1 - y0, x1 - x0, 3)
