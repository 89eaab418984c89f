"""From a data set to a work folder, through labelme's hands, and back in."""

from __future__ import annotations

import base64
import csv
import importlib.metadata
import importlib.util
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import tlkit
from tlkit.dataset.annotate import folder as work
from tlkit.dataset.annotate.annotate import labelme_command, write_folder
from tlkit.dataset.annotate.select import select
from tlkit.dataset.annotations.annotations_file import read_annotations
from tlkit.dataset.manifest import Manifest
from tlkit.errors import DatasetError, UsageError


def prepare(root, out, **options):
    return tlkit.prepare(root, out, near=False, workers=0, **options)


def rejected(manifest):
    with (manifest.directory / "rejected.csv").open(encoding="utf-8") as file:
        return {(row["file"], row["reason"]) for row in csv.DictReader(file)}


def save(path: Path, pixels, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)


def edit(folder: Path, name: str, *flags: str, **content):
    """Save a JSON as labelme does: all of it again, its own version in it."""
    (path,) = folder.glob(f"*{name}.json")
    saved = json.loads(path.read_text(encoding="utf-8"))
    if flags:
        names = {*saved["flags"], *flags}
        saved["flags"] = {flag: flag in flags for flag in names}
    text = json.dumps(saved | content | {"version": "5.11.4"}, ensure_ascii=False)
    path.write_text(text, encoding="utf-8")


@pytest.fixture
def mess(photo_folder, draw):
    """Class folders with a conflict, a loose image and a broken one."""
    root = photo_folder({"disc": 8, "bar": 8})
    save(root / "disc" / "one of two.png", draw(2, 0))
    save(root / "bar" / "-é.png", draw(2, 0))
    save(root / "loose.png", draw(2, 5))
    (root / "broken.jpg").write_bytes(b"x")
    (root / "readme.txt").write_text("read me")
    return root


def test_what_is_chosen(mess, tmp_path):
    manifest = prepare(mess, tmp_path / "data")
    conflict = ["bar/-é.png", "disc/one of two.png"]
    assert select(manifest, "conflicts") == conflict
    assert select(manifest, "unlabeled") == ["broken.jpg", "loose.png"]
    both = [*conflict, "broken.jpg", "loose.png"]
    assert sorted(select(manifest, "rejected")) == sorted(both)


def test_an_annotation_folder(mess, tmp_path):
    manifest = prepare(mess, tmp_path / "data")
    before = {p: p.read_bytes() for p in mess.rglob("*") if p.is_file()}
    made = tlkit.annotate(tmp_path / "data", tmp_path / "work")
    assert (made.directory, made.images) == (tmp_path / "work", 3)
    assert [(r.file, r.reason) for r in made.unreadable] == [
        ("broken.jpg", "not-an-image")
    ]
    names = sorted(path.name for path in made.directory.iterdir())
    assert names == [
        *("0001 -é.json", "0001 -é.png", "0002 one of two.json", "0002 one of two.png"),
        *("0003 loose.json", "0003 loose.png"),
        *("annotate.json", "flags.txt", "labels.txt"),
    ]
    record = json.loads((made.directory / "0002 one of two.json").read_text())
    assert record["flags"] == {"bar": False, "disc": True, "__ignore__": False}
    assert record["imagePath"] == "0002 one of two.png"
    assert (record["imageData"], record["shapes"]) == (None, [])
    assert (record["imageWidth"], record["imageHeight"]) == (64, 64)
    shown = (made.directory / record["imagePath"]).read_bytes()
    assert shown == (mess / "disc" / "one of two.png").read_bytes()
    loose = json.loads((made.directory / "0003 loose.json").read_text())
    assert loose["flags"] == {"bar": False, "disc": False, "__ignore__": False}
    assert (made.directory / "flags.txt").read_text() == "bar\ndisc\n__ignore__\n"
    assert (made.directory / "labels.txt").read_text() == "bar\ndisc\n"
    assert {p: p.read_bytes() for p in mess.rglob("*") if p.is_file()} == before
    again = prepare(mess, tmp_path / "data", corrections=made.directory)
    assert again.checksum == manifest.checksum  # nothing was changed
    assert again.info["options"]["corrections"] == str(made.directory)


