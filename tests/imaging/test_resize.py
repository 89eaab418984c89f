from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from tlkit.imaging.decode import ORIENTATION_TAG, decode
from tlkit.imaging.resize import (
    PAD_COLOR,
    REDUCTIONS,
    RESIZES,
    crop,
    decode_resized,
    fit,
    may_reduce,
    reduction,
)
from tlkit.imaging.safe_read import Unusable


def encode(pixels: np.ndarray, kind: str = "JPEG", mode: str = "RGB", **options):
    buffer = io.BytesIO()
    options = {"quality": 92} | options if kind == "JPEG" else options
    Image.fromarray(pixels).convert(mode).save(buffer, kind, **options)
    return buffer.getvalue()


def whole(data: bytes, size: int, resize: str) -> np.ndarray:
    return fit(decode(data).pixels, size, resize)


def reduced(data: bytes, by: int) -> np.ndarray:
    return decode(data, reduce=lambda width, height: by).pixels


@pytest.fixture(scope="module")
def scene() -> np.ndarray:
    """Soft shapes, hard edges and grain, 640 x 480."""
    rng = np.random.default_rng(0)
    soft = Image.fromarray(rng.integers(0, 256, (6, 8, 3), np.uint8))
    pixels = np.array(soft.resize((640, 480), Image.Resampling.BICUBIC)).astype(int)
    yy, xx = np.mgrid[:480, :640]
    pixels[(yy - 200) ** 2 + (xx - 300) ** 2 < 90**2] = (200, 30, 60)
    pixels += rng.normal(0, 8, (480, 640, 1)).astype(int)
    return pixels.clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize(
    ("width", "height", "size", "resize", "expected"),
    [
        # 3 * 224 * 4 = 2688 <= 3000 < 5376
        (4000, 3000, 224, "squash", 4),
        (3000, 4000, 224, "squash", 4),
        # 3 * 125 * 8 = 3000, and half the gap of 1000 is no multiple of 8 but of 4
        (4000, 3000, 125, "squash", 8),
        (4000, 3000, 125, "crop", 4),
        (4000, 3000, 126, "squash", 4),
        # the long side: 3 * 166 * 8 = 3984, 3 * 167 * 8 = 4008
        (4000, 3000, 166, "pad", 8),
        (4000, 3000, 167, "pad", 4),
        (4000, 12, 100, "pad", 4),
        # 3 * 224 * 2 = 1344
        (1344, 1344, 224, "squash", 2),
        (1342, 1342, 224, "squash", 1),
        (500, 375, 224, "squash", 1),
        (500, 376, 150, "pad", 1),
        # 1365 is odd, 2998 a multiple of 2 only
        (2048, 1365, 100, "squash", 1),
        (4000, 2998, 100, "squash", 2),
        # nothing is larger than 8
        (64_000, 64_000, 32, "crop", 8),
    ],
)
def test_the_rule(width, height, size, resize, expected):
    assert reduction(width, height, size, resize) == expected
    assert reduction(height, width, size, resize) == expected


def test_a_reduction_implies_the_smaller_ones():
    rng = np.random.default_rng(0)
    seen = set()
    for width, height in rng.integers(1, 300, (400, 2)) * 4:
        for resize in RESIZES:
            allowed = [may_reduce(width, height, by, 20, resize) for by in REDUCTIONS]
            assert allowed == sorted(allowed, reverse=True)
            seen.add(sum(allowed))
    assert seen == {0, 1, 2, 3}


def test_at_an_eighth_each_block_is_one_pixel():
    blocks = np.random.default_rng(0).integers(0, 256, (20, 30), np.uint8)
    data = encode(blocks.repeat(8, 0).repeat(8, 1), mode="L", quality=100)
    expected = np.repeat(blocks[..., None], 3, axis=2).astype(int)
    assert np.abs(reduced(data, 8) - expected).max() <= 1


