from __future__ import annotations

import io
import struct
import sys
import warnings
import zlib
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngImageFile

from tlkit.imaging.decode import _heic, decode, measure
from tlkit.imaging.safe_read import Unusable, read_bytes


def encode(image: Image.Image, kind: str, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def reason_of(data: bytes, **options) -> str:
    with pytest.raises(Unusable) as caught:
        decode(data, **options)
    assert caught.value.detail
    return caught.value.reason


# Four distinct quarters, so that each of the eight orientations shows.
QUARTERS = np.zeros((40, 60, 3), np.uint8)
QUARTERS[:20, :30] = (250, 10, 10)
QUARTERS[:20, 30:] = (10, 250, 10)
QUARTERS[20:, :30] = (10, 10, 250)
QUARTERS[20:, 30:] = (240, 240, 240)

# From the stored pixels to what viewers show, by the EXIF standard.
ORIENTED = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: np.rot90(a, 2).swapaxes(0, 1),
    8: lambda a: np.rot90(a),
}


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_orientation_is_applied(kind, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"quality": 95} if kind in {"JPEG", "WEBP"} else {}
    data = encode(Image.fromarray(QUARTERS), kind, exif=exif, **options)
    image = decode(data)
    expected = ORIENTED[orientation](QUARTERS).astype(int)
    assert image.pixels.shape == expected.shape
    # the middle of the quarters, where no codec bleeds
    inner = abs(image.pixels.astype(int) - expected)[5:15, 5:15]
    assert inner.max() < 12
    assert np.abs(image.pixels.astype(int) - expected).mean() < 6
    noted = any(note == f"exif-orientation-{orientation}" for note in image.notes)
    assert noted == (orientation != 1)
    assert measure(data) == expected.shape[1::-1]


def test_measure_does_not_decode(monkeypatch):
    plain = encode(Image.fromarray(QUARTERS), "PNG")
    monkeypatch.setattr(PngImageFile, "load", None)
    assert measure(plain) == (60, 40)
    for data, reason in (
        (b"", "empty"),
        (b"text", "not-an-image"),
        (huge_png(65_000, 65_000), "too-many-pixels"),
    ):
        with pytest.raises(Unusable) as caught:
            measure(data)
        assert caught.value.reason == reason


def test_measure_finds_an_orientation_at_the_end_of_a_png():
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encode(Image.fromarray(QUARTERS), "PNG", exif=exif)
    start = data.index(b"eXIf") - 4
    size = int.from_bytes(data[start : start + 4], "big")
    chunk, rest = data[start : start + size + 12], data[start + size + 12 :]
    late = data[:start] + rest[:-12] + chunk + rest[-12:]
    assert measure(late) == (40, 60)
    assert decode(late).pixels.shape == (60, 40, 3)


@pytest.mark.parametrize("value", [0, 9, 300])
def test_orientation_that_does_not_exist_is_ignored(value):
    exif = Image.Exif()
    exif[0x0112] = value
    data = encode(Image.fromarray(QUARTERS), "PNG", exif=exif)
    np.testing.assert_array_equal(decode(data).pixels, QUARTERS)


def test_broken_exif_does_not_cost_the_image():
    data = encode(Image.fromarray(QUARTERS), "JPEG", exif=b"Exif\0\0nonsense")
    assert decode(data).pixels.shape == QUARTERS.shape


def test_exif_whose_inner_part_is_broken(monkeypatch):
    def fail(*_):
        raise SyntaxError("not a TIFF file")

    exif = Image.Exif()
    exif[0x010F] = "Maker"
    data = encode(Image.fromarray(QUARTERS), "JPEG", exif=exif)
    monkeypatch.setattr(Image.Exif, "get_ifd", fail)
    image = decode(data)
    assert (image.camera, image.taken) == ("Maker", "")


def test_camera_and_time():
    exif = Image.Exif()
    exif[0x010F], exif[0x0110] = "Maker\0rest", "Maker Model\n 5"
    exif.get_ifd(0x8769).update({0x9003: "2024:05:17 11:02:33", 0x9291: "25"})
    image = decode(encode(Image.fromarray(QUARTERS), "JPEG", exif=exif))
    assert image.camera == "Maker Model 5"
    assert image.taken == "2024:05:17 11:02:33.25"
    exif[0x0110] = "Model"
    del exif.get_ifd(0x8769)[0x9291]
    image = decode(encode(Image.fromarray(QUARTERS), "PNG", exif=exif))
    assert image.camera == "Maker Model"
    assert image.taken == "2024:05:17 11:02:33"
    plain = decode(encode(Image.fromarray(QUARTERS), "JPEG"))
    assert (plain.camera, plain.taken) == ("", "")