def test_a_conflict_is_settled(mess, tmp_path):
    prepare(mess, tmp_path / "data")
    folder = tmp_path / "work"
    tlkit.annotate(tmp_path / "data", folder, select="conflicts")
    edit(folder, "-é", "disc")
    manifest = prepare(mess, tmp_path / "data", corrections=folder)
    found = {e.path: e.label for e in manifest.examples}
    assert found["bar/-é.png"] == "disc"
    assert ("disc/one of two.png", "duplicate") in rejected(manifest)
    assert manifest.info["counts"]["conflicts"] == 0
    edit(folder, "-é", "__ignore__")
    manifest = prepare(mess, tmp_path / "data", corrections=folder)
    found = {e.path: e.label for e in manifest.examples}
    assert found["disc/one of two.png"] == "disc"
    assert ("bar/-é.png", "ignored") in rejected(manifest)
    assert manifest.info["counts"]["conflicts"] == 0


def test_corrections_hold_ever_after(mess, tmp_path, told):
    prepare(mess, tmp_path / "data")
    folder = tmp_path / "work"
    tlkit.annotate(tmp_path / "data", folder, select="conflicts")
    edit(folder, "-é", "disc")
    first = prepare(mess, tmp_path / "data", corrections=folder)
    shutil.rmtree(folder)
    again = prepare(mess, tmp_path / "data", progress=told)
    assert again.checksum == first.checksum
    assert "1 image(s) stay corrected as they were before." in told.notes

    # A second round adds to the first.
    tlkit.annotate(tmp_path / "data", folder, select="unlabeled")
    edit(folder, "loose", "bar")
    both = prepare(mess, tmp_path / "data", corrections=folder)
    found = {e.path: e.label for e in both.examples}
    assert (found["bar/-é.png"], found["loose.png"]) == ("disc", "bar")
    # Only a new data set forgets.
    again = prepare(mess, tmp_path / "data", overwrite=True)
    assert again.info["counts"]["conflicts"] > 0
    assert not (tmp_path / "data" / "corrections.jsonl").exists()


def test_kept_corrections_that_were_changed(mess, tmp_path):
    prepare(mess, tmp_path / "data")
    (tmp_path / "data" / "corrections.jsonl").write_text('{"record": 3}')
    with pytest.raises(DatasetError, match=r"corrections\.jsonl is damaged"):
        prepare(mess, tmp_path / "data")


def test_a_loose_image_gets_a_class(mess, tmp_path):
    prepare(mess, tmp_path / "data")
    folder = tmp_path / "work"
    tlkit.annotate(tmp_path / "data", folder, select="unlabeled")
    edit(folder, "loose", "bar")
    manifest = prepare(mess, tmp_path / "data", corrections=folder)
    assert {e.path: e.label for e in manifest.examples}["loose.png"] == "bar"
    assert ("loose.png", "no-class-folder") not in rejected(manifest)
    assert ("broken.jpg", "no-class-folder") in rejected(manifest)


def test_what_is_no_decision_changes_nothing(mess, tmp_path):
    manifest = prepare(mess, tmp_path / "data")
    folder = tmp_path / "work"
    tlkit.annotate(tmp_path / "data", folder)
    edit(folder, "loose", flags={"bar": False, "disc": "true"})
    edit(folder, "-é", flags=None, imagePath="elsewhere.png")
    (folder / "0002 one of two.json").write_text("{")
    again = prepare(mess, tmp_path / "data", corrections=folder)
    assert again.checksum == manifest.checksum
    assert any("Not JSON" in line for line in again.info["warnings"])
    (folder / "0002 one of two.json").unlink()
    again = prepare(mess, tmp_path / "data", corrections=folder)
    assert again.checksum == manifest.checksum


