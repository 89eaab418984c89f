from __future__ import annotations

import pytest

from tlkit.dataset.records import ImageInfo, ImageRecord
from tlkit.dataset.splitting.groups import groups
from tlkit.errors import UsageError


def one_info(path: str, taken: str = "", camera: str = "") -> ImageInfo:
    return ImageInfo(path, "s", "p", 8, 8, "PNG", taken=taken, camera=camera)


def by(kind, info, records=None):
    records = records or [ImageRecord(one.path) for one in info]
    found, alone = groups(kind, records, info)
    together: dict[str, list[str]] = {}
    for path, group in found.items():
        together.setdefault(group, []).append(path)
    return sorted(together.values()), alone


def test_folders():
    info = [one_info(path) for path in ("a/1/x", "a/1/y", "a/2/x", "b")]
    assert by("folder", info) == ([["a/1/x", "a/1/y"], ["a/2/x"], ["b"]], [])


def test_bursts():
    day = "2024:05:17 "
    info = [
        one_info("0", day + "11:00:00", "A"),
        one_info("1", day + "11:00:09.5", "A"),
        one_info("2", day + "11:00:19.5", "A"),  # 10 s after the one before
        one_info("3", day + "11:00:29.51", "A"),  # 10.01 s
        one_info("4", day + "11:00:05", "B"),  # another camera
        one_info("5", "2024:05:18 11:00:00", "A"),
        one_info("6"),
        one_info("7", "0000:00:00 00:00:00", "A"),
        one_info("8", "noon", "A"),
    ]
    together, alone = by("burst", info)
    assert together == [["0", "1", "2"], ["3"], ["4"], ["5"]]
    assert alone == ["6", "7", "8"]


def test_a_column():
    info = [one_info(path) for path in "abcd"]
    records = [
        ImageRecord("a", attributes={"patient": "x"}),
        ImageRecord("b", attributes={"patient": 7}),
        ImageRecord("c", attributes={"patient": "x"}),
        ImageRecord("d", attributes={"patient": ""}),
        ImageRecord("unreadable", attributes={"patient": "x"}),
    ]
    assert by("patient", info, records) == ([["a", "c"], ["b"]], ["d"])
    records = [
        ImageRecord("a", group="g"),
        ImageRecord("b", group="g"),
        ImageRecord("c"),
        ImageRecord("d"),
    ]
    assert by("group", info, records) == ([["a", "b"]], ["c", "d"])


def test_a_pattern():
    info = [one_info(f"x/patient{n}_{i}.png") for n in (1, 12) for i in "ab"]
    info.append(one_info("x/other.png"))
    one, twelve = [f.path for f in info[:2]], [f.path for f in info[2:4]]
    assert by(r"patient(\d+)", info) == ([twelve, one], ["x/other.png"])
    assert by(r"patient\d+", info) == ([twelve, one], ["x/other.png"])


@pytest.mark.parametrize("wrong", ["patiemt", "nothing(like)this", "("])
def test_what_is_neither_column_nor_pattern(wrong):
    records = [ImageRecord("a", attributes={"patient": "x"})]
    with pytest.raises(UsageError, match=r"not a column.*Columns.*patient"):
        groups(wrong, records, [one_info("a")])
