from __future__ import annotations

import hashlib

import numpy as np
import pytest
from PIL import Image

from tlkit.dataset.formats import Rejected
from tlkit.dataset.inspection.image_info import (
    COLOR_SIDE,
    LUMA_SIDE,
    Examined,
    ImageInfo,
    examine,
    thumbnails,
)


def test_facts_of_a_image(tmp_path, draw):
    path = tmp_path / "a é.bmp"
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(draw(0, 0)[:40]).save(path, "PNG", exif=exif)
    examined = examine(tmp_path, "a é.bmp")
    assert isinstance(examined, Examined)
    info, look = examined.info, examined.look
    assert (info.width, info.height) == (40, 64)
    assert info.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert info.format == "PNG"
    assert info.notes == ("exif-orientation-6", "suffix .bmp is PNG")
    assert look.luma.shape == (LUMA_SIDE, LUMA_SIDE)
    assert look.color.shape == (COLOR_SIDE, COLOR_SIDE, 3)
    assert look.luma.dtype == look.color.dtype == np.uint8
    assert info.contrast == pytest.approx(np.std(look.luma))
    fields = look.luma.reshape(16, 8, 16, 8).mean(axis=(1, 3)).ravel()
    expected = (fields - look.luma.mean()) / np.std(look.luma)
    np.testing.assert_allclose(examined.fields, expected, atol=2e-3)


def known(root, name: str) -> ImageInfo:
    examined = examine(root, name)
    assert isinstance(examined, Examined)
    return examined.info


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
    examined = examine(tmp_path, "a.png")
    assert isinstance(examined, Examined)
    assert examined.info.contrast == 0
    assert not examined.fields.any()


def test_pixel_digest_is_of_pixels(tmp_path, draw):
    image = Image.fromarray(draw(0, 0))
    image.save(tmp_path / "a.png")
    image.save(tmp_path / "a.bmp")
    Image.fromarray(draw(0, 0).reshape(32, 128, 3)).save(tmp_path / "b.png")
    a, same, other = (known(tmp_path, name) for name in ("a.png", "a.bmp", "b.png"))
    assert a.sha256 != same.sha256
    assert a.pixel_digest == same.pixel_digest
    # the same bytes in another shape are another image
    assert a.pixel_digest != other.pixel_digest


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
    assert examine(tmp_path, "a.jpg") == Rejected(
        "a.jpg", "not-an-image", "The content is no image of a known type.", checksum
    )
    missing = examine(tmp_path, "none.jpg")
    assert isinstance(missing, Rejected)
    assert (missing.reason, missing.sha256) == ("missing", "")


def test_thumbnails_squash_the_whole_image():
    pixels = np.zeros((200, 500, 3), np.uint8)
    pixels[:, 250:] = (255, 0, 0)
    look = thumbnails(pixels)
    luma, color = look.luma, look.color
    assert luma[:, :60].max() == 0
    # ITU-R 601: 0.299 of red
    assert (luma[:, 68:] == 76).all()
    assert (color[:, 18:] == (255, 0, 0)).all()
