from __future__ import annotations

import base64
import csv
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tlkit.dataset.convert import convert as module
from tlkit.dataset.convert import records
from tlkit.dataset.convert.convert import convert
from tlkit.dataset.convert.writers import WRITERS
from tlkit.dataset.prepare import prepare
from tlkit.errors import DatasetError, TlkitError, UsageError

CAT = {"label": "cat", "points": [[4, 8], [14, 28]], "shape_type": "rectangle"}
DOG = {"label": "dog", "points": [[30, 8], [50, 18]], "shape_type": "rectangle"}


@pytest.fixture
def folder(tmp_path, draw):
    """A factory: images and labelme files in a folder."""

    class Folder:
        root = tmp_path / "photos é"
        number = 0

        def image(self, name: str, **options):
            self.number += 1
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(draw(0, self.number)).save(path, **options)
            return path.read_bytes()

        def record(self, name: str, *shapes, **content) -> None:
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            image = name.split("/")[-1].replace(".json", ".png")
            whole: dict[str, object] = {
                "version": "5.1.1",
                "flags": {},
                "shapes": list(shapes),
            }
            whole |= {"imagePath": image, "imageData": None}
            path.write_text(json.dumps(whole | content))

        def both(self, name: str, *shapes, **content) -> None:
            self.image(f"{name}.png")
            self.record(f"{name}.json", *shapes, **content)

    return Folder()


def table(place, name):
    with (place / name).open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))[1:]


def tree(place):
    return {
        path.relative_to(place).as_posix(): path.read_bytes()
        for path in place.rglob("*")
        if path.is_file()
    }


def test_labelme_to_coco(folder, tmp_path, told):
    folder.both("x/1", CAT, DOG)
    folder.both("x/2", CAT, flags={"wet": True})
    folder.image("x/3.png")
    (folder.root / "x" / "4.png").write_bytes(b"no image")
    folder.record("x/4.json", CAT)
    before = tree(folder.root)
    out = tmp_path / "out"
    converted = convert(folder.root, out, to="coco", workers=0, progress=told)
    assert tree(folder.root) == before
    assert set(tree(out)) == {
        *("images/1.png", "images/2.png", "annotations/instances_default.json"),
        *("renamed_files.csv", "dropped_fields.csv", "rejected.csv", "convert.json"),
    }
    assert (out / "images" / "1.png").read_bytes() == before["x/1.png"]
    assert converted.directory == out
    assert (converted.format, converted.images) == ("coco", 2)
    assert converted.objects == {"cat": 2, "dog": 1, "wet": 0}
    assert [(r.file, r.reason) for r in converted.rejected] == [
        ("x/3.png", "unlabeled"),
        ("x/4.png", "not-an-image"),
    ]
    assert [row[:2] for row in table(out, "rejected.csv")] == [
        ["x/3.png", "unlabeled"],
        ["x/4.png", "not-an-image"],
    ]
    assert [row[:3] for row in table(out, "dropped_fields.csv")] == [
        ["2.png", "0", "labels"]
    ]
    assert len(converted.dropped) == 1
    assert told.notes == ["Read as labelme annotations, 3 of them."]
    record = json.loads((out / "convert.json").read_text())
    assert record["format"] == "coco"
    assert set(record["files"]) == set(tree(out)) - {"convert.json"}


def test_without_images(folder, tmp_path):
    folder.both("1", CAT)
    convert(folder.root, tmp_path / "out", to="coco", images="none", workers=0)
    assert not (tmp_path / "out" / "images").exists()
    assert (tmp_path / "out" / "annotations").is_dir()


