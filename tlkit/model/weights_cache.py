"""The published ImageNet weights in Keras' cache: fetched, or added by hand."""

from __future__ import annotations

import hashlib
import shutil
import socket
from pathlib import Path

import keras

from tlkit.errors import WeightsError
from tlkit.files import aside
from tlkit.model.backbones import NANO, Backbone
from tlkit.model.body import build_body, symbolic
from tlkit.model.origins import NANO_FILE, origin
from tlkit.model.published import Published
from tlkit.model.weights_file import open_weights, read_pieces

# Seconds without an answer before a download counts as failed.
TIMEOUT = 30.0
# By the number of their hex digits.
HASHES = {32: "md5", 64: "sha256"}


def imagenet_file(backbone: Backbone) -> Path:
    """The published ImageNet weights of a backbone, downloaded if not in the cache.

    Args:
        backbone: Row of the table.

    Returns:
        The file in the Keras cache.

    Raises:
        WeightsError: If none are published, or the file is neither in the cache nor
            can be downloaded.
    """
    published, wanted = _expected(backbone)
    return wanted if wanted.is_file() else _download(backbone, published, wanted)


def fetch(backbone: Backbone) -> Path:
    """Have the published weights on this machine, whole.

    Args:
        backbone: Row of the table.

    Returns:
        The file in the Keras cache; one that is damaged is fetched anew. That of a
        network whose weights come with tlkit is in the package.

    Raises:
        WeightsError: As `imagenet_file`.
    """
    if backbone.builder == NANO:
        return NANO_FILE
    published, wanted = _expected(backbone)
    if wanted.is_file() and digest_fits(wanted, published):
        return wanted
    return _download(backbone, published, wanted)


def add(backbone: Backbone, path: Path) -> Path:
    """Put a file that was brought by hand where the published weights are looked for.

    Args:
        backbone: Row of the table.
        path: The published file, under any name.

    Returns:
        Its copy in the Keras cache; what lay there is replaced.

    Raises:
        WeightsError: If none are published, or this is another file: its digest says
            so, or, where none is published, its content.
    """
    published, wanted = _expected(backbone)
    with open_weights(path) as file, symbolic():
        body = build_body(backbone, backbone.native)
        read_pieces(file, path, backbone.name, body, body)
    if not digest_fits(path, published):
        raise WeightsError(
            f"{path} fits {backbone.name} but is not {published.file} as published: "
            f"its digest is {digest(path, published.digest)}, expected "
            f"{published.digest}.",
            hint=f"It is cut short, or of another training. {published.url} has the "
            "published one; weights of another training go by --weights PATH.",
        )
    wanted.parent.mkdir(parents=True, exist_ok=True)
    if wanted.exists() and wanted.samefile(path):
        return wanted
    draft = aside(wanted)
    try:
        shutil.copyfile(path, draft)
        draft.replace(wanted)
    finally:
        draft.unlink(missing_ok=True)
    return wanted


def digest_fits(path: Path, published: Published) -> bool:
    """Whether a file is the published one; true where no digest is published."""
    wanted = published.digest
    return not wanted or digest(path, wanted) == wanted


def digest(path: Path, like: str) -> str:
    """The digest of a file.

    Args:
        path: Of the file.
        like: Another digest of that kind, MD5 or SHA-256.

    Returns:
        Hex digits.
    """
    made = hashlib.new(HASHES[len(like)], usedforsecurity=False)
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            made.update(chunk)
    return made.hexdigest()


def _expected(backbone: Backbone) -> tuple[Published, Path]:
    found = origin(backbone)
    if found.published and found.file:
        return found.published, found.file
    if backbone.builder == NANO:
        raise WeightsError(
            f"{backbone.name} has no ImageNet weights: its own come with tlkit.",
            hint="Leave --weights away.",
        )
    raise WeightsError(
        f"{backbone.name} has no ImageNet weights here: it is a small network "
        "to be trained from scratch.",
        hint="Use --weights none, or another backbone.",
    )


def _download(backbone: Backbone, published: Published, wanted: Path) -> Path:
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(TIMEOUT)
    try:
        keras.utils.get_file(
            published.file,
            published.url,
            cache_dir=str(wanted.parent.parent),
            cache_subdir=wanted.parent.name,
            file_hash=published.digest or None,
            force_download=True,
        )
    # Keras turns what urllib raises into a bare Exception.
    except Exception as error:
        wanted.unlink(missing_ok=True)
        raise WeightsError(
            f"The ImageNet weights of {backbone.name} are not in the cache and could "
            f"not be downloaded: {error}",
            hint=f"Bring {published.file} from {published.url} by hand: tlkit weights "
            f"add {backbone.name} FILE, or name a file with --weights PATH. --backbone "
            "nano needs no download: a small network that comes with tlkit, and knows "
            "less.",
        ) from error
    finally:
        socket.setdefaulttimeout(before)
    return wanted