def test_what_is_no_decision_is_told(mess, tmp_path, told):
    prepare(mess, tmp_path / "data")
    folder = tmp_path / "work"
    tlkit.annotate(tmp_path / "data", folder)
    edit(folder, "-é", flags={"bar": False, "disc": False, "__ignore__": False})
    (folder / "0002 one of two.json").unlink()
    edit(folder, "loose", flags={"bar": False, "disc": "true"})
    prepare(mess, tmp_path / "data", corrections=folder, progress=told)
    assert told.warnings[:3] == [
        f"{folder}/0001 -é.json (bar/-é.png): No flag is set any more; the label "
        "stays. Set __ignore__ to leave it out.",
        f"{folder}/0002 one of two.json (disc/one of two.png): There is no such file. "
        "It is skipped.",
        f"{folder}/0003 loose.json (loose.png): Its flag 'disc' is neither true nor "
        "false; it counts as not set.",
    ]
    assert f"0 image(s) corrected by {folder}." in told.notes
    for flags, said in ((7, "7"), (None, "null"), (["disc"], '["disc"]')):
        edit(folder, "loose", flags=flags, shapes=flags)
        told.warnings.clear()
        prepare(mess, tmp_path / "data", corrections=folder, progress=told)
        where = f"{folder}/0003 loose.json (loose.png)"
        line = f"{where}: Its flags are {said}, not a labelme mapping; the label stays."
        assert told.warnings[2] == line
    others: list[object] = [[], {}, 3]
    for content in others:
        (folder / "0003 loose.json").write_text(json.dumps(content))
        told.warnings.clear()
        prepare(mess, tmp_path / "data", corrections=folder, progress=told)
        assert told.warnings[2].endswith("not as labelme writes it. It is skipped.")


def test_shapes_on_images_that_are_labeled_as_a_whole(drawn, tmp_path, told):
    for i in range(10):
        path = drawn / f"{i}.json"
        content = json.loads(path.read_text())
        kinds = ("cat", "dog") if i == 4 else (("cat", "dog")[i % 2],)
        content["shapes"] = [shape(kind, [4, 4], [30, 20]) for kind in kinds]
        path.write_text(json.dumps(content))
    manifest = prepare(drawn, tmp_path / "data", label_by="image", test=0)
    folder = tmp_path / "work"
    tlkit.annotate(tmp_path / "data", folder)
    edit(folder, " 4", shapes=[shape("cat", [1, 1], [9, 9])])
    options = {"label_by": "image", "test": 0, "corrections": folder}
    again = prepare(drawn, tmp_path / "data", **options, progress=told)
    assert again.checksum == manifest.checksum
    assert any("shapes change nothing" in line for line in told.warnings)
    assert f"0 image(s) corrected by {folder}." in told.notes
    edit(folder, " 4", "dog")
    again = prepare(drawn, tmp_path / "data", **options, progress=told)
    assert {e.path: e.label for e in again.examples}["4.jpg"] == "dog"
    assert f"1 image(s) corrected by {folder}." in told.notes
    (kept,) = (p for p in read_annotations(again.directory) if p.path == "4.jpg")
    assert [obj.label for obj in kept.objects] == ["cat", "dog"]


def test_flags_on_images_whose_shapes_are_labeled(drawn, tmp_path, told):
    manifest = prepare(drawn, tmp_path / "data", label_by="shapes")
    folder = tmp_path / "work"
    tlkit.annotate(tmp_path / "data", folder)
    edit(folder, " 0", "cat")
    edit(folder, " 3", shapes=7)
    options = {"label_by": "shapes", "corrections": folder}
    again = prepare(drawn, tmp_path / "data", **options, progress=told)
    assert again.checksum == manifest.checksum
    assert f"0 image(s) corrected by {folder}." in told.notes
    assert [line.partition("): ")[2] for line in told.warnings[:2]] == [
        "Shapes have the labels here; of flags only __ignore__ counts.",
        "Its shapes are 7, not a labelme list; the shapes stay.",
    ]
    edit(folder, " 0", "cat", "__ignore__")
    again = prepare(drawn, tmp_path / "data", **options, progress=told)
    assert ("0.json", "ignored") in rejected(again)