def test_cmyk_jpeg():
    inks = np.zeros((16, 16, 4), np.uint8)
    inks[..., 0] = 255  # cyan: no red
    image = decode(encode(Image.fromarray(inks, "CMYK"), "JPEG", quality=95))
    assert image.format == "JPEG"
    assert "cmyk" in image.notes
    red, green, blue = image.pixels.reshape(-1, 3).mean(axis=0)
    assert red < 10
    assert green > 240
    assert blue > 240


# Corners of the color cube as inks, 0 for none, and as they look.
INKS = np.array([[[0, 0, 0, 0], [255, 0, 0, 0], [0, 255, 0, 0], [0, 0, 255, 255]]])
LOOK = [[255, 255, 255], [0, 255, 255], [255, 0, 255], [0, 0, 0]]


def adobe_jpeg(samples: np.ndarray, transform: int) -> bytes:
    """A JPEG of four components as they are, with the marker of Adobe's programs."""
    tiles = samples.astype(np.uint8).repeat(16, axis=0).repeat(16, axis=1)
    # Pillow stores the opposite of what it is given.
    image = Image.fromarray(255 - tiles, "CMYK")
    data = encode(image, "JPEG", quality=100, subsampling=0)
    start = data.index(b"Adobe")
    assert data[start - 4 : start - 2] == b"\xff\xee"  # APP14
    # version, two words of flags, then how the components are to be taken
    assert data[start + 11] == 0
    return data[: start + 11] + bytes([transform]) + data[start + 12 :]


@pytest.mark.parametrize("transform", [0, 2])
def test_cmyk_as_adobe_writes_it(transform):
    """Inks are stored inverted, 255 for none; as YCCK the first three as YCbCr."""
    samples = 255 - INKS
    if transform == 2:
        red, green, blue = np.moveaxis(INKS[..., :3].astype(float), -1, 0)
        samples = np.stack(
            [
                0.299 * red + 0.587 * green + 0.114 * blue,
                128 - 0.168736 * red - 0.331264 * green + 0.5 * blue,
                128 + 0.5 * red - 0.418688 * green - 0.081312 * blue,
                255 - INKS[..., 3],
            ],
            axis=-1,
        )
        samples = samples.round().clip(0, 255)
    image = decode(adobe_jpeg(samples, transform))
    assert image.notes == ("cmyk",)
    assert image.pixels.shape == (16, 64, 3)
    np.testing.assert_allclose(image.pixels[8, 8::16], LOOK, atol=3)


def test_alpha_is_laid_over_white():
    pixels = np.zeros((2, 2, 4), np.uint8)
    pixels[0, 0] = (200, 0, 0, 255)
    pixels[0, 1] = (200, 0, 0, 128)
    pixels[1, 0] = (200, 0, 0, 0)
    image = decode(encode(Image.fromarray(pixels), "PNG"))
    assert "alpha-on-white" in image.notes
    # (128 * 200 + 127 * 255) / 255 = 227.4 and 127 * 255 / 255 = 127
    np.testing.assert_allclose(image.pixels[0, 1], [227, 127, 127], atol=1)
    np.testing.assert_array_equal(image.pixels[0, 0], [200, 0, 0])
    np.testing.assert_array_equal(image.pixels[1, 0], [255, 255, 255])


def test_opaque_alpha_is_not_noted():
    data = encode(Image.fromarray(QUARTERS).convert("RGBA"), "PNG")
    image = decode(data)
    assert image.notes == ()
    np.testing.assert_array_equal(image.pixels, QUARTERS)


def test_gray_with_alpha():
    pixels = np.array([[[100, 255], [100, 0]]], np.uint8)
    image = decode(encode(Image.fromarray(pixels, "LA"), "PNG"))
    np.testing.assert_array_equal(image.pixels[0], [[100] * 3, [255] * 3])


def test_palette_with_transparency():
    image = Image.fromarray(np.array([[0, 1]], np.uint8), "P")
    image.putpalette([10, 20, 30, 40, 50, 60])
    plain = decode(encode(image, "PNG"))
    np.testing.assert_array_equal(plain.pixels[0], [[10, 20, 30], [40, 50, 60]])
    clear = decode(encode(image, "PNG", transparency=0))
    np.testing.assert_array_equal(clear.pixels[0], [[255] * 3, [40, 50, 60]])


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "PPM"])
def test_16_bit_is_scaled_not_clipped(kind):
    values = np.array([[0, 255, 256, 4095], [32768, 40000, 65280, 65535]], np.uint16)
    image = decode(encode(Image.fromarray(values), kind))
    expected = [[0, 0, 1, 15], [128, 156, 255, 255]]
    np.testing.assert_array_equal(image.pixels[..., 1], expected)
    assert "16-bit" in image.notes


