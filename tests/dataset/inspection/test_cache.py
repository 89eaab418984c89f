from __future__ import annotations

import dataclasses
import os
import sqlite3

import numpy as np
import pytest
from PIL import Image

from tlkit.dataset.inspection.cache import ImageCache, image_caches, open_image_cache
from tlkit.dataset.inspection.image_info import examine
from tlkit.errors import DatasetError


@pytest.fixture
def examined(tmp_path, draw):
    (tmp_path / "photos").mkdir()
    names = ["one é.png", "two.png"]
    for i, name in enumerate(names):
        Image.fromarray(draw(i, 0)).save(tmp_path / "photos" / name)
    return [examine(tmp_path / "photos", name) for name in names]


def test_what_is_written_down_comes_back(tmp_path, examined):
    image_cache = ImageCache(tmp_path / "x.sqlite")
    for one in examined:
        image_cache.add(one, 10, 20)
    image_cache.close()
    image_cache = ImageCache(tmp_path / "x.sqlite")
    paths = [one.info.path for one in examined]
    for one in examined:
        path = one.info.path
        assert image_cache.known(path, 10, 20) == one.info
        assert image_cache.known(path, 11, 20) is None
        assert image_cache.known(path, 10, 21) is None
        look = image_cache.look(path)
        np.testing.assert_array_equal(look.luma, one.look.luma)
        np.testing.assert_array_equal(look.color, one.look.color)
    assert image_cache.known("three.png", 10, 20) is None
    assert image_cache.hashes(paths).tolist() == [one.hash for one in examined]
    np.testing.assert_array_equal(image_cache.fields(paths)[1], examined[1].fields)
    image_cache.close()


@pytest.mark.parametrize("number", [0, 1, 2**63 - 1, 2**63, 2**64 - 1])
def test_every_hash_of_64_bits_survives(tmp_path, examined, number):
    image_cache = ImageCache(tmp_path / "x.sqlite")
    image_cache.add(dataclasses.replace(examined[0], hash=number), 1, 1)
    image_cache.flush()
    assert image_cache.hashes([examined[0].info.path]).tolist() == [number]
    image_cache.close()


def test_a_later_row_replaces_an_earlier_one(tmp_path, examined):
    image_cache = ImageCache(tmp_path / "x.sqlite")
    image_cache.add(examined[0], 1, 1)
    image_cache.add(examined[0], 2, 2)
    path = examined[0].info.path
    assert image_cache.known(path, 1, 1) is None
    assert image_cache.known(path, 2, 2) == examined[0].info
    image_cache.close()


def test_sources_have_ledgers_of_their_own(tmp_path, own_cache, examined):
    with open_image_cache(tmp_path / "a") as image_cache:
        image_cache.add(examined[0], 1, 1)
    path = examined[0].info.path
    with open_image_cache(tmp_path / "b") as image_cache:
        assert image_cache.known(path, 1, 1) is None
    with open_image_cache(tmp_path / "a") as image_cache:
        assert image_cache.known(path, 1, 1) == examined[0].info
    assert len(image_caches(own_cache)) == 2


def test_a_damaged_ledger_is_made_again(tmp_path, own_cache, examined):
    with open_image_cache(tmp_path / "a") as image_cache:
        image_cache.add(examined[0], 1, 1)
    (kept,) = image_caches(own_cache)
    kept.path.write_bytes(b"not a database" * 1000)
    with open_image_cache(tmp_path / "a") as image_cache:
        assert image_cache.known(examined[0].info.path, 1, 1) is None
        image_cache.add(examined[0], 1, 1)
        image_cache.flush()
        assert image_cache.known(examined[0].info.path, 1, 1) == examined[0].info


def test_nothing_is_kept_where_nothing_may_be(tmp_path, own_cache, monkeypatch):
    monkeypatch.setenv("TLKIT_CACHE_GB", "0")
    with open_image_cache(tmp_path / "a") as image_cache:
        assert image_cache.known("x", 1, 1) is None
    assert image_caches(own_cache) == []


def test_the_oldest_ledgers_make_room(tmp_path, own_cache, monkeypatch):
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
