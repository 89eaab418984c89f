import os
import time

import ml_dtypes
import numpy as np
import pytest

from tlkit.features import store
from tlkit.features.cache import contents, make_room, parts
from tlkit.features.store import Partition

ABOUT = {"backbone": "b", "weights": "w"}


def partition_of(root, shape=(3,), dtype="float32", **about):
    return Partition(root, {**ABOUT, **about}, shape, dtype)


def key(number):
    return number.to_bytes(32, "big")


def vectors_of(*numbers, width=3):
    return np.array([[float(n)] * width for n in numbers], np.float32)


def write(partition, *numbers):
    with partition.write() as part:
        part.append([key(n) for n in numbers], vectors_of(*numbers))


def read(partition):
    """Key number to vector."""
    found = partition.find({key(n) for n in range(10)})
    vectors = [vector.tolist() for part in found.parts for vector in part]
    return {int.from_bytes(k, "big"): vectors[i] for k, i in found.places.items()}


def test_what_was_written_is_read_in_any_process(tmp_path):
    write(partition_of(tmp_path), 1, 2)
    write(partition_of(tmp_path), 3)
    assert read(partition_of(tmp_path)) == {1: [1.0] * 3, 2: [2.0] * 3, 3: [3.0] * 3}


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "uint8"])
def test_dtypes_and_shapes(tmp_path, dtype):
    partition = partition_of(tmp_path, (2, 2, 3), dtype)
    kind = np.dtype(getattr(ml_dtypes, dtype, dtype))
    vectors = np.arange(24).reshape(2, 2, 2, 3).astype(kind)
    with partition.write() as part:
        part.append([key(0), key(1)], vectors)
    found = partition.find([key(1), key(7)])
    assert found.places == {key(1): 1}
    assert found.missing == {key(7)}
    assert found.parts[0].dtype == kind
    assert np.array_equal(found.parts[0], vectors)


@pytest.mark.parametrize(
    "change", [{"weights": "v"}, {"engine": "e"}, {"shape": (4,)}, {"dtype": "uint8"}]
)
def test_any_other_description_is_another_partition(tmp_path, change):
    write(partition_of(tmp_path), 1)
    assert read(partition_of(tmp_path, **change)) == {}


def test_vectors_count_only_once_they_are_safe(tmp_path):
    """What a killed fill leaves: data without keys, or half a vector, or half a key."""
    partition = partition_of(tmp_path)
    write(partition, 1, 2)
    (part,) = parts(tmp_path)
    keys = part.data.with_suffix(".keys")
    whole = keys.read_bytes()
    assert len(whole) == 2 * 36
    with part.data.open("ab") as file:
        file.write(b"\1" * 17)
    assert set(read(partition)) == {1, 2}
    keys.write_bytes(whole[:71])
    assert set(read(partition)) == {1}
    keys.write_bytes(whole)
    with part.data.open("r+b") as file:
        file.truncate(23)
    assert set(read(partition)) == {1}
    keys.unlink()
    assert read(partition) == {}


def test_a_damaged_vector_is_not_taken(tmp_path):
    partition = partition_of(tmp_path)
    write(partition, 1, 2, 3)
    (part,) = parts(tmp_path)
    content = bytearray(part.data.read_bytes())
    content[12 + 5] ^= 1  # one bit of the second vector
    part.data.write_bytes(content)
    assert read(partition) == {1: [1.0] * 3, 3: [3.0] * 3}


def test_what_was_abandoned_is_swept_and_what_is_new_is_left(tmp_path):
    partition = partition_of(tmp_path)
    write(partition, 1)
    for name, age in (("old", 2 * store.ABANDONED), ("new", 0)):
        data = partition.folder / f"{name}.data"
        data.write_bytes(b"x" * 99)
        data.with_suffix(".keys").touch()
        os.utime(data, (time.time() - age,) * 2)
    write(partition, 2)
    names = {path.stem for path in partition.folder.glob("*.data")}
    assert "new" in names
    assert "old" not in names
    assert set(read(partition)) == {1, 2}


