from __future__ import annotations

import bz2
import errno
import io
import lzma
import os
import stat
import tarfile
import time
import zipfile

import pytest

from tlkit.dataset.sources import archive
from tlkit.dataset.sources.archive import archive_kind, unpack
from tlkit.errors import DatasetError
from tlkit.progress import Silent

WHEN = 1_600_000_000


def make_zip(path, contents: dict[str, bytes], how=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", how) as out:
        for name, data in contents.items():
            out.writestr(zipfile.ZipInfo(name, time.localtime(WHEN)[:6]), data, how)
    return path


def make_tar(path, entries: list[tuple[str, bytes, bytes]], mode: str = "w"):
    """Entries are (name, type, content or target)."""
    with tarfile.open(path, mode) as out:  # type: ignore[call-overload]
        for name, kind, data in entries:
            info = tarfile.TarInfo(name)
            info.type, info.mtime = kind, WHEN
            if kind == tarfile.REGTYPE:
                info.size = len(data)
                out.addfile(info, io.BytesIO(data))
            else:
                info.linkname = data.decode()
                out.addfile(info)
    return path


def below(root) -> dict[str, bytes]:
    return {
        p.relative_to(root).as_posix(): p.read_bytes()
        for p in root.rglob("*")
        if p.is_file()
    }


def reasons(rejected) -> dict[str, str]:
    return {one.file: one.reason for one in rejected}


def test_zip(tmp_path, told):
    contents = {"a/1.jpg": b"one", "b/é 2.jpg": b"two" * 1000, "labels.csv": b""}
    path = make_zip(tmp_path / "x.zip", contents)
    root, rejected = unpack(path, tmp_path / "out", told)
    assert (root, rejected) == (tmp_path / "out", [])
    assert below(root) == contents
    assert (root / "a" / "1.jpg").stat().st_mtime == WHEN
    assert told.tasks == {"Unpacking": 3}
    assert told.done == 3


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
def test_tar(tmp_path, mode, form, monkeypatch):
    monkeypatch.setattr(tarfile, "DEFAULT_FORMAT", form)
    long = "a/" + "n" * 150 + ".jpg"
    entries = [
        ("a", tarfile.DIRTYPE, b""),
        ("a/1.jpg", tarfile.REGTYPE, b"x" * 512),
        ("b/é 2.jpg", tarfile.REGTYPE, bytes(range(256)) * 5000),
        (long, tarfile.REGTYPE, b""),
        ("b/3.jpg", tarfile.REGTYPE, b"end"),
        ("empty", tarfile.DIRTYPE, b""),
    ]
    path = make_tar(tmp_path / "no suffix", entries, mode)
    assert archive_kind(path) == {"w": "tar"}.get(mode, mode[2:])
    root, rejected = unpack(path, tmp_path / "out", Silent())
    assert rejected == []
    assert below(root) == {n: data for n, kind, data in entries if kind == b"0"}
    assert (root / "b" / "3.jpg").stat().st_mtime == WHEN
    assert (root / "empty").is_dir()


def test_one_folder_around_all_is_the_root(tmp_path):
    contents = {
        "my photos/set/a/1.jpg": b"1",
        "my photos/set/b/2.jpg": b"2",
        "__MACOSX/my photos/set/a/._1.jpg": b"junk",
        "__MACOSX/my photos/._set": b"junk",
        "my photos/.DS_Store": b"junk",
        "my photos/set/a/x.zip": b"PK",
    }
    path = make_zip(tmp_path / "x.zip", contents)
    root, rejected = unpack(path, tmp_path / "out", Silent())
    assert root == tmp_path / "out" / "my photos" / "set"
    assert below(root) == {"a/1.jpg": b"1", "b/2.jpg": b"2"}
    assert below(tmp_path / "out").keys() == {
        "my photos/set/a/1.jpg",
        "my photos/set/b/2.jpg",
    }
    assert reasons(rejected) == {
        "__MACOSX/": "junk",
        "my photos/.DS_Store": "junk",
        "a/x.zip": "archive-inside",
    }


def test_one_class_alone_is_not_the_root(tmp_path):
    path = make_zip(tmp_path / "x.zip", {"photos/cat/1.jpg": b"1", "photos/a/": b""})
    assert unpack(path, tmp_path / "one", Silent())[0] == tmp_path / "one" / "photos"
    path = make_zip(tmp_path / "x.zip", {"cat/1.jpg": b"1", "cat/2.jpg": b"2"})
    assert unpack(path, tmp_path / "two", Silent())[0] == tmp_path / "two"


def test_names_that_lead_out_of_a_zip(tmp_path):
    bad = ["../up.jpg", "/abs.jpg", "a/../../up.jpg", "C:/x.jpg", "..\\win.jpg"]
    path = make_zip(tmp_path / "x.zip", dict.fromkeys([*bad, "a/1.jpg"], b"x"))
    root, rejected = unpack(path, tmp_path / "in" / "out", Silent())
    assert below(tmp_path / "in") == {"out/a/1.jpg": b"x"}
    assert root == tmp_path / "in" / "out"
    listed = reasons(rejected)
    assert set(listed.values()) == {"outside-source"}
    assert len(listed) == len(bad)


def test_separators_of_windows(tmp_path):
    path = make_zip(tmp_path / "x.zip", {"a\\1.jpg": b"1", "b\\2.jpg": b"2"})
    root, rejected = unpack(path, tmp_path / "out", Silent())
    assert below(root) == {"a/1.jpg": b"1", "b/2.jpg": b"2"}
    assert rejected == []


def test_links_and_devices_in_a_tar(tmp_path):
    (tmp_path / "secret").write_text("secret")
    entries = [
        ("a/1.jpg", tarfile.REGTYPE, b"1"),
        ("away", tarfile.SYMTYPE, b".."),
        # Would be written outside if the link before it were made.
        ("away/secret", tarfile.REGTYPE, b"overwritten"),
        ("a/soft.jpg", tarfile.SYMTYPE, b"/etc/passwd"),
        ("a/hard.jpg", tarfile.LNKTYPE, b"a/1.jpg"),
        ("a/pipe", tarfile.FIFOTYPE, b""),
        ("a/tty", tarfile.CHRTYPE, b""),
        ("a/disk", tarfile.BLKTYPE, b""),
        ("../up", tarfile.REGTYPE, b"x"),
        ("../down", tarfile.DIRTYPE, b""),
        (".", tarfile.DIRTYPE, b""),
        ("a\\b", tarfile.REGTYPE, b"x"),
        ("c/\udcff.jpg", tarfile.REGTYPE, b"x"),
        ("/abs", tarfile.REGTYPE, b"x"),
        ("b/2.jpg", tarfile.REGTYPE, b"2"),
    ]
    path = make_tar(tmp_path / "x.tar", entries)
    root, rejected = unpack(path, tmp_path / "out", Silent())
    assert below(root) == {
        "a/1.jpg": b"1",
        "away/secret": b"overwritten",
        "b/2.jpg": b"2",
    }
    assert (tmp_path / "secret").read_text() == "secret"
    assert not (tmp_path / "down").exists()
    assert reasons(rejected) == {
        "away": "link",
        "a/soft.jpg": "link",
        "a/hard.jpg": "link",
        "a/pipe": "not-a-file",
        "a/tty": "not-a-file",
        "a/disk": "not-a-file",
        "../up": "outside-source",
        "../down": "outside-source",
        "a\\b": "bad-name",
        "c/\\xff.jpg": "name-not-utf8",
        "/abs": "outside-source",
    }


def test_links_in_a_zip(tmp_path):
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as out:
        for name, kind in (("link.jpg", stat.S_IFLNK), ("pipe", stat.S_IFIFO)):
            info = zipfile.ZipInfo(name)
            info.external_attr = (kind | 0o777) << 16
            out.writestr(info, "/etc/passwd")
        out.writestr("a/1.jpg", "1")
        out.writestr("b/", "")
    root, rejected = unpack(tmp_path / "x.zip", tmp_path / "out", Silent())
    assert below(root) == {"a/1.jpg": b"1"}
    assert (root / "b").is_dir()
    assert reasons(rejected) == {"link.jpg": "link", "pipe": "not-a-file"}


def test_names_twice_and_in_each_others_way(tmp_path):
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as out:
        out.writestr("a/1.jpg", "first")
        with pytest.warns(UserWarning, match="Duplicate name"):
            out.writestr("a/1.jpg", "second")
        out.writestr("./a//1.jpg", "third")
        out.writestr("b", "a file")
        out.writestr("b/2.jpg", "in a folder of its name")
        out.writestr("c/" + "n" * 300, "long")
        out.writestr("d/" * 50 + "1.jpg", "deep")
    root, rejected = unpack(path, tmp_path / "out", Silent())
    assert below(root) == {"a/1.jpg": b"first", "b": b"a file"}
    assert reasons(rejected) == {
        "a/1.jpg": "name-twice",
        "./a//1.jpg": "name-twice",
        "b/2.jpg": "unwritable",
        "c/" + "n" * 300: "unwritable",
        "d/" * 50 + "1.jpg": "bad-name",
    }


def test_encrypted_and_damaged_files_of_a_zip(tmp_path):
    path = make_zip(
        tmp_path / "x.zip", {"a/1.jpg": b"1" * 99, "b/2.jpg": b"2", "3": b"3"}, 0
    )
    data = path.read_bytes().replace(b"1" * 99, b"0" * 99)
    # The flags stand at 6 in the header, at 8 in the directory.
    header, entry = data.index(b"b/2.jpg") - 30, data.rindex(b"b/2.jpg") - 46
    data = bytearray(data)
    data[header + 6] |= 1
    data[entry + 8] |= 1
    path.write_bytes(data)
    root, rejected = unpack(path, tmp_path / "out", Silent())
    assert below(root) == {"3": b"3"}
    assert reasons(rejected) == {"a/1.jpg": "damaged", "b/2.jpg": "encrypted"}
    assert "CRC" in next(one.detail for one in rejected if one.file == "a/1.jpg")


@pytest.mark.parametrize("kind", ["zip", "gz", "bz2", "xz"])
def test_a_bomb_is_refused(tmp_path, kind, monkeypatch):
    monkeypatch.setattr(archive, "ALLOWANCE", 1 << 20)
    zeros = bytes(8 << 20)
    if kind == "zip":
        path = make_zip(tmp_path / "x", {"a": zeros, "b": zeros})
    else:
        path = make_tar(tmp_path / "x", [("a", b"0", zeros)], f"w:{kind}")
    with pytest.raises(DatasetError, match="holds far more than its size suggests"):
        unpack(path, tmp_path / "out", Silent())
    written = sum(map(len, below(tmp_path / "out").values()))
    assert written <= path.stat().st_size * archive.MAX_RATIO + (2 << 20)


def test_a_bomb_that_is_not_even_written(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "ALLOWANCE", 1 << 20)
    path = make_tar(tmp_path / "x", [("a.zip", b"0", bytes(8 << 20))], "w:bz2")
    with pytest.raises(DatasetError, match="holds far more"):
        unpack(path, tmp_path / "out", Silent())
    assert below(tmp_path / "out") == {}


def test_a_file_too_large(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "MAX_BYTES", 1000)
    path = make_zip(tmp_path / "x", {"a": bytes(1001), "b": bytes(1000)})
    root, rejected = unpack(path, tmp_path / "out", Silent())
    assert below(root) == {"b": bytes(1000)}
    assert reasons(rejected) == {"a": "too-big"}


def test_too_many_files(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "MAX_MEMBERS", 2)
    path = make_zip(tmp_path / "x", {"a": b"", "b": b"", "c": b""})
    with pytest.raises(DatasetError, match="more than 2 files"):
        unpack(path, tmp_path / "out", Silent())


def test_a_disk_without_room(tmp_path, monkeypatch):
    path = make_zip(tmp_path / "x", {"a": bytes(1000)})
    monkeypatch.setattr(archive, "RESERVE", 1 << 62)
    with pytest.raises(DatasetError, match="more than there is room for"):
        unpack(path, tmp_path / "out", Silent())


def test_a_disk_that_fills_up(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(archive, "_write", full)
    with pytest.raises(DatasetError, match="No space left on device"):
        unpack(make_zip(tmp_path / "x", {"a": b"1"}), tmp_path / "out", Silent())


def test_dates_that_mean_nothing(tmp_path, monkeypatch):
    def refuse(*_):
        raise OverflowError("mktime argument out of range")

    path = make_zip(tmp_path / "x.zip", {"a": b"1"})
    monkeypatch.setattr("tlkit.dataset.sources.archive.time.mktime", refuse)
    root, rejected = unpack(path, tmp_path / "out", Silent())
    assert (below(root), rejected) == ({"a": b"1"}, [])
    assert (root / "a").stat().st_mtime > WHEN


def test_no_permission(tmp_path, monkeypatch):
    path = make_zip(tmp_path / "x.zip", {"a": b"1"})

    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(type(tmp_path), "open", refuse)
    assert archive_kind(path) == ""


def test_a_header_that_would_fill_the_memory(tmp_path):
    info = tarfile.TarInfo("././@LongLink")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, 1 << 33
    path = tmp_path / "x.tar"
    path.write_bytes(info.tobuf(tarfile.GNU_FORMAT) + bytes(1024))
    with pytest.raises(DatasetError, match="a header too long"):
        unpack(path, tmp_path / "out", Silent())


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:xz"])
def test_a_cut_off_tar(tmp_path, mode):
    entries = [(f"a/{i}", b"0", os.urandom(5000)) for i in range(5)]
    path = make_tar(tmp_path / "x.tar", entries, mode)
    path.write_bytes(path.read_bytes()[:12_000])
    with pytest.raises(DatasetError, match="cannot be unpacked") as caught:
        unpack(path, tmp_path / "out", Silent())
    assert "Is it whole?" in caught.value.hint


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("x.zip", b"PK\3\4 and nothing more"),
        ("x.tar", b"text"),
        ("x.tar", b""),
        ("x.csv.gz", b"\x1f\x8b\x08\x00\x00"),
        ("x.csv.bz2", bz2.compress(b"path,label\n" * 100)),
        ("x.csv.xz", lzma.compress(b"path,label\n" * 100)),
    ],
)
def test_files_that_are_not_whole_archives(tmp_path, name, data):
    (tmp_path / name).write_bytes(data)
    assert archive_kind(tmp_path / name)
    with pytest.raises(DatasetError, match="cannot be unpacked"):
        unpack(tmp_path / name, tmp_path / "out", Silent())


def test_kinds_by_content(tmp_path):
    for data, kind in ((b"path,label\n", ""), (b"", ""), (b"Rar!\x1a\7", "rar")):
        (tmp_path / "x").write_bytes(data)
        assert archive_kind(tmp_path / "x") == kind
    with pytest.raises(DatasetError, match=r"\.rar is not read"):
        unpack(tmp_path / "x", tmp_path / "out", Silent())
    assert archive_kind(tmp_path) == archive_kind(tmp_path / "none") == ""
    # A spreadsheet is a zip, but not one of images.
    assert archive_kind(make_zip(tmp_path / "x.xlsx", {"a": b""})) == ""


def test_it_only_goes_forward(tmp_path):
    budget = archive.UnpackBudget(1000, tmp_path)
    file = archive._Forward(io.BytesIO(bytes(100)), budget)
    assert file.seek(60) == file.tell() == 60
    assert budget.left == 940
    assert file.seek(200) == 100
    with pytest.raises(tarfile.ReadError, match="out of order"):
        file.seek(10)