def test_corrections_of_other_photos(mess, tmp_path, photo_folder):
    prepare(mess, tmp_path / "data")
    folder = tmp_path / "work"
    tlkit.annotate(tmp_path / "data", folder)
    edit(folder, "loose", "bar")
    other = photo_folder({"disc": 6, "bar": 6}, where=tmp_path / "other")
    with pytest.raises(DatasetError, match=r"None of the 1 image\(s\)"):
        prepare(other, tmp_path / "second", corrections=folder)
    edit(folder, "-é", "disc")
    (mess / "loose.png").unlink()
    manifest = prepare(mess, tmp_path / "data", corrections=folder)
    assert any("no longer there" in line for line in manifest.info["warnings"])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"images": 3}',
        '{"images": {"a.json": {}}}',
        '{"images": {"../a.json": {"path": "a", "flags": [], "shapes": ""}}}',
    ],
)
def test_no_annotation_folder(mess, tmp_path, text):
    (tmp_path / "annotate.json").write_text(text)
    with pytest.raises(UsageError, match=r"not an annotation folder"):
        prepare(mess, tmp_path / "data", corrections=tmp_path)


def test_places_that_must_not_be_written_to(mess, tmp_path):
    prepare(mess, tmp_path / "data")
    for place in (mess / "work", tmp_path / "data" / "work", mess):
        with pytest.raises(UsageError, match="lies within"):
            tlkit.annotate(tmp_path / "data", place)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").touch()
    with pytest.raises(UsageError, match="not a folder of tlkit annotate"):
        tlkit.annotate(tmp_path / "data", tmp_path / "full", overwrite=True)
    tlkit.annotate(tmp_path / "data", tmp_path / "work")
    with pytest.raises(UsageError, match="exists already"):
        tlkit.annotate(tmp_path / "data", tmp_path / "work")
    tlkit.annotate(tmp_path / "data", tmp_path / "work", overwrite=True)


def test_nothing_to_do(photo_folder, tmp_path):
    prepare(photo_folder({"disc": 8, "bar": 8}), tmp_path / "data")
    made = tlkit.annotate(tmp_path / "data", tmp_path / "work")
    assert made.images == 0
    assert not made.directory.exists()


def test_options_that_cannot_be_meant(mess, tmp_path):
    with pytest.raises(UsageError, match="conflicts"):
        tlkit.annotate(tmp_path, tmp_path / "work", select="conflict")
    with pytest.raises(UsageError, match="--run FOLDER"):
        tlkit.annotate(tmp_path, tmp_path / "work", select="errors")
    with pytest.raises(UsageError, match="--run FOLDER"):
        tlkit.annotate(tmp_path, tmp_path / "work", run=tmp_path)


def shape(label, *points, kind="rectangle", **content):
    return {"label": label, "points": points, "shape_type": kind} | content


@pytest.fixture
def drawn(tmp_path, draw):
    """labelme pages with shapes; one image is inside its JSON, one lies turned."""
    root = tmp_path / "drawn"
    for i in range(10):
        name, exif = f"{i}.jpg", Image.Exif()
        exif[0x0112] = 6 if i == 1 else 1
        save(root / name, draw(i % 3, i)[:48], exif=exif)
        shapes = [shape("cat", [4, 4], [30, 20]), shape("dog", [30, 30], [60, 47])]
        content: dict[str, Any] = {"imagePath": name, "imageData": None}
        content["shapes"] = shapes
        if i == 0:
            content["shapes"].append(shape("cat", [1, 1], kind="point"))
        if i == 2:
            data = (root / name).read_bytes()
            content |= {"imageData": base64.b64encode(data).decode()}
            (root / name).unlink()
            content["shapes"] = [shape("a\nb", [4, 4], [30, 20])]
        if i == 3:
            content["shapes"] = []
        size = (48, 64) if i == 1 else (64, 48)
        content |= {"flags": {}, "imageWidth": size[0], "imageHeight": size[1]}
        (root / f"{i}.json").write_text(json.dumps(content))
    return root


