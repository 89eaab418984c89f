from __future__ import annotations

import base64
import io
import json

import pytest
from PIL import Image

from tlkit.dataset import images
from tlkit.dataset.sources.labelme import read
from tlkit.progress import Silent

RECTANGLE = {"label": "cat", "points": [[1, 2], [30, 40]], "shape_type": "rectangle"}


def png(pixels) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def folder(tmp_path, draw):
    """A factory: picture and annotation files in a folder."""

    class Folder:
        root = tmp_path / "photos é"
        data = png(draw(0, 0))

        def picture(self, name: str) -> None:
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(self.data)

        def page(self, name: str, **content) -> None:
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            plain: dict[str, object] = {
                "version": "5.1.1",
                "flags": {"cat": True},
                "shapes": [],
            }
            plain |= {"imagePath": name.split("/")[-1].replace(".json", ".png")}
            plain |= {"imageData": None, "imageWidth": 64, "imageHeight": 64}
            path.write_text(json.dumps(plain | content))

        def read(self, label_by: str = "image"):
            return read(self.root, label_by, workers=0, progress=Silent())

    return Folder()


def rows(scan):
    return [(a.path, a.label, a.annotation) for a in scan.annotations]


def reasons(scan):
    return {r.file: r.reason for r in scan.rejected}


def test_flags(folder):
    cases: list[object] = [
        {"cat": True, "dog": False, "__ignore__": False},
        {"dog": True},
        {"cat": True, "dog": True},
        {"cat": False},
        {},
        None,
        {"__ignore__": True, "cat": True},
        {"cat": 1},
        {"a\nb": True},
        [],
    ]
    for i, flags in enumerate(cases):
        folder.picture(f"{i}.png")
        folder.page(f"{i}.json", flags=flags)
    scan = folder.read()
    assert rows(scan) == [("0.png", "cat", "0.json"), ("1.png", "dog", "1.json")]
    assert reasons(scan) == {
        "2.json": "several-flags",
        "3.json": "no-flag",
        "4.json": "no-flag",
        "5.json": "no-flag",
        "6.json": "ignored",
        "7.json": "no-flag",
        "8.json": "bad-label",
        "9.json": "no-flag",
    }
    assert scan.named["5.png"] == "5.json"
    assert scan.warnings == ()
    assert scan.annotations[0].size == (64, 64)


def test_shapes(folder):
    folder.picture("a.png")
    point = {"label": "dog", "points": [[1, 2]], "shape_type": "point"}
    folder.page("a.json", shapes=[RECTANGLE, point], flags=None)
    folder.page("b.json", shapes=[])
    scan = folder.read("shapes")
    assert rows(scan) == [("a.png", "cat", "a.json")]
    assert scan.annotations[0].box == (1, 2, 30, 40)
    assert [(r.file, r.reason, r.detail) for r in scan.rejected] == [
        ("a.json", "no-area", "Shape 2: dog is a point of 1 point(s)."),
        ("b.json", "no-shape", "It has no shapes."),
    ]


def test_labels_of_the_other_way_are_pointed_to(folder):
    folder.picture("a.png")
    assert "--from folders" in folder.read().hint
    folder.page("a.json", shapes=[RECTANGLE, RECTANGLE], flags={"cat": False})
    scan = folder.read()
    assert "2 shape(s): --label-by shapes" in scan.hint
    assert scan.warnings == ()
    assert folder.read("shapes").hint.startswith("Draw shapes in labelme")
    folder.page("a.json", flags={"cat": True, "dog": False})
    assert "1 true flag(s): --label-by image" in folder.read("shapes").hint
    assert folder.read().hint.startswith("Flag the pictures in labelme")


@pytest.mark.parametrize(
    "picture",
    ["../pictures/x.png", "..\\pictures\\x.png", "./../pictures//x.png"],
)
def test_a_path_relative_to_the_json(folder, picture):
    folder.picture("pictures/x.png")
    folder.page("pages/1.json", imagePath=picture)
    assert rows(folder.read()) == [("pictures/x.png", "cat", "pages/1.json")]


def test_a_path_that_leads_nowhere(folder):
    folder.picture("pages/1.png")  # beside the JSON, same stem
    folder.page("pages/1.json", imagePath="gone.png")
    folder.picture("pictures/two.png")  # the only one of its name
    folder.page("pages/2.json", imagePath="gone/two.png")
    folder.picture("a/three.png")  # one of two
    folder.picture("b/three.png")
    folder.page("pages/3.json", imagePath="three.png")
    scan = folder.read()
    assert rows(scan) == [
        ("pages/1.png", "cat", "pages/1.json"),
        ("pictures/two.png", "cat", "pages/2.json"),
    ]
    assert reasons(scan) == {"pages/3.json": "picture-missing"}


