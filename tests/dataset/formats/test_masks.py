from __future__ import annotations

import json
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from tlkit.dataset import formats as sources
from tlkit.dataset.formats.common import read_ids
from tlkit.dataset.formats.detect import claims
from tlkit.dataset.formats.masks import read
from tlkit.dataset.sources.open import open_source
from tlkit.errors import DatasetError
from tlkit.imaging.safe_read import Unusable

IDS = np.zeros((4, 6), np.uint8)
IDS[1:3, 2:5] = 26
IDS[0, 0] = 33
IDS[3] = 255
COLORS = np.dstack([IDS, IDS // 2, IDS // 3])


@pytest.fixture
def root(tmp_path):
    return tmp_path / "photos é"


def save(path, pixels, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)


def image(path, shape=(4, 6, 3)):
    save(path, np.full(shape, 90, np.uint8))


def rgb(ids):
    return np.repeat(ids[..., None], 3, axis=2)


def config(path, **ids):
    labels = {
        name: {"id": i, "name": name, "color": [0, 0, 0]} for name, i in ids.items()
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"labels": labels}))


def parsed(root):
    return read(open_source(root))


def labels(found):
    return [(p.path, p.file, [t.label for t in p.objects]) for p in found.records]


def reasons(found):
    return {r.file: r.reason for r in found.rejected}


def test_what_the_tool_writes(root):
    image(root / "a.jpg")
    save(root / "a_watershed_mask.png", rgb(IDS))
    save(root / "a_mask.png", rgb(np.minimum(IDS, 1)))
    save(root / "a_color_mask.png", COLORS)
    image(root / "b.png")
    save(root / "b_mask.png", rgb(IDS))
    config(root / "config.json", unlabeled=0, car=26, bicycle=33)
    found = parsed(root)
    assert labels(found) == [
        ("a.jpg", "a_watershed_mask.png", ["car", "bicycle"]),
        ("b.png", "b_mask.png", ["car", "bicycle"]),
    ]
    record = found.records[0]
    assert (record.size, record.split) == ((6, 4), None)
    shape = record.objects[0].shapes[0]
    assert (shape.kind, shape.bounds) == ("mask", (2, 1, 5, 3))
    assert shape.pixels().all()
    assert record.objects[0].attributes == {"id": 26}
    assert found.annotation_files == {"a_mask.png", "a_color_mask.png", "config.json"}
    assert found.annotation_of == {
        "a.jpg": "a_watershed_mask.png",
        "b.png": "b_mask.png",
    }
    assert (found.rejected, found.warnings) == ((), ())
    assert claims(open_source(root)) == {"masks": 3}
    assert sources.detect(open_source(root)) == "masks"


def test_ids_without_names(root):
    image(root / "a.jpg")
    save(root / "a_watershed_mask.png", rgb(IDS))
    found = parsed(root)
    assert labels(found) == [("a.jpg", "a_watershed_mask.png", ["id 26", "id 33"])]
    assert "config.json" in found.warnings[0]


def test_names_of_nothing_and_ids_unknown(root):
    image(root / "a.jpg")
    save(root / "a_mask.png", IDS)
    config(root / "config.json", Background=33, edge=255)
    found = parsed(root)
    assert [t.label for t in found.records[0].objects] == ["edge"]
    assert [(r.file, r.reason, r.detail) for r in found.rejected] == [
        ("a_mask.png", "unknown-id", "IDs that the config has no name for: 26.")
    ]


def test_a_config_that_cannot_be_used(root):
    image(root / "a.jpg")
    save(root / "a_mask.png", IDS)
    parts = {"car": {"id": 26}, "x": {"id": "3"}, "y\n": {"id": 5}, "z": 7}
    (root / "config.json").write_text(json.dumps({"labels": parts}))
    (root / "list.json").write_text('{"labels": ["car"]}')
    (root / "cut.json").write_text("{")
    found = parsed(root)
    assert [t.label for t in found.records[0].objects] == ["car"]
    assert [(r.file, r.reason) for r in found.rejected] == [
        *[("config.json", "bad-entry")] * 3,
        ("cut.json", "broken-json"),
        ("a_mask.png", "unknown-id"),
    ]
    config(root / "sub" / "config.json", bus=26)
    with pytest.raises(DatasetError, match="ID 26 has two names: 'car' in"):
        parsed(root)