def test_vectors_become_safe_after_a_while_too(tmp_path, monkeypatch):
    now = [0.0]
    monkeypatch.setattr("tlkit.features.store.time.monotonic", lambda: now[0])
    partition = partition_of(tmp_path)
    with partition.write() as part:
        part.append([key(1)], vectors_of(1))
        assert read(partition) == {}
        now[0] = store.SAFE_SECONDS + 1
        part.append([key(2)], vectors_of(2))
        assert set(read(partition)) == {1, 2}


def test_vectors_become_safe_while_a_fill_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "SAFE_EVERY", 24)
    partition = partition_of(tmp_path)
    with partition.write() as part:
        part.append([key(1)], vectors_of(1))
        assert read(partition) == {}
        part.append([key(2)], vectors_of(2))
        assert set(read(partition)) == {1, 2}
        part.append([key(3)], vectors_of(3))
    assert set(read(partition)) == {1, 2, 3}


def test_an_interruption_keeps_what_was_written(tmp_path):
    partition = partition_of(tmp_path)

    def fill():
        with partition.write() as part:
            part.append([key(1)], vectors_of(1))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fill()
    assert set(read(partition)) == {1}


def test_a_full_disk_keeps_what_was_safe(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "SAFE_EVERY", 12)
    partition = partition_of(tmp_path)

    def full(descriptor):
        raise OSError(28, "No space left on device")

    def fill():
        with partition.write() as part:
            part.append([key(1)], vectors_of(1))
            monkeypatch.setattr(os, "fsync", full)
            part.append([key(2)], vectors_of(2))

    with pytest.raises(OSError, match="No space"):
        fill()
    assert set(read(partition)) == {1}
    (data,) = partition.folder.glob("*.data")
    assert data.stat().st_size == 12


def test_a_fill_that_came_to_nothing_leaves_nothing(tmp_path):
    partition = partition_of(tmp_path)

    def fill():
        with partition.write() as part:
            part.append([key(1)], vectors_of(1))
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        fill()
    assert [path.name for path in partition.folder.iterdir()] == ["partition.json"]


def test_what_was_used_last_is_kept_longest(tmp_path):
    partitions = [partition_of(tmp_path, weights=str(i)) for i in range(3)]
    for age, partition in zip((300, 200, 100), partitions, strict=True):
        write(partition, 1, 2)
        (data,) = partition.folder.glob("*.data")
        os.utime(data, (1e9 - age, 1e9 - age))
    read(partitions[0])  # now the last used
    size = parts(tmp_path)[0].bytes
    assert size == 2 * (12 + 36)
    assert make_room(tmp_path, needed=size, cap=3 * size)
    assert [bool(read(partition)) for partition in partitions] == [True, False, True]
    # The folder of a partition goes with its last part.
    assert not partitions[1].folder.exists()


def test_only_what_is_wanted_counts_as_used(tmp_path):
    partition = partition_of(tmp_path)
    write(partition, 1)
    write(partition, 2)
    for data in partition.folder.glob("*.data"):
        os.utime(data, (1e9, 1e9))
    found = partition.find([key(2)])
    assert found.places == {key(2): 0}
    assert found.parts[0].tolist() == [[2.0] * 3]
    old, new = parts(tmp_path)
    assert old.used == 1e9
    assert new.used > 1e9
    assert make_room(tmp_path, needed=48, cap=2 * 48)
    assert set(read(partition)) == {2}


def test_nothing_is_removed_for_what_can_never_fit(tmp_path):
    write(partition_of(tmp_path), 1)
    assert not make_room(tmp_path, needed=101, cap=100)
    assert set(read(partition_of(tmp_path))) == {1}


def test_mapped_vectors_outlive_their_file(tmp_path):
    partition = partition_of(tmp_path)
    write(partition, 7)
    (vectors,) = partition.find([key(7)]).parts
    make_room(tmp_path, needed=10, cap=10)
    assert not parts(tmp_path)
    assert vectors.tolist() == [[7.0] * 3]


def test_a_partition_describes_its_vectors(tmp_path):
    write(partition_of(tmp_path), 1, 2)
    (content,) = contents(tmp_path)
    assert content.about["backbone"] == "b"
    assert (content.vectors, content.bytes) == (2, 96)
    (next(iter(partition_of(tmp_path).folder.glob("partition.json")))).write_text("{")
    assert contents(tmp_path)[0].about == {}