@pytest.mark.parametrize("images", ["copy", "none"])
@pytest.mark.parametrize(
    ("to", "names"),
    [
        ("labelme", ["x/a.jpg", "x/a_2.png", "y/a.png"]),
        ("coco", ["images/x/a.jpg", "images/x/a_2.png", "images/y/a.png"]),
        ("yolo", ["images/x+a.jpg", "images/x+a_2.png", "images/y+a.png"]),
        ("voc", ["JPEGImages/x+a.jpg", "JPEGImages/x+a_2.png", "JPEGImages/y+a.png"]),
    ],
)
def test_the_names_that_images_get(folder, tmp_path, to, names, images):
    folder.both("x/a", CAT)
    folder.both("y/a", CAT)
    folder.image("x/a.jpg")
    folder.record("x/c.json", CAT, imagePath="a.jpg")
    (folder.root / "x" / "b.png").write_bytes(b"no image")
    folder.record("x/b.json", CAT)
    out = tmp_path / "out"
    converted = convert(folder.root, out, to=to, images=images, workers=0)
    rows = table(out, "renamed_files.csv")
    assert rows == [
        [file, name]
        for file, name in zip(["x/a.jpg", "x/a.png", "y/a.png"], names, strict=True)
    ]
    assert [list(pair) for pair in converted.names.items()] == rows
    if images == "copy":
        for file, name in rows:
            assert (out / name).read_bytes() == (folder.root / file).read_bytes()


@pytest.mark.parametrize("to", WRITERS)
def test_files_of_convert_are_none_of_the_next_source(folder, tmp_path, to):
    folder.both("1", CAT, DOG, {**CAT, "shape_type": "heart"})
    folder.both("2", CAT, DOG, flags={"wet": True})
    out = tmp_path / "out"
    assert convert(folder.root, out, to=to, workers=0).rejected
    again = convert(out, tmp_path / "again", to=to, workers=0)
    assert (again.images, again.rejected) == (2, ())
    prepare(out, tmp_path / "data", label_by="shapes", near=False, workers=0, test=0)
    assert table(tmp_path / "data", "rejected.csv") == []
    info = json.loads((tmp_path / "data" / "dataset.json").read_text())
    own = {"convert.json", "dropped_fields.csv", "rejected.csv", "renamed_files.csv"}
    assert set(info["source"]["annotation_files"]) >= own


def test_files_that_are_only_called_like_those_of_convert(folder, tmp_path):
    folder.both("1", CAT)
    (folder.root / "dropped_fields.csv").write_text("a")
    for i, text in enumerate(("{}", "[", '{"source": "", "format": "", "files": []}')):
        (folder.root / "convert.json").write_text(text)
        converted = convert(folder.root, tmp_path / f"{i}", to="coco", workers=0)
        left = {r.file for r in converted.rejected}
        assert left == {"dropped_fields.csv", *(["convert.json"] if i < 2 else [])}


def test_an_image_inside_a_json(folder, tmp_path):
    data = folder.image("x.png")
    (folder.root / "x.png").unlink()
    inside = base64.b64encode(data).decode()
    folder.record("1.json", CAT, imagePath="1.json", imageData=inside)
    convert(folder.root, tmp_path / "out", to="labelme", workers=0)
    assert (tmp_path / "out" / "1.png").read_bytes() == data
    content = json.loads((tmp_path / "out" / "1.json").read_text())
    assert (content["imagePath"], content["imageData"]) == ("1.png", None)


def test_an_image_with_an_exif_orientation(folder, tmp_path, told):
    path = folder.root / "1.jpg"
    path.parent.mkdir()
    exif = Image.Exif()
    exif[0x0112] = 6  # its left edge is the upper one
    Image.new("RGB", (40, 20)).save(path, exif=exif)
    folder.record(
        "1.json", CAT | {"points": [[1, 2], [11, 5]]},
        imagePath="1.jpg", imageWidth=40, imageHeight=20,
    )  # fmt: skip
    out = tmp_path / "out"
    convert(folder.root, out, to="coco", workers=0, progress=told)
    content = json.loads((out / "annotations" / "instances_default.json").read_text())
    (image,) = content["images"]
    assert (image["width"], image["height"]) == (20, 40)
    # (x, y) goes to (20 - y, x).
    assert content["annotations"][0]["bbox"] == [15, 1, 3, 10]
    assert told.notes[-1].startswith("1 image(s) are rotated or flipped by their EXIF")
    assert (out / "images" / "1.jpg").read_bytes() == path.read_bytes()