def test_masks_that_cannot_be_used(root):
    for name in ("color", "cut", "wrong", "photo", "text"):
        image(root / f"{name}.jpg")
    save(root / "color_mask.png", COLORS)
    save(
        root / "cut_mask.png",
        np.random.default_rng(0).integers(9, size=(64, 64)).astype(np.uint8),
    )
    whole = (root / "cut_mask.png").read_bytes()
    (root / "cut_mask.png").write_bytes(whole[: len(whole) // 2])
    save(root / "wrong_mask.png", IDS, format="JPEG")
    save(root / "photo_mask.png", np.arange(240, dtype=np.uint8).reshape(12, 20))
    (root / "text_mask.png").write_text("text")
    save(root / "gone_mask.png", IDS)
    image(root / "only.jpg")
    save(root / "only_color_mask.png", rgb(IDS))
    found = parsed(root)
    assert found.records == ()
    assert reasons(found) == {
        "color_mask.png": "color-mask",
        "cut_mask.png": "damaged",
        "wrong_mask.png": "not-png",
        "photo_mask.png": "too-many-ids",
        "text_mask.png": "not-png",
        "gone_mask.png": "image-missing",
        "only_color_mask.png": "color-mask",
    }


def test_ids_by_kind_of_png(tmp_path):
    path = tmp_path / "m.png"
    palette = Image.frombytes("P", (6, 4), IDS.tobytes())
    palette.putpalette([7, 8, 9] * 256)
    palette.save(path)
    np.testing.assert_array_equal(read_ids(path), IDS)
    wide = IDS.astype(np.uint16) * 200
    Image.fromarray(wide).save(path)
    np.testing.assert_array_equal(read_ids(path), wide)
    Image.fromarray(IDS > 0).save(path)
    np.testing.assert_array_equal(read_ids(path), (IDS > 0).astype(np.uint8))
    with_alpha = np.dstack([rgb(IDS), np.full(IDS.shape, 9, np.uint8)])
    Image.fromarray(with_alpha).save(path)
    np.testing.assert_array_equal(read_ids(path), IDS)


@pytest.mark.parametrize("size", [60_000, 20_000])
def test_a_header_that_claims_too_much(tmp_path, size):
    def chunk(name, data):
        check = struct.pack(">I", zlib.crc32(name + data))
        return struct.pack(">I", len(data)) + name + data + check

    header = struct.pack(">IIBBBBB", size, size, 8, 0, 0, 0, 0)
    data = chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")
    (tmp_path / "m.png").write_bytes(b"\x89PNG\r\n\x1a\n" + data)
    with pytest.raises(Unusable) as caught:
        read_ids(tmp_path / "m.png")
    assert caught.value.reason == "too-many-pixels"


def test_names_with_dots(root):
    # Qt's base name ends at the first dot
    image(root / "img.1.jpg")
    save(root / "img_mask.png", IDS)
    image(root / "two.1.jpg")
    image(root / "two.2.jpg")
    save(root / "two_mask.png", IDS)
    save(root / "two.2_mask.png", IDS)
    found = parsed(root)
    assert [(p.path, p.file) for p in found.records] == [
        ("img.1.jpg", "img_mask.png"),
        ("two.2.jpg", "two.2_mask.png"),
    ]
    assert reasons(found) == {"two_mask.png": "image-missing"}


@pytest.mark.parametrize("folder", ["masks", "Labels", "annotations"])
def test_a_folder_of_masks(root, folder):
    image(root / "x" / "images" / "1" / "a.jpg")
    save(root / "x" / folder / "1" / "a.png", IDS)
    image(root / "x" / "images" / "b.jpg")
    save(root / "x" / folder / "b_mask.png", IDS)
    image(root / "x" / "images" / "c.jpg")
    found = parsed(root)
    assert sorted((p.path, p.file) for p in found.records) == [
        ("x/images/1/a.jpg", f"x/{folder}/1/a.png"),
        ("x/images/b.jpg", f"x/{folder}/b_mask.png"),
    ]
    # these are read where they are asked for only
    assert claims(open_source(root)) == {}


def test_a_split(root):
    for split in ("train", "val"):
        image(root / split / "a.jpg")
        save(root / split / "a_mask.png", IDS)
    image(root / "b.jpg")
    save(root / "b_mask.png", IDS)
    found = parsed(root)
    assert [(p.path, p.split) for p in found.records] == [
        ("train/a.jpg", "train"),
        ("val/a.jpg", "val"),
    ]
    assert reasons(found) == {"b_mask.png": "no-split"}


def test_a_few_such_names_in_class_folders_do_not_make_them_masks(photo_folder):
    root = photo_folder({"disc": 8, "bar": 8})
    for name in ("disc_000", "disc_001"):
        save(root / "disc" / f"{name}_mask.png", IDS)
    with pytest.raises(DatasetError, match="--from folders or --from masks"):
        sources.detect(open_source(root))
    save(root / "bar" / "who_mask.png", IDS)
    for name in ("disc_000", "disc_001"):
        (root / "disc" / f"{name}_mask.png").unlink()
    assert sources.detect(open_source(root)) == "folders"
