import io
from typing import Literal

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tlkit.dataset import images
from tlkit.run import serving


def encoded(picture, kind, **options):
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def turned(kind, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return {"exif": exif} if kind != "WEBP" else {"exif": exif, "lossless": True}


@pytest.fixture(scope="module")
def picture():
    yy, xx = np.mgrid[:47, :90]
    rows = np.stack([yy * 5, xx * 2, (xx + yy) % 256], axis=-1)
    return Image.fromarray(rows.astype(np.uint8))


@pytest.fixture(scope="module", params=images.RESIZES)
def graph(request):
    """The serving graph for one way to resize, and that way."""
    resize = request.param

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def serve(data):
        return serving.decode_and_fit(data, 40, resize)

    return serve, resize


def differences(graph, data):
    serve, resize = graph
    pixels = serve(tf.constant([data]))[0].numpy().astype(int)
    wanted = images.fit(images.decode(data).pixels, 40, resize).astype(int)
    return np.abs(pixels - wanted)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_all_eight_orientations_are_applied(graph, picture, kind):
    for orientation in range(1, 9):
        data = encoded(picture, kind, **turned(kind, orientation))
        assert differences(graph, data).max() <= 1, orientation


def test_odd_pictures_are_treated_by_the_same_policy(graph, picture):
    ramp = Image.fromarray(np.tile(np.arange(90, dtype=np.uint8) * 2, (47, 1)))
    veiled = picture.convert("RGBA")
    veiled.putalpha(ramp)
    deep = Image.fromarray(np.asarray(picture.convert("L")).astype(np.uint16) * 256)
    for name, data in {
        "cmyk": encoded(picture.convert("CMYK"), "JPEG"),
        "grey": encoded(picture.convert("L"), "JPEG"),
        "grey png": encoded(picture.convert("L"), "PNG"),
        "veiled": encoded(veiled, "PNG"),
        "veiled webp": encoded(veiled, "WEBP", lossless=True),
        "palette": encoded(picture.convert("P"), "PNG"),
        "16 bit": encoded(deep, "PNG"),
        "gif": encoded(picture, "GIF"),
        "bmp": encoded(picture, "BMP"),
        "progressive": encoded(picture, "JPEG", progressive=True),
        "one pixel": encoded(picture.crop((0, 0, 1, 1)), "PNG"),
        "narrow": encoded(picture.crop((0, 0, 3, 47)), "PNG"),
    }.items():
        assert differences(graph, data).max() <= 1, name


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xd8\xff\xe1",
        b"\x89PNG\r\n\x1a\n" + b"\xff" * 40,
        b"RIFF\xff\xff\xff\xffWEBP" + b"\xff" * 40,
        b"\xff\xd8\xff\xe1\x00\x20Exif\x00\x00MM\x00*\xff\xff\xff\xff" + b"\0" * 20,
        b"\xff\xd8" + b"\xff\xe0\x00\x00" * 5,
    ],
)
def test_the_search_for_exif_ends_on_damaged_data(data):
    assert serving.orientation(tf.constant(data)).numpy() == 1


def test_both_byte_orders_are_read():
    orders: tuple[tuple[Literal["little", "big"], bytes], ...]
    orders = (("little", b"II*\0"), ("big", b"MM\0*"))
    for order, number in orders:
        value = (6).to_bytes(2, order) + b"\0\0"
        tag = (0x0112).to_bytes(2, order) + (3).to_bytes(2, order)
        entry = tag + (1).to_bytes(4, order) + value
        tiff = number + (8).to_bytes(4, order) + (1).to_bytes(2, order) + entry
        block = b"Exif\0\0" + tiff
        data = b"\xff\xd8\xff\xe1" + (len(block) + 2).to_bytes(2, "big") + block
        assert serving.orientation(tf.constant(data + b"\xff\xda")).numpy() == 6
