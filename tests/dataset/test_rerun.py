"""The words of the command that made a data set, and what it makes of them."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pandas
import pytest

import tlkit
from tlkit.cli import run
from tlkit.dataset.rerun import source_words
from tlkit.errors import DatasetError


def prepare(root, out, **options):
    return tlkit.prepare(root, out, near=False, workers=0, **options)


@pytest.fixture
def root(photo_folder, tmp_path):
    return photo_folder({"disc": 9, "bar": 9}, where=tmp_path / "my photos")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, []),
        ({"val": 0.15, "test": 0.15, "label_by": "image", "format": "auto"}, []),
        ({"format": "folders"}, ["--from", "folders"]),
        ({"val": 0.2, "test": 0}, ["--val", "0.2", "--test", "0"]),
        (
            {"seed": 3, "group_by": r"_(00 ?\d)", "keep_conflicts": True},
            ["--keep-conflicts", "--seed", "3", "--group-by", r"_(00 ?\d)"],
        ),
    ],
)
def test_class_folders(root, tmp_path, options, words):
    manifest = prepare(root, tmp_path / "data", **options)
    expected = [str(root), "--no-near", *words]
    assert sorted(source_words(manifest) or []) == sorted(expected)
    again = ["prepare", *expected, "--out", str(tmp_path / "data"), "--workers", "0"]
    assert run(again) == 0
    assert (
        tlkit.Manifest.read(tmp_path / "data").info["options"]
        == (manifest.info["options"])
    )


def test_a_given_split(photo_folder, tmp_path):
    root = tmp_path / "photos"
    for side, size in (("train", 64), ("val", 48)):
        photo_folder({"disc": 6, "bar": 6}, root / side, size)
    manifest = prepare(root, tmp_path / "data")
    assert source_words(manifest) == [str(root), "--no-near"]
    manifest = prepare(root, tmp_path / "second", test=0.15)
    assert source_words(manifest) == [str(root), "--test", "0.15", "--no-near"]


def test_a_table_with_columns_of_its_own(root, tmp_path):
    paths = sorted(path.relative_to(root) for path in root.rglob("*.*"))
    rows = [f"{path.as_posix()},{path.parts[0]};all" for path in paths]
    table = root / "the list.csv"
    table.write_text("\n".join(["where it is,what it is", *rows]) + "\n")
    columns = {"path": "where it is", "label": "what it is"}
    manifest = prepare(
        table, tmp_path / "data", columns=columns, separator=";", multi_label=True
    )
    words = [
        *(str(table), "--no-near", "--multi-label", "--separator", ";"),
        *("--column", "label=what it is", "--column", "path=where it is"),
    ]
    assert source_words(manifest) == words
    again = ["prepare", *words, "--out", str(tmp_path / "data"), "--workers", "0"]
    assert run(again) == 0


def test_shapes(tmp_path, root):
    for i, path in enumerate(sorted(root.rglob("*.*"))):
        path.with_suffix(".json").write_text(
            json.dumps(
                {
                    "imagePath": path.name,
                    "imageData": None,
                    "flags": {},
                    "shapes": [
                        {
                            "label": ("cat", "dog")[i % 2],
                            "points": [[1, 2], [30, 40]],
                            "shape_type": "rectangle",
                        }
                    ],
                }
            )
        )
    manifest = prepare(root, tmp_path / "data", label_by="shapes", pad=0.1, min_size=9)
    how = ["--label-by", "shapes", "--pad", "0.1", "--min-size", "9"]
    assert source_words(manifest) == [str(root), "--no-near", *how]
    manifest = prepare(root, tmp_path / "second", label_by="image")
    assert source_words(manifest) == [str(root), "--no-near", "--label-by", "image"]


def test_an_archive(root, tmp_path):
    packed = shutil.make_archive(str(tmp_path / "packed"), "zip", root)
    manifest = prepare(packed, tmp_path / "data" / "set")
    assert source_words(manifest) == [packed, "--no-near"]


def test_photos_that_were_moved(root, tmp_path):
    old, new = tmp_path / "old", tmp_path / "new"
    table = root / "list.csv"
    paths = sorted(path.relative_to(root).as_posix() for path in root.rglob("*.png"))
    table.write_text("\n".join(["path,label", *(f"{p},{p[0]}" for p in paths)]))
    old.mkdir()
    root.rename(old / "photos")
    prepare(old / "photos", old / "data", format="csv")
    prepare(old / "photos" / "list.csv", old / "second")
    old.rename(new)
    words = source_words(tlkit.Manifest.read(new / "data"))
    assert words == [str(new / "photos"), "--from", "csv", "--no-near"]
    words = source_words(tlkit.Manifest.read(new / "second"))
    assert words == [str(new / "photos" / "list.csv"), "--no-near"]


def test_similar_by_a_network_or_a_function(root, tmp_path):
    def features(root, paths):
        return np.random.default_rng(0).normal(size=(len(paths), 64))

    manifest = prepare(root, tmp_path / "data", similar=features, similar_above=0.95)
    assert source_words(manifest) is None

    class Network:
        name = "smallcnn to last, 64 px, my weights.keras"
        backbone = "smallcnn"
        weights = "my weights.keras"
        __call__ = staticmethod(features)

    manifest = prepare(root, tmp_path / "data", similar=Network(), similar_above=0.95)
    words = ["--similar", "smallcnn", "--similar-weights", "my weights.keras"]
    assert source_words(manifest) == [
        *(str(root), "--no-near", *words, "--similar-above", "0.95")
    ]


def test_a_frame_has_no_words(root, tmp_path):
    paths = sorted(map(str, root.rglob("*.png")))
    frame = pandas.DataFrame(
        {"path": paths, "label": [p[-5] in "02468" for p in paths]}
    )
    assert source_words(prepare(frame, tmp_path / "data")) is None


def test_a_key_that_was_removed_by_hand_is_named(root, tmp_path):
    manifest = prepare(root, tmp_path / "data")
    path = tmp_path / "data" / "dataset.json"
    info = json.loads(path.read_text())
    del info["source"]["origin"]
    path.write_text(json.dumps(info))
    with pytest.raises(DatasetError, match=r"dataset\.json has no 'origin'"):
        source_words(tlkit.Manifest.read(manifest.directory))
