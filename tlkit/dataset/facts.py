"""A picture file in, what prepare needs to know of it out; runs in worker processes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import fields as columns
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image

from tlkit.dataset import contents, images
from tlkit.dataset.contents import UnreadableImage
from tlkit.dataset.hashing import perceptual_hash
from tlkit.dataset.images import Picture
from tlkit.dataset.measures import measure
from tlkit.dataset.sources.page import Rejection

# Sides of the thumbnails by which near copies are told: fine enough for a stroke or a
# scratch to show, 19 KB a picture in all.
LUMA_SIDE = 128
COLOUR_SIDE = 32
# Pictures of fewer pixels across, and those so many times as long as wide, are noted.
TINY, NARROW = 32, 10
SUFFIXES = {
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "MPO": (".jpg", ".jpeg", ".mpo"),
    "TIFF": (".tif", ".tiff"),
    "PPM": (".ppm", ".pgm", ".pbm", ".pnm"),
    "JPEG2000": (".jp2", ".j2k", ".jpx"),
    "WEBP": (".webp",),
    "HEIF": (".heic", ".heif", ".hif"),
}


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a picture once it was decoded.

    Attributes:
        path: POSIX, relative to the source root.
        sha256: Of the encoded picture.
        pixel_digest: Of the decoded pixels, upright.
        width: Of the upright picture, in pixels.
        height: Likewise.
        format: As in "JPEG".
        notes: What one may want to know of it, as in "exif-orientation-6", "tiny".
        orientation: 1 to 8 as in EXIF, how the stored picture was turned.
        camera: Make and model; "" where it does not say.
        taken: When, as EXIF writes it; "" where it does not say.
        brightness: Mean grey level, 0 to 255.
        contrast: Standard deviation of the grey levels.
        sharpness: How fine what it shows is, see `measures.sharpness`.
        border: Mean colour of its edge, RGB.
    """

    path: str
    sha256: str
    pixel_digest: str
    width: int
    height: int
    format: str
    notes: tuple[str, ...] = ()
    orientation: int = 1
    camera: str = ""
    taken: str = ""
    brightness: float = 128.0
    contrast: float = 64.0
    sharpness: float = 1.0
    border: tuple[int, int, int] = (128, 128, 128)


FIELDS = tuple(column.name for column in columns(Facts))


@dataclass(frozen=True, slots=True)
class Look:
    """The thumbnails of a picture, the whole of it squashed.

    Attributes:
        luma: uint8 [LUMA_SIDE, LUMA_SIDE], grey.
        colour: uint8 [COLOUR_SIDE, COLOUR_SIDE, 3].
    """

    luma: np.ndarray
    colour: np.ndarray


@dataclass(frozen=True, slots=True)
class Examined:
    """What is known of a picture, and what near copies are told by.

    Attributes:
        facts: What is known of it.
        look: Its thumbnails.
        hash: Of the grey one, 64 bits.
        fields: float16 [256], see `coarse`.
    """

    facts: Facts
    look: Look
    hash: int
    fields: np.ndarray


def examine(root: Path, path: str) -> Examined | Rejection:
    """Read a picture once and take from it what is needed.

    Args:
        root: The source root.
        path: POSIX, relative to it.

    Returns:
        What is known of it, or why it cannot be used.
    """
    sha256 = ""
    try:
        data = contents.read_bytes(root / path)
        sha256 = hashlib.sha256(data).hexdigest()
        picture = images.decode(data)
    except UnreadableImage as error:
        return Rejection(path, error.reason, error.detail, sha256)
    height, width = picture.pixels.shape[:2]
    digest = hashlib.sha256(f"{width} {height} ".encode())
    digest.update(np.ascontiguousarray(picture.pixels).data)
    look = thumbnails(picture.pixels)
    facts = Facts(
        path=path,
        sha256=sha256,
        pixel_digest=digest.hexdigest(),
        width=width,
        height=height,
        format=picture.format,
        notes=(
            *picture.notes,
            *_suffix_note(path, picture),
            *_size_notes(width, height),
        ),
        orientation=picture.orientation,
        camera=picture.camera,
        taken=picture.taken,
        **measure(look.luma, look.colour),
    )
    return Examined(facts, look, perceptual_hash(look.luma), coarse(look.luma))


def sha256_of(root: Path, path: str) -> str:
    """The digest by which a picture is known; runs in worker processes.

    Args:
        root: The source root.
        path: POSIX, relative to it.

    Returns:
        Of the encoded picture, in hexadecimal.

    Raises:
        UnreadableImage: It cannot be read.
    """
    return hashlib.sha256(contents.read_bytes(root / path)).hexdigest()


def thumbnails(pixels: np.ndarray) -> Look:
    """Shrink a picture to what near copies are told by.

    Args:
        pixels: uint8 [H, W, 3].

    Returns:
        Its thumbnails.
    """
    bilinear = Image.Resampling.BILINEAR
    # The gap lets Pillow take large steps first: several times faster on large photos.
    small = Image.fromarray(pixels).resize(
        (LUMA_SIDE, LUMA_SIDE), bilinear, reducing_gap=3.0
    )
    tiny = small.resize((COLOUR_SIDE, COLOUR_SIDE), bilinear)
    return Look(np.array(small.convert("L")), np.array(tiny))


def coarse(luma: np.ndarray) -> np.ndarray:
    """Look at a picture from afar.

    Args:
        luma: uint8 [LUMA_SIDE, LUMA_SIDE].

    Returns:
        float16 [256], the means of 16 x 16 fields in standard deviations from the mean
        of the picture; zeros for a plain one.
    """
    side = LUMA_SIDE // 16
    means = luma.reshape(16, side, 16, side).mean(axis=(1, 3))
    fields = (means - luma.mean()) / max(float(luma.std()), 1e-3)
    return np.asarray(fields.ravel(), np.float16)


def _suffix_note(path: str, picture: Picture) -> tuple[str, ...]:
    suffix = PurePosixPath(path).suffix.lower()
    usual = SUFFIXES.get(picture.format, (f".{picture.format.lower()}",))
    if not suffix or suffix == ".json" or suffix in usual:
        return ()
    return (f"suffix {suffix} is {picture.format}",)


def _size_notes(width: int, height: int) -> Iterator[str]:
    short, long = sorted((width, height))
    if short < TINY:
        yield "tiny"
    if long >= NARROW * short:
        yield "narrow"