def test_a_record_of_another_size(folder, tmp_path):
    folder.both("1", CAT)
    folder.both("2", CAT, imageWidth=640, imageHeight=480)
    converted = convert(folder.root, tmp_path / "out", to="coco", workers=0)
    assert [(r.file, r.reason) for r in converted.rejected] == [
        ("2.json", "size-mismatch")
    ]


def test_one_file_as_the_source(folder, tmp_path):
    folder.both("1", CAT)
    folder.both("2", CAT)
    converted = convert(folder.root / "2.json", tmp_path / "out", to="coco", workers=0)
    assert converted.images == 1


@pytest.mark.parametrize("to", WRITERS)
def test_what_is_marked_to_be_ignored(folder, tmp_path, told, to):
    marks = [CAT | {"label": name} for name in ("__ignore__", "_background_")]
    flagged = DOG | {"flags": {"__ignore__": True}}
    folder.both("1", *marks, CAT, flagged, DOG | {"flags": {"__ignore__": False}})
    folder.both("2", flags={"__ignore__": True})
    out = tmp_path / "out"
    converted = convert(folder.root, out, to=to, workers=0, progress=told)
    numbers = {"cat": 1, "dog": 2, "__ignore__": 1, "_background_": 1}
    assert converted.objects == numbers
    assert list(converted.objects) == list(numbers)
    marked = [(r.obj, r.detail) for r in converted.dropped if r.field == "ignored"]
    if to == "labelme":  # whose words they are
        assert (told.warnings, marked) == ([], [])
        return
    assert marked == [
        (1, "It is marked to be ignored; written as any other __ignore__."),
        (2, "It is marked to be ignored; written as any other _background_."),
        (4, "It is marked to be ignored; written as any other dog."),
    ]
    (warning,) = told.warnings
    assert warning.startswith("3 object(s) are marked to be ignored")
    if to == "yolo":
        lines = (out / "data.yaml").read_text().splitlines()
        assert lines[-2:] == ["  2: __ignore__", "  3: _background_"]


def test_no_class_is_made_of_a_mark_on_images(folder, tmp_path, told):
    folder.both("1", CAT)
    folder.both("2", DOG, flags={"__ignore__": True})
    out = tmp_path / "out"
    converted = convert(folder.root, out, to="coco", workers=0, progress=told)
    assert list(converted.objects) == ["cat", "dog"]
    assert told.warnings == []


@pytest.mark.parametrize("kind", ["zip", "gztar"])
@pytest.mark.parametrize("images", ["copy", "none"])
def test_an_archive_in_the_current_folder(folder, tmp_path, monkeypatch, kind, images):
    folder.both("x/1", CAT, DOG)
    folder.both("y/2", CAT)
    (folder.root / "y" / "3.png").write_bytes(b"no image")
    monkeypatch.chdir(tmp_path)
    archive = Path(shutil.make_archive("lm", kind, folder.root)).name
    there = set(tmp_path.iterdir())
    converted = convert(archive, "out", to="coco", images=images, workers=0)
    assert set(tmp_path.iterdir()) == there | {tmp_path / "out"}
    assert converted.objects == {"cat": 2, "dog": 1}
    assert [(r.file, r.reason) for r in converted.rejected] == [
        ("y/3.png", "unlabeled")
    ]
    convert(folder.root, "of_folder", to="coco", images=images, workers=0)
    of_folder, of_archive = tree(tmp_path / "of_folder"), tree(tmp_path / "out")
    one, other = (json.loads(t.pop("convert.json")) for t in (of_folder, of_archive))
    assert of_archive == of_folder
    assert other == one | {"source": str(tmp_path / archive)}
    images_in = {name for name in of_archive if name.endswith(".png")}
    assert images_in == (
        {"images/x/1.png", "images/y/2.png"} if images == "copy" else set()
    )


def test_an_archive_of_class_folders(photo_folder, tmp_path):
    source = photo_folder({"disc": 2, "bar": 1})
    archive = shutil.make_archive(str(tmp_path / "photos"), "tar", source)
    converted = convert(archive, tmp_path / "out", to="labelme", workers=0)
    assert list(converted.names) == [
        *("bar/bar_000.png", "disc/disc_000.png", "disc/disc_001.png"),
    ]
    flags = json.loads((tmp_path / "out" / "disc" / "disc_000.json").read_text())
    assert flags["flags"] == {"disc": True}


