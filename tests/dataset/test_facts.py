from __future__ import annotations

import hashlib

import numpy as np
from PIL import Image

from tlkit.dataset.facts import COLOUR_SIDE, LUMA_SIDE, Facts, examine, thumbnails
from tlkit.dataset.sources import Rejection


def test_facts_of_a_picture(tmp_path, draw):
    path = tmp_path / "a é.bmp"
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(draw(0, 0)[:40]).save(path, "PNG", exif=exif)
    facts = examine(tmp_path, "a é.bmp")
    assert isinstance(facts, Facts)
    assert (facts.width, facts.height) == (40, 64)
    assert facts.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert facts.format == "PNG"
    assert facts.notes == ("exif-orientation-6", "suffix .bmp is PNG")
    assert facts.luma.shape == (LUMA_SIDE, LUMA_SIDE)
    assert facts.colour.shape == (COLOUR_SIDE, COLOUR_SIDE, 3)
    assert facts.luma.dtype == facts.colour.dtype == np.uint8


def test_pixel_digest_is_of_pixels(tmp_path, draw):
    picture = Image.fromarray(draw(0, 0))
    picture.save(tmp_path / "a.png")
    picture.save(tmp_path / "a.bmp")
    Image.fromarray(draw(0, 0).reshape(32, 128, 3)).save(tmp_path / "b.png")
    a, same, other = (examine(tmp_path, name) for name in ("a.png", "a.bmp", "b.png"))
    assert isinstance(a, Facts)
    assert isinstance(same, Facts)
    assert isinstance(other, Facts)
    assert a.sha256 != same.sha256
    assert a.pixel_digest == same.pixel_digest
    # the same bytes in another shape are another picture
    assert a.pixel_digest != other.pixel_digest


def test_usual_suffixes_are_not_worth_a_note(tmp_path, draw):
    for name in ("a.JPG", "a.jpeg", "a.tif", "a.webp", "a.gif", "a.pgm", "plain"):
        kind = None if "." in name else "PNG"
        image = Image.fromarray(draw(0, 0)).convert("L" if "pgm" in name else "RGB")
        image.save(tmp_path / name, kind)
        facts = examine(tmp_path, name)
        assert isinstance(facts, Facts)
        assert facts.notes == ()


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
        facts = examine(tmp_path, "a.png")
        assert isinstance(facts, Facts)
        assert facts.notes == expected


def test_what_cannot_be_used(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"notes")
    digest = hashlib.sha256(b"notes").hexdigest()
    assert examine(tmp_path, "a.jpg") == Rejection(
        "a.jpg", "not-an-image", "The content is no picture of a known type.", digest
    )
    missing = examine(tmp_path, "none.jpg")
    assert isinstance(missing, Rejection)
    assert (missing.reason, missing.sha256) == ("missing", "")


def test_thumbnails_squash_the_whole_picture():
    pixels = np.zeros((200, 500, 3), np.uint8)
    pixels[:, 250:] = (255, 0, 0)
    luma, colour = thumbnails(pixels)
    assert luma[:, :60].max() == 0
    # ITU-R 601: 0.299 of red
    assert (luma[:, 68:] == 76).all()
    assert (colour[:, 18:] == (255, 0, 0)).all()
