from __future__ import annotations

import dataclasses
import os
import sqlite3

import numpy as np
import pytest
from PIL import Image

from tlkit.dataset.inspection.cache import ImageCache, ledgers, open_ledger
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
    ledger = ImageCache(tmp_path / "x.sqlite")
    for one in examined:
        ledger.add(one, 10, 20)
    ledger.close()
    ledger = ImageCache(tmp_path / "x.sqlite")
    paths = [one.facts.path for one in examined]
    for one in examined:
        path = one.facts.path
        assert ledger.known(path, 10, 20) == one.facts
        assert ledger.known(path, 11, 20) is None
        assert ledger.known(path, 10, 21) is None
        look = ledger.look(path)
        np.testing.assert_array_equal(look.luma, one.look.luma)
        np.testing.assert_array_equal(look.color, one.look.color)
    assert ledger.known("three.png", 10, 20) is None
    assert ledger.hashes(paths).tolist() == [one.hash for one in examined]
    np.testing.assert_array_equal(ledger.fields(paths)[1], examined[1].fields)
    ledger.close()


@pytest.mark.parametrize("number", [0, 1, 2**63 - 1, 2**63, 2**64 - 1])
def test_every_hash_of_64_bits_survives(tmp_path, examined, number):
    ledger = ImageCache(tmp_path / "x.sqlite")
    ledger.add(dataclasses.replace(examined[0], hash=number), 1, 1)
    ledger.flush()
    assert ledger.hashes([examined[0].facts.path]).tolist() == [number]
    ledger.close()


def test_a_later_row_replaces_an_earlier_one(tmp_path, examined):
    ledger = ImageCache(tmp_path / "x.sqlite")
    ledger.add(examined[0], 1, 1)
    ledger.add(examined[0], 2, 2)
    path = examined[0].facts.path
    assert ledger.known(path, 1, 1) is None
    assert ledger.known(path, 2, 2) == examined[0].facts
    ledger.close()


def test_sources_have_ledgers_of_their_own(tmp_path, own_store, examined):
    with open_ledger(tmp_path / "a") as ledger:
        ledger.add(examined[0], 1, 1)
    path = examined[0].facts.path
    with open_ledger(tmp_path / "b") as ledger:
        assert ledger.known(path, 1, 1) is None
    with open_ledger(tmp_path / "a") as ledger:
        assert ledger.known(path, 1, 1) == examined[0].facts
    assert len(ledgers(own_store)) == 2


def test_a_damaged_ledger_is_made_again(tmp_path, own_store, examined):
    with open_ledger(tmp_path / "a") as ledger:
        ledger.add(examined[0], 1, 1)
    (kept,) = ledgers(own_store)
    kept.path.write_bytes(b"not a database" * 1000)
    with open_ledger(tmp_path / "a") as ledger:
        assert ledger.known(examined[0].facts.path, 1, 1) is None
        ledger.add(examined[0], 1, 1)
        ledger.flush()
        assert ledger.known(examined[0].facts.path, 1, 1) == examined[0].facts


def test_nothing_is_kept_where_nothing_may_be(tmp_path, own_store, monkeypatch):
    monkeypatch.setenv("TLKIT_CACHE_GB", "0")
    with open_ledger(tmp_path / "a") as ledger:
        assert ledger.known("x", 1, 1) is None
    assert ledgers(own_store) == []


def test_the_oldest_ledgers_make_room(tmp_path, own_store, monkeypatch):
    for i, name in enumerate("abc"):
        with open_ledger(tmp_path / name):
            pass
        newest = ledgers(own_store)[0]
        os.utime(newest.path, (i, i))
    size = ledgers(own_store)[0].bytes
    # A quarter of it holds two and a half of them.
    monkeypatch.setenv("TLKIT_CACHE_GB", str(10 * size / 1e9))
    with open_ledger(tmp_path / "d"):
        pass
    assert sorted(kept.used for kept in ledgers(own_store))[0] == 2
    assert len(ledgers(own_store)) == 2


def test_a_full_disk_is_told(tmp_path, own_store, monkeypatch):
    def full(*_):
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(ImageCache, "known", full)
    with (
        pytest.raises(DatasetError, match="disk is full"),
        open_ledger(tmp_path / "a") as ledger,
    ):
        ledger.known("x", 1, 1)