@pytest.mark.parametrize("by", REDUCTIONS)
def test_one_color_stays_itself(by):
    data = encode(np.full((96, 160, 3), (90, 160, 40), np.uint8), quality=100)
    pixels = reduced(data, by)
    assert pixels.shape == (96 // by, 160 // by, 3)
    assert np.array_equal(
        pixels, np.broadcast_to(decode(data).pixels[0, 0], pixels.shape)
    )


@pytest.mark.parametrize("resize", RESIZES)
@pytest.mark.parametrize(
    ("mode", "options"),
    [
        ("RGB", {"subsampling": "4:2:0"}),
        ("RGB", {"subsampling": "4:4:4"}),
        ("RGB", {"progressive": True}),
        ("L", {}),
        ("CMYK", {}),
    ],
)
def test_near_the_whole_image(scene, resize, mode, options):
    data = encode(scene, mode=mode, **options)
    for size, by in ((80, 2), (40, 4), (20, 8)):
        assert reduction(640, 480, size, resize) == by
        difference = decode_resized(data, size, resize) - whole(
            data, size, resize
        ).astype(int)
        assert np.percentile(np.abs(difference), 99) <= 2
        assert np.abs(difference).max() <= 8
        assert abs(difference.mean()) < 0.2


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied(scene, orientation):
    exif = Image.Exif()
    exif[ORIENTATION_TAG] = orientation
    data = encode(scene, exif=exif)
    for resize in RESIZES:
        difference = decode_resized(data, 40, resize) - whole(data, 40, resize).astype(
            int
        )
        assert np.percentile(np.abs(difference), 99) <= 2


def test_the_first_image_of_several(scene):
    buffer = io.BytesIO()
    other = Image.fromarray(255 - scene)
    Image.fromarray(scene).save(buffer, "MPO", save_all=True, append_images=[other])
    image = decode(buffer.getvalue(), reduce=lambda width, height: 4)
    assert (image.format, image.notes) == ("MPO", ("first-frame",))
    assert image.pixels.shape == (120, 160, 3)
    difference = whole(encode(scene, "PNG"), 40, "squash").astype(int) - decode_resized(
        buffer.getvalue(), 40, "squash"
    )
    assert np.abs(difference).mean() < 2


def test_exactly_the_whole_image_where_nothing_is_reduced(scene):
    for data in (
        encode(scene, "PNG"),
        encode(scene[:479]),
        encode(scene[:232, :232]),
    ):
        for resize in RESIZES:
            expected = whole(data, 40, resize)
            np.testing.assert_array_equal(decode_resized(data, 40, resize), expected)
    data, box = encode(scene), (3, 5, 603, 455)
    expected = fit(decode(data).pixels[5:455, 3:603], 40, "squash")
    np.testing.assert_array_equal(decode_resized(data, 40, "squash", box), expected)


@pytest.mark.parametrize("progressive", [False, True])
def test_what_is_cut_off_is_refused_all_the_same(scene, progressive):
    data = encode(scene, progressive=progressive)
    for share in (0.1, 0.3, 0.5, 0.7, 0.9, 0.99):
        for size in (80, 40, 20):
            with pytest.raises(Unusable) as caught:
                decode_resized(data[: int(len(data) * share)], size, "squash")
            assert caught.value.reason == "truncated"


def test_the_cap_counts_the_whole_image(scene):
    with pytest.raises(Unusable) as caught:
        decode(encode(scene), max_pixels=640 * 480 - 1, reduce=lambda w, h: 8)
    assert caught.value.reason == "too-many-pixels"


def test_shared_photos(shared_data):
    """On real ones a fitted value seldom changes by more than one level."""
    differences = []
    for path in sorted((shared_data / "hymenoptera").glob("*/*/*.jpg")):
        with Image.open(path) as image:
            if reduction(*image.size, 60, "squash") == 1:
                continue
        data = path.read_bytes()
        pixels = decode_resized(data, 60, "squash").astype(int)
        differences.append(np.abs(pixels - whole(data, 60, "squash")))
    assert len(differences) > 20
    assert np.percentile(np.stack(differences), 99) <= 1
    assert np.mean(differences) < 0.3


def test_fit_squash_and_crop():
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (31, 50, 3)).astype(np.uint8)
    squashed = fit(pixels, 16, "squash")
    expected = np.array(
        Image.fromarray(pixels).resize((16, 16), Image.Resampling.BILINEAR)
    )
    np.testing.assert_array_equal(squashed, expected)
    # (50 - 31) // 2 = 9
    cropped = fit(pixels, 16, "crop")
    np.testing.assert_array_equal(cropped, fit(pixels[:, 9:40], 16, "squash"))
    np.testing.assert_array_equal(fit(pixels, 31, "crop"), pixels[:, 9:40])


def test_fit_shrinks_with_an_antialiasing_triangle():
    # 4 to 2 columns: support 2, weights at distances 0.5, 0.5, 1.5 of the triangle of
    # width 2 are 0.75, 0.75, 0.25, over 1.75 at the edge.
    row = np.array([[0, 70, 140, 210]], np.uint8)
    pixels = np.repeat(np.repeat(row, 2, axis=0)[..., None], 3, axis=2)
    left = (0.75 * 0 + 0.75 * 70 + 0.25 * 140) / 1.75
    right = (0.25 * 70 + 0.75 * 140 + 0.75 * 210) / 1.75
    expected = [round(left), round(right)]
    np.testing.assert_array_equal(fit(pixels, 2, "squash")[0, :, 0], expected)


@pytest.mark.parametrize(
    ("height", "width", "h", "w", "top", "left"),
    [
        (30, 60, 5, 10, 2, 0),
        (60, 30, 10, 5, 0, 2),
        (25, 100, 3, 10, 3, 0),  # 2.5 is rounded up
        (1, 1000, 1, 10, 4, 0),
        (7, 7, 10, 10, 0, 0),
    ],
)
def test_fit_pad(height, width, h, w, top, left):
    square = fit(np.full((height, width, 3), 9, np.uint8), 10, "pad")
    expected = np.full((10, 10, 3), PAD_COLOR, np.uint8)
    expected[top : top + h, left : left + w] = 9
    np.testing.assert_array_equal(square, expected)


def test_fit_knows_three_ways():
    assert RESIZES == ("squash", "crop", "pad")
    with pytest.raises(ValueError, match="squash, crop, pad, got 'stretch'"):
        fit(np.zeros((9, 9, 3), np.uint8), 8, "stretch")


def test_crop():
    pixels = np.arange(40 * 60 * 3).reshape(40, 60, 3).astype(np.uint8)
    np.testing.assert_array_equal(crop(pixels, (30, 0, 60, 20)), pixels[:20, 30:])
    assert crop(pixels, (-5, 35, 10, 90)).shape == (5, 10, 3)
    with pytest.raises(ValueError, match="outside"):
        crop(pixels, (60, 0, 70, 10))
