"""Where a data set directory may be, and what is inside of one."""

from __future__ import annotations

import json
import shutil
import zipfile

import pytest

from tlkit.dataset.example import read_example
from tlkit.dataset.manifest import Manifest
from tlkit.dataset.output.write import check_place
from tlkit.dataset.prepare import prepare
from tlkit.errors import DatasetError, UsageError


def zipped(folder, path):
    with zipfile.ZipFile(path, "w") as out:
        for file in sorted(folder.rglob("*.png")):
            out.write(file, file.relative_to(folder.parent))
        out.writestr("../evil.png", "x")
    return path


@pytest.fixture
def archive(photo_folder, tmp_path):
    root = photo_folder({"disc": 10, "bar": 10}, tmp_path / "my photos")
    path = zipped(root, tmp_path / "photos.zip")
    shutil.rmtree(root)
    return path


def test_an_archive_becomes_part_of_the_data_set(archive, tmp_path):
    out = tmp_path / "data"
    manifest = prepare(archive, out, near=False, workers=0)
    assert manifest.labels == ("bar", "disc")
    assert len(manifest.examples) == 20
    assert manifest.source == out / "images" / "my photos"
    source = manifest.info["source"]
    assert source["path"] == str(manifest.source)
    assert source["relative"] == "images/my photos"
    assert source["origin"] == str(archive)
    assert manifest.info["counts"]["rejected"] == {"outside-source": 1}
    assert {path.name for path in tmp_path.iterdir()} == {"photos.zip", "data"}
    (out / "images" / "old.png").write_text("x")
    again = prepare(archive, out, near=False, workers=0)
    assert again.checksum == manifest.checksum
    assert not (out / "images" / "old.png").exists()


def test_it_goes_where_the_data_set_goes(archive, tmp_path):
    first = prepare(archive, tmp_path / "data", near=False, workers=0)
    shutil.copytree(tmp_path / "data", tmp_path / "else" / "copy")
    # The copy reads its own images, as long as the others are there and after.
    for _ in range(2):
        manifest = Manifest.read(tmp_path / "else" / "copy")
        assert manifest.source == tmp_path / "else" / "copy" / "images" / "my photos"
        assert read_example(manifest.source, first.examples[0]).shape == (64, 64, 3)
        shutil.rmtree(tmp_path / "data", ignore_errors=True)


def test_a_failure_leaves_nothing_unpacked(photo_folder, tmp_path):
    root = photo_folder({"disc": 10}, tmp_path / "photos")
    path = zipped(root, tmp_path / "photos.zip")
    # Messages name the archive, not the place it was unpacked to.
    with pytest.raises(DatasetError, match=r"photos\.zip: expected images of two"):
        prepare(path, tmp_path / "data", near=False, workers=0)
    assert {one.name for one in tmp_path.iterdir()} == {"photos", "photos.zip"}


def test_class_folders_stay_where_they_are(photo_folder, tmp_path):
    root = photo_folder({"disc": 10, "bar": 10}, tmp_path / "photos")
    prepare(root, tmp_path / "data", near=False, workers=0)
    assert not (tmp_path / "data" / "images").exists()
    info = json.loads((tmp_path / "data" / "dataset.json").read_text())
    assert info["source"]["path"] == info["source"]["origin"] == str(root)


def test_files_as_sources(tmp_path):
    (tmp_path / "in").mkdir()
    file = tmp_path / "in" / "labels.csv"
    file.write_text("path,label\n")
    for out in (
        tmp_path / "data",
        tmp_path / "in" / "data",
        tmp_path / "in" / "a" / "b",
    ):
        assert check_place(file, out) == (file, out)
    for out in (tmp_path / "in", tmp_path):
        with pytest.raises(UsageError, match="is inside"):
            check_place(file, out)
    with pytest.raises(UsageError, match="taken for a class"):
        check_place(tmp_path / "in", tmp_path / "in" / "data")
    with pytest.raises(DatasetError, match="does not exist"):
        check_place(tmp_path / "none.csv", tmp_path / "data")
    (tmp_path / "labels.xlsx").write_text("")
    with pytest.raises(DatasetError, match="is a spreadsheet") as caught:
        check_place(tmp_path / "labels.xlsx", tmp_path / "data")
    assert "Save it as CSV" in caught.value.hint
