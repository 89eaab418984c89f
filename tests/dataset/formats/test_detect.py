from __future__ import annotations

import dataclasses
import json
import os
import re
from pathlib import Path

import pytest
import typer

import tlkit.dataset.sources
from tlkit.cli import app
from tlkit.dataset import formats as sources
from tlkit.dataset.sources.open import ReaderOptions, open_source
from tlkit.errors import DatasetError, UsageError
from tlkit.imaging.safe_read import GLANCE

LABELME = json.dumps({"flags": {"a": True}, "shapes": [], "imagePath": "1.jpg"})


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
    touch(tmp_path, "a/1.json", "a/2.json", text=LABELME)
    assert detect(tmp_path) == "labelme"


def test_detects_labelme_around_a_large_image(tmp_path):
    content = json.loads(LABELME)
    del content["imagePath"], content["flags"], content["shapes"]
    large = {"imageData": "A" * (3 * GLANCE), "imagePath": "x", "shapes": []}
    touch(tmp_path, "1.json", text=json.dumps(large))
    assert detect(tmp_path) == "labelme"


def test_few_annotations_among_class_folders_are_ambiguous(tmp_path):
    touch(tmp_path, *(f"a/{i}.jpg" for i in range(10)))
    touch(tmp_path, "a/1.json", text=LABELME)
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
def test_images_and_masks_are_not_two_classes(tmp_path, images, masks):
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
def test_folders_that_only_resemble_images_and_masks(tmp_path, names):
    assert detect(touch(tmp_path, *names)) == "folders"


def test_json_alone(tmp_path):
    touch(tmp_path, "a/1.json", text="{}")
    with pytest.raises(DatasetError, match="neither class folders"):
        detect(tmp_path)


def test_few_annotations_among_images_outside_of_folders(tmp_path):
    touch(tmp_path, *(f"{i}.jpg" for i in range(10)))
    touch(tmp_path, "1.json", text=LABELME)
    assert detect(tmp_path) == "labelme"


def test_finds_nothing(tmp_path):
    with pytest.raises(DatasetError, match=r"holds 0 file\(s\)"):
        detect(tmp_path)
    touch(tmp_path, "1.jpg", "2.jpg", "notes.txt")
    with pytest.raises(DatasetError, match=r"3 file\(s\), 2 of them") as caught:
        detect(tmp_path)
    assert "neither class folders" in str(caught.value)
    assert "labelme" in str(caught.value)
    assert "--column" not in caught.value.hint
    touch(tmp_path, "sheet.csv", text="file;kind")
    with pytest.raises(DatasetError) as caught:
        detect(tmp_path)
    assert "If sheet.csv is a table of labels, name its columns" in caught.value.hint


def test_a_broken_link_is_not_an_annotation(tmp_path):
    touch(tmp_path, "a/1.jpg")
    (tmp_path / "a" / "1.json").symlink_to(tmp_path / "nothing")
    assert detect(tmp_path) == "folders"


def test_a_file_without_permission_is_not_an_annotation(tmp_path, monkeypatch):
    touch(tmp_path, "a/1.jpg", "a/1.json")

    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(type(tmp_path), "open", refuse)
    assert detect(tmp_path) == "folders"


def test_a_pipe_is_not_waited_for(tmp_path):
    touch(tmp_path, "a/1.jpg")
    os.mkfifo(tmp_path / "a" / "1.json")
    assert detect(tmp_path) == "folders"


def test_reads_by_the_name_of_a_format(tmp_path):
    touch(tmp_path, "a/1.jpg", "b/2.jpg")
    parsed = sources.read(open_source(tmp_path), "folders")
    assert [(p.path, p.labels) for p in parsed.records] == [
        ("a/1.jpg", ("a",)),
        ("b/2.jpg", ("b",)),
    ]
    touch(tmp_path, "a/1.json", text=LABELME)
    parsed = sources.read(open_source(tmp_path), "labelme")
    assert [(p.path, p.labels, p.file) for p in parsed.records] == [
        ("a/1.jpg", ("a",), "a/1.json")
    ]


def test_several_formats(tmp_path, monkeypatch):
    touch(tmp_path, "1.jpg")
    touch(tmp_path, "1.json", text=LABELME)
    other = dataclasses.replace(
        sources.FORMATS["labelme"], signatures=(), count=lambda _: 3, what="notes"
    )
    monkeypatch.setitem(sources.FORMATS, "other", other)
    with pytest.raises(
        DatasetError, match=r"several formats: .*\(1\), notes \(3\)"
    ) as e:
        detect(tmp_path)
    assert e.value.hint == "Choose one: --from labelme or --from other."


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


@pytest.mark.parametrize("command", ["prepare", "convert", "check"])
def test_options_in_hints_are_options_of_the_command(command):
    readers = [
        path
        for room in (sources, tlkit.dataset.sources)
        for path in Path(str(room.__file__)).parent.glob("*.py")
    ]
    assert len(readers) > 20
    texts = [path.read_text(encoding="utf-8") for path in readers]
    hinted = {name for text in texts for name in re.findall(r"--[a-z][a-z-]+", text)}
    assert hinted >= {"--attribute", "--column", "--from", "--separator"}
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    known = {name for param in commands[command].params for name in param.opts}
    assert hinted <= known
