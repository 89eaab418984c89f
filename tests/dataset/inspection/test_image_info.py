from __future__ import annotations

import hashlib

import numpy as np
import pytest
from PIL import Image, ImageFilter

from tlkit.dataset.inspection.image_info import (
    COLOR_SIZE,
    LUMA_SIZE,
    Inspected,
    Thumbnails,
    inspect_image,
    measure,
    sharpness,
    shrink,
)
from tlkit.dataset.records import ImageInfo, Rejected


def test_info_of_an_image(tmp_path, draw):
    path = tmp_path / "a é.bmp"
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(draw(0, 0)[:40]).save(path, "PNG", exif=exif)
    inspected = inspect_image(tmp_path, "a é.bmp")
    assert isinstance(inspected, Inspected)
    info, small = inspected.info, inspected.thumbnails
    assert (info.width, info.height) == (40, 64)
    assert info.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert info.format == "PNG"
    assert info.notes == ("exif-orientation-6", "suffix .bmp is PNG")
    assert small.luma.shape == (LUMA_SIZE, LUMA_SIZE)
    assert small.color.shape == (COLOR_SIZE, COLOR_SIZE, 3)
    assert small.luma.dtype == small.color.dtype == np.uint8
    assert info.contrast == pytest.approx(np.std(small.luma))
    fields = small.luma.reshape(16, 8, 16, 8).mean(axis=(1, 3)).ravel()
    expected = (fields - small.luma.mean()) / np.std(small.luma)
    np.testing.assert_allclose(inspected.fields, expected, atol=2e-3)


def known(root, name: str) -> ImageInfo:
    inspected = inspect_image(root, name)
    assert isinstance(inspected, Inspected)
    return inspected.info


def test_where_a_image_comes_from(tmp_path, draw):
    exif = Image.Exif()
    exif[0x010F], exif[0x0110] = "Canon\0", "Canon EOS 5D"
    exif.get_ifd(0x8769)[0x9003] = "2024:05:17 11:02:33"
    exif.get_ifd(0x8769)[0x9291] = "25"
    Image.fromarray(draw(0, 0)).save(tmp_path / "a.jpg", exif=exif)
    info = known(tmp_path, "a.jpg")
    assert (info.camera, info.taken) == ("Canon EOS 5D", "2024:05:17 11:02:33.25")
    exif[0x010F], exif[0x0110] = "OLYMPUS", "E-M1\n\x07" + "x" * 200
    Image.fromarray(draw(0, 0)).save(tmp_path / "a.jpg", exif=exif)
    assert known(tmp_path, "a.jpg").camera == "OLYMPUS E-M1" + "x" * 96


def test_a_plain_image_has_no_fields(tmp_path):
    Image.new("RGB", (40, 40), (9, 9, 9)).save(tmp_path / "a.png")
    inspected = inspect_image(tmp_path, "a.png")
    assert isinstance(inspected, Inspected)
    assert inspected.info.contrast == 0
    assert not inspected.fields.any()


def test_pixel_sha256_is_of_pixels(tmp_path, draw):
    image = Image.fromarray(draw(0, 0))
    image.save(tmp_path / "a.png")
    image.save(tmp_path / "a.bmp")
    Image.fromarray(draw(0, 0).reshape(32, 128, 3)).save(tmp_path / "b.png")
    a, same, other = (known(tmp_path, name) for name in ("a.png", "a.bmp", "b.png"))
    assert a.sha256 != same.sha256
    assert a.pixel_sha256 == same.pixel_sha256
    # the same bytes in another shape are another image
    assert a.pixel_sha256 != other.pixel_sha256


def test_usual_suffixes_are_not_worth_a_note(tmp_path, draw):
    for name in ("a.JPG", "a.jpeg", "a.tif", "a.webp", "a.gif", "a.pgm", "plain"):
        kind = None if "." in name else "PNG"
        image = Image.fromarray(draw(0, 0)).convert("L" if "pgm" in name else "RGB")
        image.save(tmp_path / name, kind)
        assert known(tmp_path, name).notes == ()


def test_sizes_that_are_worth_a_note(tmp_path):
    notes = {
        (32, 32): (),
        (319, 32): (),
        (320, 32): ("narrow",),
        (31, 40): ("tiny",),
        (1, 1): ("tiny",),
        (10, 100): ("tiny", "narrow"),
        (2000, 10): ("tiny", "narrow"),
    }
    for size, expected in notes.items():
        Image.new("RGB", size).save(tmp_path / "a.png")
        assert known(tmp_path, "a.png").notes == expected


def test_what_cannot_be_used(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"notes")
    checksum = hashlib.sha256(b"notes").hexdigest()
    assert inspect_image(tmp_path, "a.jpg") == Rejected(
        "a.jpg", "not-an-image", "The content is no image of a known type.", checksum
    )
    missing = inspect_image(tmp_path, "none.jpg")
    assert isinstance(missing, Rejected)
    assert (missing.reason, missing.sha256) == ("missing", "")


def test_thumbnails_squash_the_whole_image():
    pixels = np.zeros((200, 500, 3), np.uint8)
    pixels[:, 250:] = (255, 0, 0)
    small = shrink(pixels)
    luma, color = small.luma, small.color
    assert luma[:, :60].max() == 0
    # ITU-R 601: 0.299 of red
    assert (luma[:, 68:] == 76).all()
    assert (color[:, 18:] == (255, 0, 0)).all()


def test_a_plain_image_with_a_frame():
    luma = np.full((128, 128), 40, np.uint8)
    luma[:, 64:] = 60
    color = np.zeros((32, 32, 3), np.uint8)
    color[0, :] = (124, 248, 0)
    found = measure(Thumbnails(luma, color))
    assert found["brightness"] == 50
    assert found["contrast"] == 10
    # 32 of the 124 pixels of the edge have that color
    assert found["border"] == (32, 64, 0)


def test_sharpness_by_hand():
    assert sharpness(np.full((8, 8), 200, np.uint8)) == 0
    # A checkerboard of 0 and 1: each gradient is 1, each Laplacian 4 or -4.
    board = (np.indices((8, 8)).sum(axis=0) % 2).astype(np.uint8)
    assert sharpness(board) == pytest.approx(16 / 3)


def test_sharpness_is_of_the_shapes_and_not_of_the_contrast(draw):
    image = Image.fromarray(draw(2, 1, 128)).convert("L")
    sharp = np.array(image)
    pale = (sharp // 3 + 80).astype(np.uint8)
    soft = np.array(image.filter(ImageFilter.GaussianBlur(2)))
    assert sharpness(pale) == pytest.approx(sharpness(sharp), rel=0.15)
    assert sharpness(soft) < sharpness(sharp) / 3


def test_measures_of_an_image(tmp_path):
    Image.new("RGB", (50, 40), (10, 200, 30)).save(tmp_path / "a.png")
    info = known(tmp_path, "a.png")
    assert info.border == (10, 200, 30)
    assert info.brightness == pytest.approx(0.299 * 10 + 0.587 * 200 + 0.114 * 30, 0.01)
    assert info.contrast == 0
    assert info.sharpness == 0