def test_shapes_are_corrected(drawn, tmp_path):
    manifest = prepare(drawn, tmp_path / "data", label_by="shapes")
    assert select(manifest, "rejected") == ["0.jpg", "2.json", "3.jpg"]
    folder = tmp_path / "work"
    tlkit.annotate(tmp_path / "data", folder)
    record = json.loads((folder / "0001 0.json").read_text())
    assert record["flags"] == {"__ignore__": False}
    assert [s["label"] for s in record["shapes"]] == ["cat", "dog", "cat"]
    assert not (folder / "0002 2.jpg").is_symlink()
    again = prepare(drawn, tmp_path / "data", label_by="shapes", corrections=folder)
    assert again.checksum == manifest.checksum
    edit(folder, " 0", shapes=[shape("dog", [2, 2], [22, 42], kind="rectangle")])
    edit(folder, " 2", shapes=[shape("cat", [5, 5], [25, 35]), shape("cat", [1, 1])])
    edit(folder, " 3", "__ignore__")
    again = prepare(drawn, tmp_path / "data", label_by="shapes", corrections=folder)
    boxes: dict[str, list[object]] = {}
    for example in again.examples:
        boxes.setdefault(example.path, []).append((example.label, example.box))
    assert boxes["0.jpg"] == [("dog", (2, 2, 22, 42))]
    assert boxes["2.json"] == [("cat", (5, 5, 25, 35))]
    assert "3.jpg" not in boxes
    assert {("3.json", "ignored"), ("2.json", "bad-points")} <= rejected(again)
    assert ("2.json", "bad-label") not in rejected(again)


@pytest.fixture
def spoilt(drawn, draw):
    """Of the drawn pages 4 is truncated, 5 empty, 6 and 7 drawn on other pixels."""
    (drawn / "4.jpg").write_bytes((drawn / "4.jpg").read_bytes()[:500])
    (drawn / "5.jpg").write_bytes(b"")
    for i in (6, 7):
        content = json.loads((drawn / f"{i}.json").read_text())
        content |= {"imageWidth": 100, "imageHeight": 99}
        if i == 7:  # the image is in the JSON alone
            data = (drawn / "7.jpg").read_bytes()
            content |= {"imageData": base64.b64encode(data).decode()}
            (drawn / "7.jpg").unlink()
        (drawn / f"{i}.json").write_text(json.dumps(content))
    return drawn


def test_what_is_not_offered_is_told(spoilt, tmp_path):
    manifest = prepare(spoilt, tmp_path / "data", label_by="shapes")
    made = tlkit.annotate(tmp_path / "data", tmp_path / "work")
    assert select(manifest, "rejected") == [
        *("0.jpg", "2.json", "3.jpg", "6.jpg", "7.json")
    ]
    assert (made.images, made.unreadable) == (5, ())
    left = {(r.file, r.reason) for r in made.left_out}
    assert left == {
        *(("4.jpg", "truncated"), ("4.json", "truncated")),
        *(("5.jpg", "empty"), ("5.json", "empty")),
    }
    unlabeled = tmp_path / "unlabeled"
    assert (
        tlkit.annotate(tmp_path / "data", unlabeled, select="unlabeled").left_out == ()
    )


def test_a_flag_mends_nothing_that_was_drawn_on_other_pixels(spoilt, tmp_path):
    for i in range(10):
        content = json.loads((spoilt / f"{i}.json").read_text())
        content["flags"] = {"cat": i % 2 == 0, "dog": i % 2 == 1}
        (spoilt / f"{i}.json").write_text(json.dumps(content))
    manifest = prepare(spoilt, tmp_path / "data")
    assert select(manifest, "rejected") == ["2.json"]
    made = tlkit.annotate(tmp_path / "data", tmp_path / "work")
    assert ("6.jpg", "size-mismatch") in {(r.file, r.reason) for r in made.left_out}


def test_what_was_drawn_on_other_pixels_is_drawn_again(spoilt, tmp_path):
    prepare(spoilt, tmp_path / "data", label_by="shapes")
    tlkit.annotate(tmp_path / "data", tmp_path / "work")
    for name in (" 6", " 7"):
        edit(tmp_path / "work", name, shapes=[shape("cat", [10, 20], [40, 45])])
    again = prepare(
        spoilt, tmp_path / "data", label_by="shapes", corrections=tmp_path / "work"
    )
    found = {e.path: (e.label, e.box) for e in again.examples}
    assert found["6.jpg"] == found["7.json"] == ("cat", (10, 20, 40, 45))
    assert "size-mismatch" not in {reason for _, reason in rejected(again)}