def test_drawings(tmp_path):
    line = {"word": "cat", "key_id": "7", "drawing": [[[0, 255], [0, 255]]]}
    other = line | {"word": "dog", "key_id": "8"}
    file = tmp_path / "cat.ndjson"
    file.write_text(f"{json.dumps(line)}\n{json.dumps(other)}\n")
    converted = convert(file, tmp_path / "out", to="labelme", workers=0)
    assert dict(converted.names) == {p: p for p in ("cat/7.png", "dog/8.png")}
    assert (tmp_path / "out" / "cat" / "7.png").is_file()
    assert converted.rejected == ()


def test_class_folders_keep_their_labels(photo_folder, tmp_path):
    source = photo_folder({"disc": 2, "bar": 1})
    out = tmp_path / "out"
    converted = convert(source, out, to="labelme", format="folders", workers=0)
    assert converted.objects == {"bar": 0, "disc": 0}
    flags = json.loads((out / "disc" / "disc_000.json").read_text())["flags"]
    assert flags == {"disc": True}
    again = convert(out, tmp_path / "again", to="coco", workers=0)
    assert again.objects == {"bar": 0, "disc": 0}


def test_a_data_set(folder, tmp_path):
    for i in range(8):
        folder.both(f"{i}", CAT, DOG, DOG | {"label": "__ignore__"})
    for name in ("copy", "changed"):
        folder.both(name, CAT, DOG)
    data = (folder.root / "0.png").read_bytes()
    (folder.root / "copy.png").write_bytes(data)
    dataset = tmp_path / "data"
    manifest = prepare(
        folder.root, dataset, label_by="shapes", near=False, workers=0, test=0.25
    )
    folder.image("changed.png")
    converted = convert(dataset, tmp_path / "out", to="coco", workers=0)
    images = {e.path: e.split for e in manifest.examples} | {"changed.png": ""}
    found = {
        image["file_name"]: path.stem.removeprefix("instances_")
        for path in (tmp_path / "out" / "annotations").iterdir()
        for image in json.loads(path.read_text())["images"]
    }
    assert found | {"changed.png": ""} == images
    assert {"train", "test"} < set(found.values())
    # A object that is no example is still drawn on its image.
    assert list(converted.objects) == ["cat", "dog", "__ignore__"]
    assert converted.objects["__ignore__"] == 8 - ("0.png" not in found)
    assert {(r.file, r.reason) for r in converted.rejected} >= {
        ("changed.png", "changed")
    }
    left = {"0.png", "copy.png"} - set(found)
    assert {r.file for r in converted.rejected if r.reason == "left-out"} == left


def test_a_data_set_of_class_folders(prepared, tmp_path):
    convert(prepared.directory, tmp_path / "out", to="labelme", workers=0)
    files = [p for p in (tmp_path / "out").rglob("*.json") if p.name != "convert.json"]
    assert len(files) == len(prepared.examples) == 42
    content = json.loads((tmp_path / "out" / "bar" / "bar 00 é.json").read_text())
    assert content["flags"] == {"bar": True}
    (example,) = [e for e in prepared.examples if e.path == "bar/bar 00 é.png"]
    assert content["tlkit"]["split"] == example.split


