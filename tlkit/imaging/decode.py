"""THE decode policy: from bytes to RGB uint8 [H, W, 3], or a named reason why not.

Every photo goes through `decode`: in prepare, training, predict and the comparison made
at export. Training and predict come by `resize.decode_resized`. Masks are read by
`dataset/formats/common.py`.

    what is found                     what is done
    --------------------------------  ------------------------------------------------
    any file name                     ignored: the content decides the type
    EXIF orientation 1-8              applied (JPEG, PNG, WebP, TIFF)
    gray                              repeated over the three channels
    1 bit                             0 and 255
    palette                           its colors
    transparency of any kind          laid over white: (a*c + (255-a)*255) / 255
    CMYK and YCCK                     Pillow's conversion; no color profile is applied
    16 bit                            the high byte, x >> 8: the full range, not clipped
    32 bit integer                    as 16 bit if it fits in, else minimum to maximum
    32 bit float                      x * 255 if all of it is within 0..1, else minimum
                                      to maximum; not finite: refused
    animated, several pages, MPO      the first one
    JPEG far larger than needed       decoded at 1/2, 1/4 or 1/8, by `resize.reduction`
    more than MAX_PIXELS              refused from the header, before decoding
    cut off, damaged, empty, other    refused, with a reason
    HEIC                              read where pillow-heif is installed, else refused
    SVG, EPS, PDF, raw                refused: save as JPEG or PNG first
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import io
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image, UnidentifiedImageError

from tlkit.imaging.safe_read import Unusable

# Holds the 108 megapixels of the largest common phone sensor; 360 MB as RGB, so that
# several worker processes at it still fit into a small machine.
MAX_PIXELS = 120_000_000

# What Pillow may try: pixel formats with a safe decoder and an unmistakable signature.
FORMATS = ("JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP", "PPM", "JPEG2000", "AVIF")
SIGNATURES = {
    b"\xff\xd8\xff": "JPEG",
    b"\x89PNG": "PNG",
    b"GIF8": "GIF",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
}
HEIC_BRANDS = (b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1")
ORIENTATION_TAG, MAKE_TAG, MODEL_TAG = 0x0112, 0x010F, 0x0110
EXIF_IFD, TAKEN_TAG, SUBSECOND_TAG = 0x8769, 0x9003, 0x9291
# Without one of these a PNG has no orientation.
PNG_MARKS = (b"eXIf", b"Raw profile type", b"XML:com.adobe.xmp")
# Longer names of cameras are noise.
MAX_LINE = 100
# What undoes each EXIF orientation.
UNDO = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@dataclass(frozen=True)
class DecodedImage:
    """A decoded image.

    Attributes:
        pixels: uint8 [H, W, 3], RGB, in the orientation that viewers show.
        format: Of the file, by Pillow's name, such as "JPEG".
        notes: What was changed and may surprise, such as "exif-orientation-6".
        orientation: 1 to 8, the EXIF orientation of the file.
        camera: Make and model by its EXIF data; "" for none.
        taken: Time in the form of EXIF, "2024:05:17 11:02:33.25"; "" for unknown.
    """

    pixels: np.ndarray
    format: str
    notes: tuple[str, ...] = ()
    orientation: int = 1
    camera: str = ""
    taken: str = ""


def decode(
    data: bytes,
    *,
    max_pixels: int = MAX_PIXELS,
    reduce: Callable[[int, int], int] | None = None,
) -> DecodedImage:
    """Decode an image by the policy of this module, in full size unless reduced.

    Python's warning filters are changed while it runs, so use processes rather than
    threads to decode several at once.

    Args:
        data: The content of an image file.
        max_pixels: Refuse anything larger, before it is decoded.
        reduce: Called with width and height of a JPEG; returns the divisor to
            reduce both by: 1, 2, 4 or 8.

    Returns:
        The image.

    Raises:
        Unusable: It cannot be used; `reason` is a word for why.
    """
    with _faults_named(max_pixels), _open(data) as image:
        _check_pixels(image, max_pixels)
        if reduce and image.format in {"JPEG", "MPO"}:
            by = reduce(*image.size)
            image.draft(None, (image.width // by, image.height // by))
        return _image(image)


def measure(data: bytes, *, max_pixels: int = MAX_PIXELS) -> tuple[int, int]:
    """Read from its header how large an image is once it is decoded.

    Args:
        data: The content of an image file.
        max_pixels: Refuse anything larger.

    Returns:
        Width and height, oriented, as `decode` would give them.

    Raises:
        Unusable: Its header alone shows that it cannot be used.
    """
    with _faults_named(max_pixels), _open(data) as image:
        _check_pixels(image, max_pixels)
        width, height = image.size
        # Pillow gives a TIFF's size as it will be once loaded. To look for a PNG's
        # orientation, it decodes all of it.
        marked = image.format != "PNG" or any(mark in data for mark in PNG_MARKS)
        if marked and image.format != "TIFF" and _orientation(image) >= 5:
            return height, width
        return width, height


@contextlib.contextmanager
def _faults_named(max_pixels: int) -> Iterator[None]:
    with warnings.catch_warnings():
        # Pillow warns of strange metadata and large images; both are handled here.
        warnings.simplefilter("ignore")
        try:
            yield
        except Unusable:
            raise
        except Image.DecompressionBombError as error:
            detail = f"More pixels than the {max_pixels:,} that are allowed."
            raise Unusable("too-many-pixels", detail) from error
        except MemoryError as error:
            raise Unusable("no-memory", "Too large for the memory.") from error
        except Exception as error:
            text = " ".join(str(error).split()) or type(error).__name__
            cut_off = "truncated" in text.lower() or isinstance(error, EOFError)
            reason = "truncated" if cut_off else "damaged"
            raise Unusable(reason, f"{text}.") from error


def _open(data: bytes) -> Image.Image:
    if not data:
        raise Unusable("empty", "The file is empty.")
    try:
        formats = _formats() + (_heic() if _is_heic(data) else ())
        return Image.open(io.BytesIO(data), formats=formats)
    except UnidentifiedImageError as error:
        raise _unidentified(data) from error


@functools.cache
def _formats() -> tuple[str, ...]:
    Image.init()  # AVIF and others may be missing from this build of Pillow
    return tuple(name for name in FORMATS if name in Image.OPEN)


def _is_heic(data: bytes) -> bool:
    return data[4:8] == b"ftyp" and data[8:12] in HEIC_BRANDS


@functools.cache
def _heic() -> tuple[str, ...]:
    try:
        pillow_heif = importlib.import_module("pillow_heif")
    except ImportError:
        return ()
    pillow_heif.register_heif_opener()
    return ("HEIF",)


def _unidentified(data: bytes) -> Unusable:
    if _is_heic(data) and not _heic():
        detail = "HEIC is read only with pillow-heif: pip install 'tlkit[heic]'."
        hint = "Install it, or save the image as JPEG or PNG."
        return Unusable("heic", detail, hint=hint)
    known = (name for start, name in SIGNATURES.items() if data.startswith(start))
    name = "HEIC" if _is_heic(data) else next(known, "")
    if name:
        return Unusable("damaged", f"Begins as {name} but cannot be read.")
    return Unusable("not-an-image", "The content is no image of a known type.")


def _check_pixels(image: Image.Image, max_pixels: int) -> None:
    width, height = image.size
    if width * height > max_pixels:
        detail = f"{width} x {height} pixels, of which {max_pixels:,} are allowed."
        raise Unusable("too-many-pixels", detail)


def _image(image: Image.Image) -> DecodedImage:
    name = image.format or "?"
    # Pillow orients a TIFF while loading, and reports 1 from then on. A PNG is not
    # asked before: Pillow would load it, and forget on the way that it is damaged.
    before = _orientation(image) if name == "TIFF" else 1
    image.load()
    after = _orientation(image)
    oriented = image.transpose(UNDO[after]) if after in UNDO else image
    pixels, notes = to_rgb(oriented)
    orientations = {before, after} - {1}
    notes = (*(f"exif-orientation-{value}" for value in orientations), *notes)
    with contextlib.suppress(Exception):  # the first frame is good: that counts
        if getattr(image, "is_animated", False):
            notes += ("first-frame",)
    camera, taken = _origin(image)
    # That of a TIFF stands in `before`, see above.
    return DecodedImage(pixels, name, notes, max(before, after), camera, taken)


def _orientation(image: Image.Image) -> int:
    value = _exif(image).get(ORIENTATION_TAG, 1)
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _exif(image: Image.Image) -> Mapping[int, Any]:
    try:
        return image.getexif()
    except Exception:  # noqa: BLE001 - broken metadata must not cost a good image
        return {}


def _origin(image: Image.Image) -> tuple[str, str]:
    exif = _exif(image)
    try:
        inner = exif.get_ifd(EXIF_IFD) if isinstance(exif, Image.Exif) else {}
    except Exception:  # noqa: BLE001 - as above
        inner = {}
    make, model = (_line(exif.get(tag)) for tag in (MAKE_TAG, MODEL_TAG))
    taken, part = (_line(inner.get(tag)) for tag in (TAKEN_TAG, SUBSECOND_TAG))
    camera = model if model.startswith(make) else f"{make} {model}".strip()
    return camera, f"{taken}.{part}" if taken and part else taken


def _line(value: Any) -> str:
    text = value.split("\0")[0] if isinstance(value, str) else ""
    return "".join(c for c in text if c.isprintable()).strip()[:MAX_LINE]


def to_rgb(image: Image.Image) -> tuple[np.ndarray, tuple[str, ...]]:
    """Convert a loaded image of any mode; return its pixels and notes on the way."""
    notes: tuple[str, ...] = ()
    if image.mode == "F":
        image, notes = Image.fromarray(_from_float(np.asarray(image))), ("float",)
    elif image.mode == "I" or image.mode.startswith("I;16"):
        image, notes = Image.fromarray(_from_wide(np.asarray(image))), ("16-bit",)
    elif image.mode == "CMYK":
        notes = ("cmyk",)
    elif image.has_transparency_data:
        image = image.convert("RGBA")
        if image.getchannel("A").getextrema() != (255, 255):
            image, notes = _over_white(image), ("alpha-on-white",)
    # To convert to the mode it has, Pillow would copy the image.
    return np.array(image if image.mode == "RGB" else image.convert("RGB")), notes


def _over_white(image: Image.Image) -> Image.Image:
    ground = Image.new("RGB", image.size, (255, 255, 255))
    ground.paste(image, mask=image.getchannel("A"))
    return ground


def _from_wide(values: np.ndarray) -> np.ndarray:
    values = values.astype(np.int64)
    if values.min() < 0 or values.max() > 0xFFFF:
        return _stretch(values.astype(np.float64))
    return (values >> 8).astype(np.uint8)


def _from_float(values: np.ndarray) -> np.ndarray:
    if not np.isfinite(values).all():
        raise Unusable("not-finite", "Holds NaN or infinity.")
    values = values.astype(np.float64)
    if values.min() >= 0 and values.max() <= 1:
        return np.asarray(np.rint(values * 255), np.uint8)
    return _stretch(values)


def _stretch(values: np.ndarray) -> np.ndarray:
    low, high = values.min(), values.max()
    return np.asarray(
        np.rint((values - low) * (255 / max(high - low, 1e-30))), np.uint8
    )
