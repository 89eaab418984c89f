"""A picture file in, what prepare needs to know of it out; runs in worker processes."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image

from tlkit.dataset import images
from tlkit.dataset.images import Picture, UnreadableImage
from tlkit.dataset.sources.page import Rejection

# Sides of the thumbnails by which near copies are told: fine enough for a stroke or a
# scratch to show, 19 KB a picture in all.
LUMA_SIDE = 128
COLOUR_SIDE = 32
SUFFIXES = {
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "MPO": (".jpg", ".jpeg", ".mpo"),
    "TIFF": (".tif", ".tiff"),
    "PPM": (".ppm", ".pgm", ".pbm", ".pnm"),
    "JPEG2000": (".jp2", ".j2k", ".jpx"),
    "WEBP": (".webp",),
}


@dataclass(frozen=True)
class Facts:
    """What is known of a picture once it was decoded.

    Attributes:
        path: POSIX, relative to the source root.
        sha256: Of the encoded picture.
        pixel_digest: Of the decoded pixels, upright.
        width: Of the upright picture, in pixels.
        height: Likewise.
        format: As in "JPEG".
        notes: What decoding did that one may want to know.
        orientation: 1 to 8 as in EXIF, how the stored picture was turned.
        camera: Make and model; "" where it does not say.
        taken: When, as EXIF writes it; "" where it does not say.
        luma: uint8 [LUMA_SIDE, LUMA_SIDE], the whole picture in grey.
        colour: uint8 [COLOUR_SIDE, COLOUR_SIDE, 3], the whole picture.
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
    luma: np.ndarray = field(compare=False, repr=False, kw_only=True)
    colour: np.ndarray = field(compare=False, repr=False, kw_only=True)


def examine(root: Path, path: str) -> Facts | Rejection:
    """Read a picture once and take from it what is needed.

    Args:
        root: The source root.
        path: POSIX, relative to it.

    Returns:
        The facts, or why it cannot be used.
    """
    sha256 = ""
    try:
        data = images.read_bytes(root / path)
        sha256 = hashlib.sha256(data).hexdigest()
        picture = images.decode(data)
    except UnreadableImage as error:
        return Rejection(path, error.reason, error.detail, sha256)
    height, width = picture.pixels.shape[:2]
    digest = hashlib.sha256(f"{width} {height} ".encode())
    digest.update(np.ascontiguousarray(picture.pixels).data)
    luma, colour = thumbnails(picture.pixels)
    return Facts(
        path=path,
        sha256=sha256,
        pixel_digest=digest.hexdigest(),
        width=width,
        height=height,
        format=picture.format,
        notes=picture.notes + _suffix_note(path, picture),
        orientation=picture.orientation,
        camera=picture.camera,
        taken=picture.taken,
        luma=luma,
        colour=colour,
    )


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
    return hashlib.sha256(images.read_bytes(root / path)).hexdigest()


def thumbnails(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Shrink a picture to what near copies are told by, the whole of it squashed.

    Args:
        pixels: uint8 [H, W, 3].

    Returns:
        Grey uint8 [LUMA_SIDE, LUMA_SIDE] and RGB uint8 [COLOUR_SIDE, COLOUR_SIDE, 3].
    """
    bilinear = Image.Resampling.BILINEAR
    # The gap lets Pillow take large steps first: several times faster on large photos.
    small = Image.fromarray(pixels).resize(
        (LUMA_SIDE, LUMA_SIDE), bilinear, reducing_gap=3.0
    )
    tiny = small.resize((COLOUR_SIDE, COLOUR_SIDE), bilinear)
    return np.array(small.convert("L")), np.array(tiny)


def _suffix_note(path: str, picture: Picture) -> tuple[str, ...]:
    suffix = PurePosixPath(path).suffix.lower()
    usual = SUFFIXES.get(picture.format, (f".{picture.format.lower()}",))
    if not suffix or suffix == ".json" or suffix in usual:
        return ()
    return (f"suffix {suffix} is {picture.format}",)