def test_a_table_with_columns_of_other_names(folder, tmp_path):
    for name in "ab":
        folder.image(f"{name}.png")
    rows = "bild;art\na.png;cat, dog\nb.png;pig\n"
    (folder.root / "liste.csv").write_text(rows, encoding="utf-8")
    out = tmp_path / "out"
    options: dict[str, Any] = {"to": "labelme", "format": "csv", "separator": ","}
    with pytest.raises(DatasetError, match="column") as caught:
        convert(folder.root, out, **options)
    assert "--column" in caught.value.hint
    convert(folder.root, out, columns={"path": "bild", "label": "art"}, **options)
    flags = {
        name: json.loads((out / f"{name}.json").read_text())["flags"] for name in "ab"
    }
    assert flags == {"a": {"cat": True, "dog": True}, "b": {"pig": True}}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"to": "cocoo"}, "Did you mean coco"),
        ({"to": "coco", "format": "lableme"}, "Did you mean labelme"),
        ({"to": "coco", "images": "link"}, "Unknown value of images"),
    ],
)
def test_options_that_cannot_be_meant(folder, tmp_path, options, words):
    folder.both("1", CAT)
    with pytest.raises(UsageError, match=words):
        convert(folder.root, tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


def test_places_that_must_not_be_written_to(folder, tmp_path):
    folder.both("1", CAT)
    with pytest.raises(UsageError, match="is inside"):
        convert(folder.root, folder.root / "out", to="coco")
    with pytest.raises(UsageError, match="is inside"):
        convert(folder.root / "1.json", folder.root / "out", to="coco")
    with pytest.raises(UsageError, match="would be replaced"):
        convert(folder.root, tmp_path, to="coco", overwrite=True)
    archive = shutil.make_archive(str(tmp_path / "photos"), "zip", folder.root)
    with pytest.raises(UsageError, match="would be replaced"):
        convert(archive, tmp_path, to="coco", overwrite=True)
    with pytest.raises(DatasetError, match="does not exist"):
        convert(tmp_path / "gone", tmp_path / "out", to="coco")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.txt").touch()
    with pytest.raises(UsageError, match="not a folder that convert made"):
        convert(folder.root, tmp_path / "other", to="coco", overwrite=True)
    assert (tmp_path / "other" / "thesis.txt").exists()


def test_an_earlier_folder(folder, tmp_path):
    folder.both("1", CAT)
    out = tmp_path / "out"
    convert(folder.root, out, to="coco", workers=0)
    before = tree(out)
    with pytest.raises(UsageError, match="add --overwrite"):
        convert(folder.root, out, to="labelme", workers=0)
    (out / "notes.txt").touch()
    with pytest.raises(UsageError, match=r"did not write: notes\.txt"):
        convert(folder.root, out, to="labelme", workers=0, overwrite=True)
    (out / "notes.txt").unlink()
    assert tree(out) == before
    convert(folder.root, out, to="labelme", workers=0, overwrite=True)
    assert set(tree(out)) == {
        *(
            "1.png",
            "1.json",
            "renamed_files.csv",
            "dropped_fields.csv",
            "rejected.csv",
            "convert.json",
        ),
    }
    (out / "convert.json").write_text("[]")
    with pytest.raises(UsageError, match="did not write"):
        convert(folder.root, out, to="labelme", workers=0, overwrite=True)


def test_the_images_of_a_data_set_are_not_replaced(folder, tmp_path):
    for i in range(6):
        folder.both(f"{i}", CAT, DOG)
    first = tmp_path / "first"
    convert(folder.root, first, to="labelme", workers=0)
    prepare(first, tmp_path / "data", label_by="shapes", near=False, workers=0)
    with pytest.raises(UsageError, match="would be replaced"):
        convert(tmp_path / "data", first, to="coco", overwrite=True)
    assert (first / "1.png").exists()


def test_whole_or_not_at_all(folder, tmp_path, monkeypatch):
    folder.both("1", CAT)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(TlkitError, match="No space left on device"):
        convert(folder.root, tmp_path / "out", to="coco", workers=0)
    assert [path.name for path in tmp_path.iterdir()] == [folder.root.name]


def test_an_image_that_goes_or_changes_meanwhile(folder, tmp_path, monkeypatch):
    for name in ("1", "2", "3"):
        folder.both(name, CAT)
    plain = records.make_images

    def meanwhile(*arguments):
        (folder.root / "1.png").unlink()
        folder.image("2.png")
        return plain(*arguments)

    monkeypatch.setattr(module, "make_images", meanwhile)
    converted = convert(folder.root, tmp_path / "out", to="labelme", workers=0)
    assert converted.images == 1
    assert [(r.file, r.reason) for r in converted.rejected] == [
        ("1.png", "missing"),
        ("2.png", "changed"),
    ]
    assert not (tmp_path / "out" / "1.json").exists()