def test_a_turned_image_is_corrected_upright(drawn, tmp_path):
    manifest = prepare(drawn, tmp_path / "data", label_by="shapes")
    made = write_folder(manifest, tmp_path / "work", ["1.jpg"])
    record = json.loads((made.directory / "0001 1.json").read_text())
    assert (record["imageWidth"], record["imageHeight"]) == (48, 64)
    edit(made.directory, " 1", shapes=[shape("cat", [10, 20], [40, 60])])
    again = prepare(
        drawn, tmp_path / "data", label_by="shapes", corrections=made.directory
    )
    found = [e.box for e in again.examples if e.path == "1.jpg"]
    assert found == [(10, 20, 40, 60)]


def test_boxes_of_yolo_are_corrected_in_pixels(tmp_path, draw):
    photos = tmp_path / "photos"
    for i in range(8):
        save(photos / f"{i}.png", draw(0, i))
        (photos / f"{i}.txt").write_text(f"{i % 2} 0.5 0.5 0.5 0.5\n")
    (photos / "classes.txt").write_text("cat\ndog\n")
    options = {"label_by": "shapes", "val": 0.25, "test": 0}
    manifest = prepare(photos, tmp_path / "data", **options)
    made = write_folder(manifest, tmp_path / "work", ["1.png"])
    edit(made.directory, " 1", shapes=[shape("cat", [10, 20], [40, 60])])
    again = prepare(photos, tmp_path / "data", **options, corrections=made.directory)
    boxes = {e.path: (e.label, e.box) for e in again.examples}
    assert boxes["1.png"] == ("cat", (10, 20, 40, 60))
    assert boxes["3.png"] == ("dog", (16, 16, 48, 48))


def test_flags_where_shapes_had_told_the_label(drawn, tmp_path):
    for i in range(10):
        path = drawn / f"{i}.json"
        content = json.loads(path.read_text())
        kinds = ("cat", "dog") if i == 4 else (("cat", "dog")[i % 2],)
        content["shapes"] = [shape(kind, [4, 4], [30, 20]) for kind in kinds]
        path.write_text(json.dumps(content))
    manifest = prepare(drawn, tmp_path / "data", label_by="image", test=0)
    assert select(manifest, "rejected") == ["4.jpg"]
    folder = tmp_path / "work"
    tlkit.annotate(tmp_path / "data", folder)
    record = json.loads((folder / "0001 4.json").read_text())
    assert record["flags"] == {"cat": True, "dog": True, "__ignore__": False}
    edit(folder, " 4", "dog")
    again = prepare(
        drawn, tmp_path / "data", label_by="image", test=0, corrections=folder
    )
    labels = {e.path: e.label for e in again.examples}
    assert labels["4.jpg"] == "dog"
    assert len(labels) == 10  # the others are still told by their shapes
    (kept,) = (p for p in read_annotations(again.directory) if p.path == "4.jpg")
    assert [obj.label for obj in kept.objects] == ["cat", "dog"]


def test_flags_of_labelme_are_known(drawn, tmp_path):
    for i in range(10):
        path = drawn / f"{i}.json"
        flags = {"cat": i % 2 == 0, "dog": i % 2 == 1 or i == 4}
        content = json.loads(path.read_text()) | {"flags": flags, "shapes": []}
        path.write_text(json.dumps(content))
    prepare(drawn, tmp_path / "data", test=0)
    folder = tmp_path / "work"
    tlkit.annotate(tmp_path / "data", folder)
    record = json.loads((folder / "0001 4.json").read_text())
    assert record["flags"] == {"cat": True, "dog": True, "__ignore__": False}
    edit(folder, " 4", "cat")
    again = prepare(drawn, tmp_path / "data", test=0, corrections=folder)
    assert {e.path: e.label for e in again.examples}["4.jpg"] == "cat"
    (kept,) = (p for p in read_annotations(again.directory) if p.path == "4.jpg")
    assert kept.attributes["flags"]["dog"] is False