def test_the_picture_inside(folder):
    inside = base64.b64encode(folder.data).decode()
    folder.page("1.json", imagePath="1.json", imageData=inside)
    folder.page("2.json", imagePath="../gone.png", imageData=inside)
    folder.picture("elsewhere/gone.png")
    folder.picture("3.png")
    folder.page("3.json", imageData=inside)  # the file is preferred
    scan = folder.read()
    assert rows(scan) == [
        ("1.json", "cat", "1.json"),
        ("2.json", "cat", "2.json"),
        ("3.png", "cat", "3.json"),
    ]
    assert images.read_bytes(folder.root / "1.json") == folder.data
    assert scan.named["elsewhere/gone.png"] == "2.json"


@pytest.mark.parametrize(
    "picture",
    [
        "../secret.png",
        "a/../../secret.png",
        "{}/secret.png",
        "C:\\secret.png",
        "..",
        "",
    ],
)
def test_nothing_outside_is_read(folder, tmp_path, picture):
    (tmp_path / "secret.png").write_bytes(folder.data)
    folder.page("1.json", imagePath=picture.replace("{}", str(tmp_path)))
    scan = folder.read()
    assert scan.annotations == ()
    outside = "picture-missing" if not picture else "outside-source"
    assert reasons(scan) == {"1.json": outside}


def test_an_absolute_path_of_another_machine(folder):
    folder.picture("photos/x.png")
    folder.page("1.json", imagePath="/home/ann/photos/x.png")
    folder.page("2.json", imagePath="D:\\ann\\x.png")
    paths = [a.path for a in folder.read().annotations]
    assert paths == ["photos/x.png", "photos/x.png"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "broken-json"),
        ("{", "broken-json"),
        ("\x00\x01", "broken-json"),
        ("[]", "not-labelme"),
        ("3", "not-labelme"),
        ("{}", "not-labelme"),
        ('{"images": [], "annotations": []}', "not-labelme"),
        ('{"imagePath": "a.png"}', "not-labelme"),
        ('{"imagePath": 3, "flags": {"cat": true}}', "picture-missing"),
        ('{"imagePath": "b.png", "shapes": []}', "no-flag"),
        ('{"imagePath": "b.png", "flags": {"cat": NaN}}', "no-flag"),
    ],
)
def test_json_that_cannot_be_used(folder, text, reason):
    folder.picture("good.png")
    folder.page("good.json")
    (folder.root / "a.json").write_text(text)
    scan = folder.read()
    assert rows(scan) == [("good.png", "cat", "good.json")]
    assert reasons(scan) == {"a.json": reason}


def test_json_has_a_cap(folder, monkeypatch):
    folder.page("a.json")
    monkeypatch.setattr(images, "MAX_JSON_BYTES", 20)
    assert reasons(folder.read()) == {"a.json": "too-big"}


def test_old_files_with_few_keys(folder):
    folder.picture("a.png")
    polygon = {"label": "fig", "points": [[1, 1], [9, 1], [5, 9]], "fill_color": None}
    content = {"shapes": [polygon], "lineColor": [0, 255, 0, 128], "imagePath": "a.png"}
    (folder.root / "a.json").write_text(json.dumps(content))
    (annotation,) = folder.read("shapes").annotations
    assert annotation.box == (1, 1, 9, 9)
    assert annotation.size is None


def test_given_split(folder):
    for side in ("train", "valid"):
        folder.picture(f"{side}/set/1.png")
        folder.page(f"{side}/set/1.json")
    folder.picture("2.png")
    folder.page("2.json")
    scan = folder.read()
    assert [(a.path, a.split) for a in scan.annotations] == [
        ("train/set/1.png", "train"),
        ("valid/set/1.png", "val"),
    ]
    assert reasons(scan) == {"2.json": "no-split"}


def test_worker_processes_say_the_same(folder):
    for i in range(3):
        folder.picture(f"{i}.png")
        folder.page(f"{i}.json")
    one = read(folder.root, "image", workers=0, progress=Silent())
    assert len(one.annotations) == 3
    assert read(folder.root, "image", workers=1, progress=Silent()) == one
    assert read(folder.root, "image", workers=None, progress=Silent()) == one
    (folder.root / "gone.json").symlink_to(folder.root / "nothing")
    scan = read(folder.root, "image", workers=None, progress=Silent())
    assert reasons(scan) == {"gone.json": "missing"}


def test_shared_labelme(shared_data):
    """Every JSON of every version is read or listed, by flags and by shapes."""
    root = shared_data / "labelme"
    pages = {path.relative_to(root).as_posix() for path in root.rglob("*.json")}
    assert len(pages) == 67
    totals = {}
    for label_by in ("image", "shapes"):
        scan = read(root, label_by, workers=0, progress=Silent())
        used = {a.annotation for a in scan.annotations}
        listed = {r.file for r in scan.rejected}
        assert used | listed == pages
        totals[label_by] = len(used), len(scan.annotations)
    # 64 pages have shapes; 2 have flags; one is COCO
    assert totals == {"image": (2, 2), "shapes": (64, 319)}
