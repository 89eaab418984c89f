from __future__ import annotations

import os
import sys

import pytest

from tlkit.dataset.sources.walk import folders, shown, walk


def touch(root, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("")


def test_files_in_natural_order(tmp_path):
    touch(tmp_path, "b/10.jpg", "b/9.jpg", "a.txt", "b/c/é 1.jpg", "x.jpg/1")
    found = walk(tmp_path)
    assert found.files == ("a.txt", "b/9.jpg", "b/10.jpg", "b/c/é 1.jpg", "x.jpg/1")
    assert found.rejected == ()
    assert list(folders(tmp_path)) == ["b", "x.jpg"]
    assert list(folders(tmp_path / "none")) == []


def test_junk_is_listed(tmp_path):
    touch(tmp_path, ".DS_Store", "a/Thumbs.db", "a/desktop.ini", "a/._1.jpg", "a/1.jpg")
    touch(tmp_path, ".ipynb_checkpoints/1.jpg", "__MACOSX/a/1.jpg", ".git/x/y")
    found = walk(tmp_path)
    assert found.files == ("a/1.jpg",)
    assert {r.file for r in found.rejected} == {
        *(".DS_Store", "a/Thumbs.db", "a/desktop.ini", "a/._1.jpg"),
        *(".ipynb_checkpoints/", "__MACOSX/", ".git/"),
    }
    assert {r.reason for r in found.rejected} == {"junk"}
    assert list(folders(tmp_path)) == ["a"]


def test_links_are_followed_but_loops_are_not(tmp_path):
    touch(tmp_path, "a/2.jpg", "c/1.jpg")
    (tmp_path / "b").symlink_to(tmp_path / "c")
    (tmp_path / "a" / "up").symlink_to(tmp_path)
    (tmp_path / "a" / "self").symlink_to(tmp_path / "a" / "self")
    (tmp_path / "a" / "gone.jpg").symlink_to(tmp_path / "nothing")
    found = walk(tmp_path)
    expected = ("a/2.jpg", "a/gone.jpg", "a/self", "b/1.jpg", "c/1.jpg")
    assert found.files == expected
    assert [(r.file, r.reason) for r in found.rejected] == [("a/up/", "link-loop")]


def test_links_that_lead_out(tmp_path):
    root, other = tmp_path / "root", tmp_path / "other"
    touch(other, "1.jpg", "deep/2.jpg")
    touch(root, "a/1.jpg")
    (root / "b").symlink_to(other)
    (root / "a" / "3.jpg").symlink_to(other / "1.jpg")
    (root / "a" / "gone.jpg").symlink_to(other / "nothing")
    (root / "a" / "all").symlink_to(tmp_path)
    found = walk(root)
    assert found.files == ("a/1.jpg",)
    assert [(r.file, r.reason) for r in found.rejected] == [
        (name, "outside-source") for name in ("a/3.jpg", "a/all/", "a/gone.jpg", "b/")
    ]
    assert "--allow-outside" in found.rejected[0].detail
    allowed = walk(root, allow_outside=True)
    assert allowed.files == (
        *("a/1.jpg", "a/3.jpg"),
        *("a/all/other/1.jpg", "a/all/other/deep/2.jpg"),
        *("a/gone.jpg", "b/1.jpg", "b/deep/2.jpg"),
    )
    loops = [(r.file, r.reason) for r in allowed.rejected]
    assert loops == [("a/all/root/", "link-loop")]


def test_a_root_that_is_a_link(tmp_path):
    touch(tmp_path / "photos", "a/1.jpg")
    (tmp_path / "link").symlink_to(tmp_path / "photos")
    (tmp_path / "photos" / "b").symlink_to(tmp_path / "photos" / "a")
    assert walk(tmp_path / "link").files == ("a/1.jpg", "b/1.jpg")


@pytest.mark.skipif(
    sys.platform != "linux", reason="names are UTF-8 by force elsewhere"
)
def test_names_that_are_not_utf8(tmp_path):
    (tmp_path / "a").mkdir()
    path = os.fsencode(tmp_path / "a") + b"/\xff.jpg"
    with open(path, "wb"):  # noqa: PTH123 - bytes are the point here
        pass
    found = walk(tmp_path)
    assert found.files == ()
    rejected = [(r.file, r.reason) for r in found.rejected]
    assert rejected == [("a/\\xff.jpg", "name-not-utf8")]
    assert shown("é") == "é"


def test_a_folder_that_cannot_be_read(tmp_path, monkeypatch):
    touch(tmp_path, "a/1.jpg", "b/1.jpg")
    scandir = os.scandir

    def refuse(path):
        if str(path).endswith("b"):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    found = walk(tmp_path)
    assert found.files == ("a/1.jpg",)
    assert [(r.file, r.reason) for r in found.rejected] == [("b/", "no-permission")]