def test_images_labelme_would_show_otherwise_are_converted(mess, tmp_path, draw):
    alpha = np.dstack([draw(0, 70), np.full((64, 64), 99, np.uint8)])
    save(mess / "alpha.png", alpha)
    save(mess / "wrong.jpg", draw(0, 71), format="PNG")
    save(mess / "odd\nname .webp", draw(0, 72), lossless=True)
    manifest = prepare(mess, tmp_path / "data")
    made = write_folder(manifest, tmp_path / "work", ["alpha.png", "wrong.jpg"])
    with Image.open(made.directory / "0001 alpha.png") as shown:
        assert shown.mode == "RGB"
    assert not (made.directory / "0002 wrong.png").is_symlink()
    made = write_folder(manifest, tmp_path / "second", ["odd\nname .webp"])
    assert (made.directory / "0001 odd_name.png").is_file()


def test_where_links_cannot_be_made(mess, tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError("no privilege")

    monkeypatch.setattr(Path, "symlink_to", refuse)
    manifest = prepare(mess, tmp_path / "data")
    made = write_folder(manifest, tmp_path / "work", ["loose.png"])
    copy = made.directory / "0001 loose.png"
    assert not copy.is_symlink()
    assert copy.read_bytes() == (mess / "loose.png").read_bytes()


def test_an_annotation_of_several_images_stands_for_none(tmp_path, draw):
    entries = {}
    for i in range(10):
        save(tmp_path / "photos" / f"{i}.png", draw(i % 2, i))
        regions = [
            {
                "shape_attributes": {"name": "rect", "x": 2, "y": 3}
                | {"width": 20, "height": 30 if i else "x"},
                "region_attributes": {"kind": ("cat", "dog")[i % 2]} if i != 5 else {},
            }
        ]
        entries[str(i)] = {"filename": f"{i}.png", "regions": regions}
    (tmp_path / "photos" / "via.json").write_text(json.dumps(entries))
    manifest = prepare(tmp_path / "photos", tmp_path / "data", label_by="shapes")
    assert ("via.json", "bad-points") in rejected(manifest)
    assert select(manifest, "rejected") == ["0.png", "5.png"]


@pytest.mark.parametrize(
    ("version", "extra"),
    [("5.4.1", ["--nodata", "--autosave"]), ("6.3.1", []), ("7.9.1", [])],
)
def test_how_labelme_is_started(tmp_path, monkeypatch, version, extra):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name)
    monkeypatch.setattr(importlib.metadata, "version", lambda name: version)
    files = ["--flags", str(tmp_path / "flags.txt")]
    files += ["--labels", str(tmp_path / "labels.txt")]
    assert labelme_command(tmp_path) == [
        *(sys.executable, "-m", "labelme", str(tmp_path), *files, *extra)
    ]


def test_labelme_from_elsewhere(tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(shutil, "which", lambda name: f"/bin/{name}")
    command = labelme_command(tmp_path)
    assert command is not None
    assert command[:2] == ["/bin/labelme", str(tmp_path)]
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert labelme_command(tmp_path) is None


def test_the_state_of_anything():
    nothing = work.state_of({"flags": {}, "shapes": []})
    contents: list[object] = [None, [], {}, {"flags": [], "shapes": {}}]
    for content in (*contents, {"flags": {"a": 1}}):
        assert work.state_of(content) == nothing
    one = work.state_of({"shapes": [shape("a", [1, 2.001], [3, 4])]})
    assert one == work.state_of({"shapes": [shape("a", [1.0, 2], [3, 4.04])]})
    others: list[object] = [3, {}, shape("a", [1, 2], [3, 5])]
    for odd in (*others, shape("b", [1, 2], [3, 4])):
        assert work.state_of({"shapes": [odd]}) != one


def test_tables_that_were_damaged(mess, tmp_path):
    manifest = prepare(mess, tmp_path / "data")
    (tmp_path / "data" / "rejected.csv").write_bytes(b"\xff\xfe")
    with pytest.raises(DatasetError, match=r"rejected\.csv cannot be read"):
        select(manifest, "rejected")
    assert Manifest.read(tmp_path / "data").checksum == manifest.checksum
