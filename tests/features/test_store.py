import os
import time

import ml_dtypes
import numpy as np
import pytest

from tlkit.features import store
from tlkit.features.cache import contents, make_room, segments
from tlkit.features.store import Shelf

ABOUT = {"backbone": "b", "weights": "w"}


def shelf_of(root, shape=(3,), dtype="float32", **about):
    return Shelf(root, {**ABOUT, **about}, shape, dtype)


def key(number):
    return number.to_bytes(32, "big")


def rows_of(*numbers, width=3):
    return np.array([[float(n)] * width for n in numbers], np.float32)


def write(shelf, *numbers):
    with shelf.write() as segment:
        segment.append([key(n) for n in numbers], rows_of(*numbers))


def read(shelf):
    """Key number to row."""
    parts, places = shelf.find({key(n) for n in range(10)})
    rows = [row.tolist() for part in parts for row in part]
    return {int.from_bytes(k, "big"): rows[place] for k, place in places.items()}


def test_what_was_written_is_read_in_any_process(tmp_path):
    write(shelf_of(tmp_path), 1, 2)
    write(shelf_of(tmp_path), 3)
    assert read(shelf_of(tmp_path)) == {1: [1.0] * 3, 2: [2.0] * 3, 3: [3.0] * 3}


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "uint8"])
def test_dtypes_and_shapes(tmp_path, dtype):
    shelf = shelf_of(tmp_path, (2, 2, 3), dtype)
    kind = np.dtype(getattr(ml_dtypes, dtype, dtype))
    rows = np.arange(24).reshape(2, 2, 2, 3).astype(kind)
    with shelf.write() as segment:
        segment.append([key(0), key(1)], rows)
    (found,), places = shelf.find([key(1), key(7)])
    assert places == {key(1): 1}
    assert found.dtype == kind
    assert np.array_equal(found, rows)


@pytest.mark.parametrize(
    "change", [{"weights": "v"}, {"engine": "e"}, {"shape": (4,)}, {"dtype": "uint8"}]
)
def test_anything_else_is_another_shelf(tmp_path, change):
    write(shelf_of(tmp_path), 1)
    assert read(shelf_of(tmp_path, **change)) == {}


def test_rows_count_only_once_they_are_safe(tmp_path):
    """What a killed fill leaves: data without keys, or half a row, or half a key."""
    shelf = shelf_of(tmp_path)
    write(shelf, 1, 2)
    (segment,) = segments(tmp_path)
    keys = segment.data.with_suffix(".keys")
    whole = keys.read_bytes()
    assert len(whole) == 2 * 36
    with segment.data.open("ab") as file:
        file.write(b"\1" * 17)
    assert set(read(shelf)) == {1, 2}
    keys.write_bytes(whole[:71])
    assert set(read(shelf)) == {1}
    keys.write_bytes(whole)
    with segment.data.open("r+b") as file:
        file.truncate(23)
    assert set(read(shelf)) == {1}
    keys.unlink()
    assert read(shelf) == {}


def test_a_damaged_row_is_not_taken(tmp_path):
    shelf = shelf_of(tmp_path)
    write(shelf, 1, 2, 3)
    (segment,) = segments(tmp_path)
    content = bytearray(segment.data.read_bytes())
    content[12 + 5] ^= 1  # one bit of the second row
    segment.data.write_bytes(content)
    assert read(shelf) == {1: [1.0] * 3, 3: [3.0] * 3}


def test_what_was_abandoned_is_swept_and_what_is_new_is_left(tmp_path):
    shelf = shelf_of(tmp_path)
    write(shelf, 1)
    for name, age in (("old", 2 * store.ABANDONED), ("new", 0)):
        data = shelf.folder / f"{name}.data"
        data.write_bytes(b"x" * 99)
        data.with_suffix(".keys").touch()
        os.utime(data, (time.time() - age,) * 2)
    write(shelf, 2)
    names = {path.stem for path in shelf.folder.glob("*.data")}
    assert "new" in names
    assert "old" not in names
    assert set(read(shelf)) == {1, 2}