def test_32_bit_integers_beyond_16_bit_are_stretched():
    values = np.array([[0, 50_000, 100_000]], np.int32)
    image = decode(encode(Image.fromarray(values), "TIFF"))
    np.testing.assert_array_equal(image.pixels[0, :, 0], [0, 128, 255])


def test_floats():
    unit = np.array([[0, 0.5, 1]], np.float32)
    image = decode(encode(Image.fromarray(unit), "TIFF"))
    np.testing.assert_array_equal(image.pixels[0, :, 0], [0, 128, 255])
    wide = np.array([[-10, 0, 10]], np.float32)
    image = decode(encode(Image.fromarray(wide), "TIFF"))
    np.testing.assert_array_equal(image.pixels[0, :, 0], [0, 128, 255])
    flat = np.full((1, 3), 7, np.float32)
    image = decode(encode(Image.fromarray(flat), "TIFF"))
    np.testing.assert_array_equal(image.pixels[0, :, 0], [0, 0, 0])
    wide[0, 1] = np.nan
    assert reason_of(encode(Image.fromarray(wide), "TIFF")) == "not-finite"


def test_one_bit():
    bits = Image.fromarray(np.array([[0, 255]], np.uint8)).convert("1")
    image = decode(encode(bits, "PNG"))
    np.testing.assert_array_equal(image.pixels[0], [[0] * 3, [255] * 3])


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF", "MPO"])
def test_first_of_several_frames(kind):
    first = Image.fromarray(np.full((16, 16, 3), (0, 0, 200), np.uint8))
    second = Image.fromarray(np.full((16, 16, 3), (200, 0, 0), np.uint8))
    data = encode(first, kind, save_all=True, append_images=[second])
    image = decode(data)
    assert "first-frame" in image.notes
    np.testing.assert_allclose(
        image.pixels.mean(axis=(0, 1)), [0, 0, 200], rtol=0, atol=6
    )


def test_gray_becomes_three_channels():
    data = encode(Image.fromarray(np.array([[7, 9]], np.uint8)), "PNG")
    np.testing.assert_array_equal(decode(data).pixels, [[[7] * 3, [9] * 3]])


def test_one_pixel():
    data = encode(Image.new("RGB", (1, 1), (1, 2, 3)), "BMP")
    np.testing.assert_array_equal(decode(data).pixels, [[[1, 2, 3]]])


def test_what_is_no_image():
    assert reason_of(b"") == "empty"
    assert reason_of(b"these are notes") == "not-an-image"
    assert reason_of(b"<svg xmlns='http://www.w3.org/2000/svg'/>") == "not-an-image"
    assert reason_of(b"%!PS-Adobe-3.0 EPSF-3.0") == "not-an-image"
    assert reason_of(b"\xff\xd8\xff") == "damaged"


HEIC = b"\0\0\0\x18ftypheic" + b"\0" * 20


@pytest.fixture
def heic_library(monkeypatch):
    """Sets what importing pillow-heif gives, None for an ImportError."""

    def pretend(module) -> None:
        monkeypatch.setitem(sys.modules, "pillow_heif", module)

    _heic.cache_clear()
    yield pretend
    _heic.cache_clear()


def test_heic_without_the_library(heic_library):
    heic_library(None)
    with pytest.raises(Unusable, match="pip install 'tlkit") as caught:
        decode(HEIC)
    assert caught.value.reason == "heic"
    assert "JPEG or PNG" in caught.value.hint


def test_heic_is_registered_once_and_only_when_it_comes(heic_library, monkeypatch):
    calls = []
    heic_library(SimpleNamespace(register_heif_opener=lambda: calls.append(1)))
    monkeypatch.setitem(Image.OPEN, "HEIF", OPENS_NONE)
    decode(encode(Image.new("RGB", (2, 2)), "PNG"))
    assert calls == []
    assert [reason_of(HEIC), reason_of(HEIC)] == ["damaged", "damaged"]
    assert calls == [1]


# How Pillow keeps a format: what opens it, and what accepts its beginning.
OPENS_NONE = None, lambda _: False


