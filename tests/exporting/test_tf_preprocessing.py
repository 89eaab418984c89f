import io
from typing import Any, Literal

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tlkit.exporting import tf_preprocessing
from tlkit.imaging.decode import decode
from tlkit.imaging.resize import (
    REDUCTIONS,
    RESIZES,
    decode_resized,
    may_reduce,
    reduction,
)


def encoded(image, kind, **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def turned(kind, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return {"exif": exif} if kind != "WEBP" else {"exif": exif, "lossless": True}


@pytest.fixture(scope="module")
def image():
    yy, xx = np.mgrid[:47, :90]
    rows = np.stack([yy * 5, xx * 2, (xx + yy) % 256], axis=-1)
    return Image.fromarray(rows.astype(np.uint8))


@pytest.fixture(scope="module", params=RESIZES)
def graph(request):
    """The serving graph for one way to resize, and that way."""
    resize = request.param

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def serve(data):
        return tf_preprocessing.decode_and_fit(data, 40, resize)

    return serve, resize


def differences(graph, data):
    serve, resize = graph
    pixels = serve(tf.constant([data]))[0].numpy().astype(int)
    wanted = decode_resized(data, 40, resize).astype(int)
    return np.abs(pixels - wanted)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_all_eight_orientations_are_applied(graph, image, kind):
    for orientation in range(1, 9):
        data = encoded(image, kind, **turned(kind, orientation))
        assert differences(graph, data).max() <= 1, orientation


def test_odd_images_are_treated_by_the_same_policy(graph, image):
    ramp = Image.fromarray(np.tile(np.arange(90, dtype=np.uint8) * 2, (47, 1)))
    veiled = image.convert("RGBA")
    veiled.putalpha(ramp)
    deep = Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 256)
    for name, data in {
        "cmyk": encoded(image.convert("CMYK"), "JPEG"),
        "gray": encoded(image.convert("L"), "JPEG"),
        "gray png": encoded(image.convert("L"), "PNG"),
        "veiled": encoded(veiled, "PNG"),
        "veiled webp": encoded(veiled, "WEBP", lossless=True),
        "palette": encoded(image.convert("P"), "PNG"),
        "16 bit": encoded(deep, "PNG"),
        "gif": encoded(image, "GIF"),
        "bmp": encoded(image, "BMP"),
        "progressive": encoded(image, "JPEG", progressive=True),
        "one pixel": encoded(image.crop((0, 0, 1, 1)), "PNG"),
        "narrow": encoded(image.crop((0, 0, 3, 47)), "PNG"),
    }.items():
        assert differences(graph, data).max() <= 1, name


def large_jpegs(image):
    """JPEGs that are reduced for 40 pixels, and one whose sides do not divide."""
    large = image.resize((720, 400), Image.Resampling.BICUBIC)
    grain = np.random.default_rng(0).integers(-30, 31, (400, 720, 3))
    grainy = Image.fromarray((np.array(large) + grain).clip(0, 255).astype(np.uint8))
    yield "4:2:0", encoded(grainy, "JPEG", subsampling="4:2:0")
    yield "4:2:2", encoded(grainy, "JPEG", subsampling="4:2:2")
    yield "4:4:4", encoded(grainy, "JPEG", subsampling="4:4:4", quality=95)
    yield "gray", encoded(grainy.convert("L"), "JPEG")
    yield "cmyk", encoded(grainy.convert("CMYK"), "JPEG")
    yield "progressive", encoded(grainy, "JPEG", progressive=True)
    yield "odd", encoded(grainy.crop((0, 0, 717, 399)), "JPEG")
    for orientation in range(1, 9):
        options = turned("JPEG", orientation)
        yield f"orientation {orientation}", encoded(grainy, "JPEG", **options)


def test_large_jpegs_are_treated_by_the_same_policy(graph, image):
    for name, data in large_jpegs(image):
        assert differences(graph, data).max() <= 1, name


def test_shared_photos_are_served_as_predicted(graph, shared_data):
    reduced = 0
    for path in sorted((shared_data / "hymenoptera" / "val").glob("*/*.jpg")):
        with Image.open(path) as image:
            reduced += reduction(*image.size, 40, graph[1]) > 1
        assert differences(graph, path.read_bytes()).max() <= 1, path.name
    assert reduced > 10


@pytest.mark.parametrize("by", [1, *REDUCTIONS])
def test_a_reduced_jpeg_has_the_same_pixels_in_both_decoders(image, by):
    for name, data in large_jpegs(image):
        if name != "odd" and "orientation" not in name:
            size = 133 // by  # 3 * 133 = 399, of 400
            assert reduction(720, 400, size, "squash") == by
            wanted = decode(data, reduce=lambda *_: by).pixels
            assert wanted.shape == (400 // by, 720 // by, 3)
            pixels = tf_preprocessing.decode(tf.constant(data), size, "squash").numpy()
            np.testing.assert_array_equal(pixels, wanted, err_msg=name)


@pytest.mark.parametrize("resize", RESIZES)
def test_the_rule_is_the_same_for_tensors(resize):
    sides = np.random.default_rng(0).integers(1, 300, (2, 500)).astype(np.int32) * 4
    for by in REDUCTIONS:
        width, height = map(tf.constant, sides)
        allowed: Any = may_reduce(width, height, by, 20, resize)
        wanted = [may_reduce(w, h, by, 20, resize) for w, h in sides.T.tolist()]
        assert 0 < sum(wanted) < 500
        assert allowed.numpy().tolist() == wanted


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
    assert tf_preprocessing.orientation(tf.constant(data)).numpy() == 1


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
        assert (
            tf_preprocessing.orientation(tf.constant(data + b"\xff\xda")).numpy() == 6
        )