def test_rows_become_safe_after_a_while_too(tmp_path, monkeypatch):
    now = [0.0]
    monkeypatch.setattr("tlkit.features.store.time.monotonic", lambda: now[0])
    shelf = shelf_of(tmp_path)
    with shelf.write() as segment:
        segment.append([key(1)], rows_of(1))
        assert read(shelf) == {}
        now[0] = store.SAFE_SECONDS + 1
        segment.append([key(2)], rows_of(2))
        assert set(read(shelf)) == {1, 2}


def test_rows_become_safe_while_a_fill_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "SAFE_EVERY", 24)
    shelf = shelf_of(tmp_path)
    with shelf.write() as segment:
        segment.append([key(1)], rows_of(1))
        assert read(shelf) == {}
        segment.append([key(2)], rows_of(2))
        assert set(read(shelf)) == {1, 2}
        segment.append([key(3)], rows_of(3))
    assert set(read(shelf)) == {1, 2, 3}


def test_an_interruption_keeps_what_was_written(tmp_path):
    shelf = shelf_of(tmp_path)

    def fill():
        with shelf.write() as segment:
            segment.append([key(1)], rows_of(1))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fill()
    assert set(read(shelf)) == {1}


def test_a_full_disk_keeps_what_was_safe(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "SAFE_EVERY", 12)
    shelf = shelf_of(tmp_path)

    def full(descriptor):
        raise OSError(28, "No space left on device")

    def fill():
        with shelf.write() as segment:
            segment.append([key(1)], rows_of(1))
            monkeypatch.setattr(os, "fsync", full)
            segment.append([key(2)], rows_of(2))

    with pytest.raises(OSError, match="No space"):
        fill()
    assert set(read(shelf)) == {1}
    (data,) = shelf.folder.glob("*.data")
    assert data.stat().st_size == 12


def test_a_fill_that_came_to_nothing_leaves_nothing(tmp_path):
    shelf = shelf_of(tmp_path)

    def fill():
        with shelf.write() as segment:
            segment.append([key(1)], rows_of(1))
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        fill()
    assert [path.name for path in shelf.folder.iterdir()] == ["shelf.json"]


def test_what_was_used_last_is_kept_longest(tmp_path):
    shelves = [shelf_of(tmp_path, weights=str(i)) for i in range(3)]
    for age, shelf in zip((300, 200, 100), shelves, strict=True):
        write(shelf, 1, 2)
        (data,) = shelf.folder.glob("*.data")
        os.utime(data, (1e9 - age, 1e9 - age))
    read(shelves[0])  # now the last used
    size = segments(tmp_path)[0].bytes
    assert size == 2 * (12 + 36)
    assert make_room(tmp_path, wanted=size, cap=3 * size)
    assert [bool(read(shelf)) for shelf in shelves] == [True, False, True]
    # The folder of a shelf goes with its last segment.
    assert not shelves[1].folder.exists()


def test_only_what_is_wanted_counts_as_used(tmp_path):
    shelf = shelf_of(tmp_path)
    write(shelf, 1)
    write(shelf, 2)
    for data in shelf.folder.glob("*.data"):
        os.utime(data, (1e9, 1e9))
    parts, places = shelf.find([key(2)])
    assert places == {key(2): 0}
    assert parts[0].tolist() == [[2.0] * 3]
    old, new = segments(tmp_path)
    assert old.used == 1e9
    assert new.used > 1e9
    assert make_room(tmp_path, wanted=48, cap=2 * 48)
    assert set(read(shelf)) == {2}


def test_nothing_is_removed_for_what_can_never_fit(tmp_path):
    write(shelf_of(tmp_path), 1)
    assert not make_room(tmp_path, wanted=101, cap=100)
    assert set(read(shelf_of(tmp_path))) == {1}


def test_mapped_rows_outlive_their_file(tmp_path):
    shelf = shelf_of(tmp_path)
    write(shelf, 7)
    (rows,), _ = shelf.find([key(7)])
    make_room(tmp_path, wanted=10, cap=10)
    assert not segments(tmp_path)
    assert rows.tolist() == [[7.0] * 3]


def test_a_shelf_tells_what_it_is(tmp_path):
    write(shelf_of(tmp_path), 1, 2)
    (content,) = contents(tmp_path)
    assert content.about["backbone"] == "b"
    assert (content.rows, content.bytes) == (2, 96)
    (next(iter(shelf_of(tmp_path).folder.glob("shelf.json")))).write_text("{")
    assert contents(tmp_path)[0].about == {}
