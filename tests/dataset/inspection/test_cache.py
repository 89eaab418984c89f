from __future__ import annotations

import dataclasses
import os
import sqlite3

import numpy as np
import pytest
from PIL import Image

from tlkit.dataset.inspection import cache
from tlkit.dataset.inspection.cache import ImageCache, image_caches, open_image_cache
from tlkit.dataset.inspection.image_info import inspect_image
from tlkit.errors import DatasetError


@pytest.fixture
def inspected(tmp_path, draw):
    (tmp_path / "photos").mkdir()
    names = ["one é.png", "two.png"]
    for i, name in enumerate(names):
        Image.fromarray(draw(i, 0)).save(tmp_path / "photos" / name)
    return [inspect_image(tmp_path / "photos", name) for name in names]


def test_what_is_written_down_comes_back(tmp_path, inspected):
    image_cache = ImageCache(tmp_path / "x.sqlite")
    for one in inspected:
        image_cache.add(one, 10, 20)
    image_cache.close()
    image_cache = ImageCache(tmp_path / "x.sqlite")
    paths = [one.info.path for one in inspected]
    for one in inspected:
        path = one.info.path
        assert image_cache.known(path, 10, 20) == one.info
        assert image_cache.known(path, 11, 20) is None
        assert image_cache.known(path, 10, 21) is None
        found = image_cache.thumbnails(path)
        np.testing.assert_array_equal(found.luma, one.thumbnails.luma)
        np.testing.assert_array_equal(found.color, one.thumbnails.color)
    assert image_cache.known("three.png", 10, 20) is None
    assert image_cache.hashes(paths).tolist() == [one.hash for one in inspected]
    np.testing.assert_array_equal(image_cache.fields(paths)[1], inspected[1].fields)
    image_cache.close()


@pytest.mark.parametrize("number", [0, 1, 2**63 - 1, 2**63, 2**64 - 1])
def test_every_hash_of_64_bits_survives(tmp_path, inspected, number):
    image_cache = ImageCache(tmp_path / "x.sqlite")
    image_cache.add(dataclasses.replace(inspected[0], hash=number), 1, 1)
    image_cache.flush()
    assert image_cache.hashes([inspected[0].info.path]).tolist() == [number]
    image_cache.close()


def test_a_later_row_replaces_an_earlier_one(tmp_path, inspected):
    image_cache = ImageCache(tmp_path / "x.sqlite")
    image_cache.add(inspected[0], 1, 1)
    image_cache.add(inspected[0], 2, 2)
    image_cache.flush()
    path = inspected[0].info.path
    assert image_cache.known(path, 1, 1) is None
    assert image_cache.known(path, 2, 2) == inspected[0].info
    image_cache.close()


def test_sources_have_caches_of_their_own(tmp_path, own_cache, inspected):
    with open_image_cache(tmp_path / "a") as image_cache:
        image_cache.add(inspected[0], 1, 1)
    path = inspected[0].info.path
    with open_image_cache(tmp_path / "b") as image_cache:
        assert image_cache.known(path, 1, 1) is None
    with open_image_cache(tmp_path / "a") as image_cache:
        assert image_cache.known(path, 1, 1) == inspected[0].info
    assert len(image_caches(own_cache)) == 2


def test_a_damaged_cache_is_made_again(tmp_path, own_cache, inspected):
    with open_image_cache(tmp_path / "a") as image_cache:
        image_cache.add(inspected[0], 1, 1)
    (kept,) = image_caches(own_cache)
    kept.path.write_bytes(b"not a database" * 1000)
    with open_image_cache(tmp_path / "a") as image_cache:
        assert image_cache.known(inspected[0].info.path, 1, 1) is None
        image_cache.add(inspected[0], 1, 1)
        image_cache.flush()
        assert image_cache.known(inspected[0].info.path, 1, 1) == inspected[0].info


def test_nothing_is_kept_where_nothing_may_be(tmp_path, own_cache, monkeypatch):
    monkeypatch.setenv("TLKIT_CACHE_GB", "0")
    with open_image_cache(tmp_path / "a") as image_cache:
        assert image_cache.known("x", 1, 1) is None
    assert image_caches(own_cache) == []


def test_the_oldest_caches_make_room(tmp_path, own_cache, monkeypatch):
    for i, name in enumerate("abc"):
        with open_image_cache(tmp_path / name):
            pass
        newest = image_caches(own_cache)[0]
        os.utime(newest.path, (i, i))
    size = image_caches(own_cache)[0].bytes
    # A quarter of it holds two and a half of them.
    monkeypatch.setenv("TLKIT_CACHE_GB", str(10 * size / 1e9))
    with open_image_cache(tmp_path / "d"):
        pass
    assert sorted(kept.used for kept in image_caches(own_cache))[0] == 2
    assert len(image_caches(own_cache)) == 2


def test_a_full_disk_is_told(tmp_path, own_cache, monkeypatch):
    def full(*_):
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(ImageCache, "known", full)
    with (
        pytest.raises(DatasetError, match="disk is full"),
        open_image_cache(tmp_path / "a") as image_cache,
    ):
        image_cache.known("x", 1, 1)


def test_a_locked_cache_is_left_alone(tmp_path, own_cache, inspected, monkeypatch):
    """Another process writes to it for long: it stays, and is not used this once."""
    with open_image_cache(tmp_path / "a") as image_cache:
        image_cache.add(inspected[0], 1, 1)
    path = inspected[0].info.path
    (file,) = image_caches(own_cache)
    monkeypatch.setattr(cache, "WAIT", 0.05)
    other = sqlite3.connect(file.path, isolation_level=None)
    other.execute("pragma journal_mode = delete")
    other.execute("begin exclusive")
    with open_image_cache(tmp_path / "a") as image_cache:
        assert image_cache.known(path, 1, 1) is None
        image_cache.add(inspected[1], 1, 1)
        image_cache.flush()
        assert image_cache.known(inspected[1].info.path, 1, 1) == inspected[1].info
    other.execute("commit")
    other.close()
    with open_image_cache(tmp_path / "a") as image_cache:
        assert image_cache.known(path, 1, 1) == inspected[0].info
