from __future__ import annotations

import os

import pytest
from PIL import Image

from tlkit.dataset.inspection import run as module
from tlkit.dataset.inspection.cache import open_image_cache
from tlkit.dataset.inspection.run import inspect_images


@pytest.fixture
def photos(tmp_path, draw, own_cache):
    root = tmp_path / "photos"
    root.mkdir()
    for i in range(5):
        Image.fromarray(draw(i, i)).save(root / f"{i}.png")
    (root / "5.png").write_bytes(b"no image")
    return root


def read(root, told, paths=None, workers=0):
    paths = paths or sorted(path.name for path in root.iterdir())
    with open_image_cache(root) as image_cache:
        return inspect_images(root, paths, image_cache, workers=workers, progress=told)


def test_only_what_is_new_is_read(photos, told, draw):
    info, rejected = read(photos, told)
    assert [image.path for image in info] == [f"{i}.png" for i in range(5)]
    assert [(r.file, r.reason) for r in rejected] == [("5.png", "not-an-image")]
    assert told.tasks == {"Reading images": 6}
    assert told.notes == []

    Image.fromarray(draw(1, 99)).save(photos / "1.png")
    os.utime(photos / "2.png", ns=(5, 5))
    Image.fromarray(draw(2, 98)).save(photos / "6.png")
    again, rejected = read(photos, told)
    # What could not be read is tried again.
    assert told.tasks == {"Reading images": 4}
    assert told.notes == ["3 of 7 images are unchanged since they were last read."]
    assert [image.path for image in again] == [*(f"{i}.png" for i in range(5)), "6.png"]
    assert len(rejected) == 1
    same = [one == other for one, other in zip(info, again, strict=False)]
    assert same == [True, False, True, True, True]


def test_several_at_once_keep_their_order(photos, told, monkeypatch):
    alone, _ = read(photos, told)
    monkeypatch.setattr(module, "AT_ONCE", 2)
    (photos.parent / "other").mkdir()
    for i in range(5):
        (photos.parent / "other" / f"{i}.png").write_bytes(
            (photos / f"{i}.png").read_bytes()
        )
    assert read(photos.parent / "other", told, workers=1)[0] == alone


def test_a_image_that_vanishes_is_told(photos, told):
    info, rejected = read(photos, told, ["0.png", "gone.png"])
    assert len(info) == 1
    assert [(r.file, r.reason) for r in rejected] == [("gone.png", "missing")]
