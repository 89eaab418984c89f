"""The decode and resize policy as TensorFlow operations inside an exported model.

The same as `tlkit.imaging`: EXIF orientation (JPEG, PNG, WebP) applied, transparency
composited over white, CMYK converted, 16 bit to the high byte, first frame; large JPEGs
decoded at the same reduced scale; the same resize arithmetic. TensorFlow has no TIFF
decoder: such bytes are an error of the request.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import tensorflow as tf

from tlkit.imaging.resize import PAD_COLOR, REDUCTIONS, may_reduce

JPEG, PNG = b"\xff\xd8", b"\x89PNG"


def decode_and_fit(data: tf.Tensor, size: int, resize: str) -> tf.Tensor:
    """Decode and resize encoded images, string [B], to uint8 [B, size, size, 3]."""

    def one(encoded: tf.Tensor) -> tf.Tensor:
        pixels = decode(encoded, size, resize)
        pixels = orient(pixels, orientation(encoded))
        return fit(pixels[tf.newaxis], size, resize)[0]

    return tf.map_fn(
        one, data, fn_output_signature=tf.TensorSpec([size, size, 3], tf.uint8)
    )


def decode(data: tf.Tensor, size: int, resize: str) -> tf.Tensor:
    """Decode one image to pixels, EXIF orientation not yet applied."""

    def jpeg() -> tf.Tensor:
        return _decode_jpeg(data, size, resize)

    def png() -> tf.Tensor:
        return over_white(tf.io.decode_png(data, channels=4))

    def webp() -> tf.Tensor:
        # Three channels or four, as the file has it: a fourth is added behind.
        pixels = tf.io.decode_webp(data, channels=0)[0]
        opaque = tf.ones_like(pixels[..., :1]) * tf.constant(255, tf.uint8)
        return over_white(tf.concat([pixels, opaque], axis=-1)[..., :4])

    def other() -> tf.Tensor:
        return tf.io.decode_image(data, channels=3, expand_animations=False)

    return tf.case(
        [
            (begins(data, JPEG), jpeg),
            (begins(data, PNG), png),
            (_is_webp(data), webp),
        ],
        default=other,
    )


def _decode_jpeg(data: tf.Tensor, size: int, resize: str) -> tf.Tensor:
    shape = tf.io.extract_jpeg_shape(data)
    height, width = shape[0], shape[1]
    allowed = [may_reduce(width, height, by, size, resize) for by in REDUCTIONS]
    # The scale is an attribute of the operation, so each one has its own.
    scales = [
        functools.partial(
            tf.io.decode_jpeg, data, 3, ratio=by, dct_method="INTEGER_ACCURATE"
        )
        for by in (1, *REDUCTIONS)
    ]
    return tf.switch_case(tf.reduce_sum(tf.cast(allowed, tf.int32)), scales)


def over_white(pixels: tf.Tensor) -> tf.Tensor:
    """Composite an image with transparency over white."""
    floats = tf.cast(pixels, tf.float32)
    color, alpha = floats[..., :3], floats[..., 3:] / 255.0
    return to_uint8(color * alpha + 255.0 * (1.0 - alpha))


def fit(pixels: tf.Tensor, size: int, resize: str) -> tf.Tensor:
    """Resize images to a square with the arithmetic of `imaging.resize.fit`."""
    shape = tf.shape(pixels)
    height, width = shape[1], shape[2]
    if resize == "squash":
        return scale(pixels, size, size)
    if resize == "crop":
        side = tf.minimum(height, width)
        top, left = (height - side) // 2, (width - side) // 2
        square = pixels[:, top : top + side, left : left + side]
        return scale(square, size, size)
    long = tf.maximum(height, width)
    w = tf.maximum(1, (2 * width * size + long) // (2 * long))
    h = tf.maximum(1, (2 * height * size + long) // (2 * long))
    top, left = (size - h) // 2, (size - w) // 2
    margins = [[0, 0], [top, size - h - top], [left, size - w - left]]
    small = scale(pixels, h, w)
    planes = [
        tf.pad(small[..., i], margins, constant_values=tf.cast(color, tf.uint8))
        for i, color in enumerate(PAD_COLOR)
    ]
    return tf.ensure_shape(tf.stack(planes, axis=-1), [None, size, size, 3])


def scale(
    pixels: tf.Tensor, height: int | tf.Tensor, width: int | tf.Tensor
) -> tf.Tensor:
    """Resize bilinearly with antialiasing in two rounded passes, as Pillow does."""
    for target in ([tf.shape(pixels)[1], width], [height, width]):
        resized = tf.image.resize(
            pixels, target, method=tf.image.ResizeMethod.BILINEAR, antialias=True
        )
        pixels = to_uint8(resized)
    return pixels


def to_uint8(values: tf.Tensor) -> tf.Tensor:
    """Round halves up and clip to 0..255."""
    return tf.cast(tf.clip_by_value(tf.floor(values + 0.5), 0.0, 255.0), tf.uint8)


def begins(data: tf.Tensor, magic: bytes) -> tf.Tensor:
    """Return True where an encoded image begins with these bytes."""
    return _slice(data, 0, len(magic)) == magic


def _is_webp(data: tf.Tensor) -> tf.Tensor:
    return tf.logical_and(begins(data, b"RIFF"), _slice(data, 8, 4) == b"WEBP")


def _slice(data: tf.Tensor, start: int | tf.Tensor, length: int) -> tf.Tensor:
    """Return the bytes at a place, fewer at the end of the data; never fail."""
    start = tf.minimum(start, tf.strings.length(data))
    return tf.strings.substr(data, start, length)


def orient(pixels: tf.Tensor, orientation: tf.Tensor) -> tf.Tensor:
    """Undo the EXIF orientation."""
    pixels = tf.cond(
        orientation >= 5, lambda: tf.transpose(pixels, [1, 0, 2]), lambda: pixels
    )
    # Which axes each orientation flips, after the transposition of 5 to 8.
    flipped = tf.constant(
        [[0, 0], [0, 1], [1, 1], [1, 0], [0, 0], [0, 1], [1, 1], [1, 0]]
    )[orientation - 1]
    for axis in (0, 1):
        pixels = tf.where(flipped[axis] == 1, tf.reverse(pixels, [axis]), pixels)
    return pixels


def orientation(data: tf.Tensor) -> tf.Tensor:
    """Read the EXIF orientation of an encoded image, 1 to 8."""
    tiff = tf.case(
        [
            (begins(data, JPEG), lambda: _find_exif(data, 2, _jpeg_step)),
            (begins(data, PNG), lambda: _find_exif(data, 8, _png_step)),
            (_is_webp(data), lambda: _find_exif(data, 12, _webp_step)),
        ],
        default=lambda: tf.constant(-1),
    )
    return tf.cond(tiff < 0, lambda: tf.constant(1), lambda: _read_tag(data, tiff))


def _find_exif(
    data: tf.Tensor,
    start: int,
    step: Callable[[tf.Tensor, tf.Tensor], tuple[tf.Tensor, tf.Tensor]],
) -> tf.Tensor:
    """Walk over the segments of a file to the EXIF block; -1 without one."""
    end = tf.strings.length(data)

    def going(place: tf.Tensor, found: tf.Tensor) -> tf.Tensor:
        return tf.logical_and(found < 0, place + 12 <= end)

    def walk(place: tf.Tensor, _: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        here, following = step(data, place)
        # A damaged length must not make the walk endless.
        return tf.where(following > place, following, end), here

    return tf.while_loop(going, walk, [tf.constant(start), tf.constant(-1)])[1]


def _jpeg_step(data: tf.Tensor, place: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    is_exif = tf.logical_and(
        _slice(data, place, 2) == b"\xff\xe1",
        _slice(data, place + 4, 6) == b"Exif\x00\x00",
    )
    following = place + 2 + _number(data, place + 2, 2, little=False)
    # Pixels follow the start of scan; nothing to find behind it.
    ends = tf.logical_or(
        _slice(data, place, 2) == b"\xff\xda", _slice(data, place, 1) != b"\xff"
    )
    return tf.where(is_exif, place + 10, -1), tf.where(ends, -1, following)


def _png_step(data: tf.Tensor, place: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    is_exif = _slice(data, place + 4, 4) == b"eXIf"
    following = place + 12 + _number(data, place, 4, little=False)
    return tf.where(is_exif, place + 8, -1), following


def _webp_step(data: tf.Tensor, place: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    length = _number(data, place + 4, 4, little=True)
    prefixed = _slice(data, place + 8, 6) == b"Exif\x00\x00"
    here = tf.where(prefixed, place + 14, place + 8)
    is_exif = _slice(data, place, 4) == b"EXIF"
    return tf.where(is_exif, here, -1), place + 8 + length + length % 2


def _read_tag(data: tf.Tensor, tiff: tf.Tensor) -> tf.Tensor:
    """Read tag 0x0112 of the first directory of a TIFF header; 1 without it."""
    little = _slice(data, tiff, 2) == b"II"
    first = tiff + _number(data, tiff + 4, 4, little)
    count = _number(data, first, 2, little)

    def going(i: tf.Tensor, found: tf.Tensor) -> tf.Tensor:
        return tf.logical_and(found < 0, i < count)

    def look(i: tf.Tensor, _: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        entry = first + 2 + 12 * i
        value = _number(data, entry + 8, 2, little)
        hit = _number(data, entry, 2, little) == 0x0112
        return i + 1, tf.where(hit, value, -1)

    value = tf.while_loop(going, look, [tf.constant(0), tf.constant(-1)])[1]
    valid = tf.logical_and(value >= 1, value <= 8)
    return tf.where(valid, value, 1)


def _number(
    data: tf.Tensor, place: tf.Tensor, length: int, little: bool | tf.Tensor
) -> tf.Tensor:
    """Read an unsigned number of 2 or 4 bytes; 0 beyond the end of the data."""
    padded = _slice(data, place, length) + b"\x00" * length
    values = tf.cast(
        tf.io.decode_raw(tf.strings.substr(padded, 0, length), tf.uint8), tf.int32
    )
    ordered = tf.cond(
        tf.convert_to_tensor(little), lambda: values[::-1], lambda: values
    )
    return tf.reduce_sum(ordered * [256**i for i in reversed(range(length))])
