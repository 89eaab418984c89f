from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image

from tlkit.progress import Silent
from tlkit.reports.thumbnails import MAX_BYTES, PageImages, draw_parts


def opened(content: bytes) -> Image.Image:
    return Image.open(io.BytesIO(content), formats=["JPEG"])


def test_parts_of_an_image(tmp_path):
    pixels = np.zeros((300, 600, 3), np.uint8)
    pixels[100:200, 300:400] = (250, 0, 0)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    boxes = (None, (300, 100, 400, 200), (0, 0, 20, 60), (700, 0, 800, 9))
    whole, red, black, outside = draw_parts(tmp_path, 20_000, ("a.png", boxes))
    assert opened(whole).size == (224, 112)
    assert opened(red).size == (100, 100)
    assert opened(red).getpixel((50, 50)) == pytest.approx((250, 0, 0), abs=4)
    assert opened(black).size == (20, 60)
    assert outside == b""


def test_a_large_jpeg_lies_as_its_exif_says(tmp_path):
    pixels = np.zeros((1600, 3200, 3), np.uint8)
    pixels[:, 1600:] = 255
    exif = Image.Exif()
    exif[0x0112] = 6  # turned to the right: what was left is up
    Image.fromarray(pixels).save(tmp_path / "a.jpg", exif=exif)
    [content] = draw_parts(tmp_path, 20_000, ("a.jpg", (None,)))
    image = opened(content).convert("L")
    assert image.size == (112, 224)
    assert image.getpixel((56, 10)) == 0
    assert image.getpixel((56, 214)) == 255


@pytest.mark.parametrize("limit", [3_000, 8_000])
def test_noise_stays_within_its_bytes(tmp_path, limit):
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (500, 500, 3)).astype(np.uint8)
    Image.fromarray(noise).save(tmp_path / "a.png")
    [content] = draw_parts(tmp_path, limit, ("a.png", (None,)))
    assert 500 < len(content) <= limit


@pytest.mark.parametrize("size", [(1, 1), (3000, 2), (2, 3000)])
def test_odd_sizes(tmp_path, size):
    Image.new("RGB", size, (0, 200, 0)).save(tmp_path / "a.png")
    [content] = draw_parts(tmp_path, 20_000, ("a.png", (None,)))
    assert max(opened(content).size) == min(max(size), 224)


def test_all_images_are_drawn_at_once(tmp_path, draw, told):
    Image.fromarray(draw(0, 0)).save(tmp_path / "a.png")
    thumbnails = PageImages()
    one = thumbnails.add("a.png", None, "one")
    part = thumbnails.add("a.png", (0, 0, 30, 20), "part")
    gone = thumbnails.add("b.png", None, "gone <b>")
    thumbnails.draw(tmp_path, 0, told)
    assert told.tasks == {"Drawing the page": 2}
    assert told.done == 2
    sizes = []
    for image in (one, part):
        kind, _, code = image.src.partition(",")
        assert kind == "data:image/jpeg;base64"
        sizes.append(opened(base64.b64decode(code)).size)
    assert sizes == [(64, 64), (30, 20)]
    assert gone.src == ""
    PageImages().draw(tmp_path, 0, Silent())


def test_thumbnails_share_the_bytes_of_a_page(tmp_path):
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (300, 300, 3)).astype(np.uint8)
    Image.fromarray(noise).save(tmp_path / "a.png")
    thumbnails = PageImages()
    images = [thumbnails.add("a.png", None, "") for _ in range(744)]
    thumbnails.draw(tmp_path, 0, Silent())
    # in base64
    assert sum(len(p.src) for p in images) <= MAX_BYTES * 4 / 3 + 744 * 40