def test_heic_with_the_library(draw):
    pytest.importorskip("pillow_heif")
    _heic()
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encode(Image.fromarray(QUARTERS), "HEIF", quality=95, exif=exif)
    image = decode(data)
    assert image.format == "HEIF"
    # HEIF turns by a property of its own; what EXIF has of it is for information
    assert image.notes == ()
    assert image.pixels.shape == QUARTERS.shape
    assert np.abs(image.pixels.astype(int) - QUARTERS).mean() < 6
    assert reason_of(data, max_pixels=2399) == "too-many-pixels"
    assert reason_of(data[: len(data) // 2]) in {"truncated", "damaged"}


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP", "PPM"])
def test_what_is_cut_off(kind, draw):
    data = encode(Image.fromarray(draw(0, 0)), kind)
    assert decode(data).pixels.shape == (64, 64, 3)
    for share in (0.05, 0.5, 0.9):
        reason = reason_of(data[: int(len(data) * share)])
        assert reason in {"truncated", "damaged", "not-an-image"}


def test_every_damage_is_named(draw):
    """Whatever bytes come, it is an image or an Unusable."""
    rng = np.random.default_rng(0)
    counts = {"read": 0, "refused": 0}
    for kind in ("JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP", "PPM", "JPEG2000"):
        data = np.frombuffer(encode(Image.fromarray(draw(1, 1)), kind), np.uint8)
        for _ in range(40):
            damaged = data.copy()
            damaged[rng.integers(0, min(len(data), 200), 4)] = rng.integers(0, 256, 4)
            try:
                assert decode(damaged.tobytes()).pixels.dtype == np.uint8
                counts["read"] += 1
            except Unusable:
                counts["refused"] += 1
    assert sum(counts.values()) == 320
    assert counts["refused"] > 20


def test_too_large_for_the_memory(monkeypatch):
    def fail(_):
        raise MemoryError

    monkeypatch.setattr("tlkit.imaging.decode.to_rgb", fail)
    data = encode(Image.new("RGB", (2, 2)), "PNG")
    assert reason_of(data) == "no-memory"


def test_a_bomb_by_pillows_measure(monkeypatch):
    # beyond Pillow's own limit, even where ours is set higher
    assert reason_of(huge_png(15_000, 15_000), max_pixels=10**9) == "too-many-pixels"


def test_frames_that_cannot_be_counted(monkeypatch):
    from PIL import GifImagePlugin

    def fail(_):
        raise EOFError

    monkeypatch.setattr(GifImagePlugin.GifImageFile, "is_animated", property(fail))
    data = encode(Image.new("RGB", (4, 4), (9, 9, 9)), "GIF")
    assert decode(data).pixels.shape == (4, 4, 3)


def huge_png(width: int, height: int) -> bytes:
    def chunk(name: bytes, content: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(name + content))
        return struct.pack(">I", len(content)) + name + content + check

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    start = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header)
    return start + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.parametrize("size", [(11_000, 11_000), (15_000, 10_000), (65_000, 65_000)])
def test_too_many_pixels_are_refused_by_the_header(size):
    assert reason_of(huge_png(*size)) == "too-many-pixels"


def test_the_cap_can_be_set():
    data = encode(Image.new("RGB", (20, 20)), "PNG")
    assert reason_of(data, max_pixels=399) == "too-many-pixels"
    assert decode(data, max_pixels=400).pixels.shape == (20, 20, 3)


def test_no_warning_leaks():
    # More than Pillow's warning limit, less than ours: it is cut off, that is all.
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert reason_of(huge_png(10_000, 10_000)) in {"truncated", "damaged"}


def test_shared_images(shared_data):
    folder = shared_data / "duplicates"
    formats = {
        path.suffix: decode(read_bytes(path))
        for path in sorted((folder / "formats_images").glob("ukbench09380.*"))
    }
    assert len(formats) == 5
    for suffix in (".bmp", ".jpeg", ".png", ".svg"):
        assert formats[suffix].format == "JPEG"
        assert formats[suffix].pixels.shape == (480, 640, 3)
    assert formats[".webp"].format == "WEBP"
    oriented = decode(read_bytes(folder / "base_images" / "ukbench09268.jpg"))
    assert oriented.notes == ("exif-orientation-6",)
    assert oriented.pixels.shape == (640, 480, 3)
    giphy = decode(read_bytes(folder / "formats_images" / "giphy.gif"))
    assert "first-frame" in giphy.notes
    corrupt = sorted(folder.rglob("*_corrupt.jpg"))
    assert len(corrupt) == 2
    for path in corrupt:
        assert reason_of(read_bytes(path)) == "not-an-image"


@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.9])
def test_a_damaged_png_is_refused_however_little_is_lost(draw, share):
    """Pillow, asked for EXIF first, would hand out what it could decode, then black."""
    buffer = io.BytesIO()
    Image.fromarray(draw(0, 0, 200)).save(buffer, "PNG")
    data = bytearray(buffer.getvalue())
    start = data.index(b"IDAT") + 4
    place = start + int(share * (len(data) - start - 20))
    for i in range(4):
        data[place + i] ^= 0xFF
    with pytest.raises(Unusable) as caught:
        decode(bytes(data))
    assert caught.value.reason in {"damaged", "truncated"}
