"""The published ImageNet weights in Keras' cache, downloaded or added by hand."""

from __future__ import annotations

import contextlib
import filecmp
import hashlib
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np

from tlkit.backbones.graph import build_backbone, symbolic
from tlkit.backbones.spec import Backbone
from tlkit.backbones.weights.hdf5 import keras_fault, open_weights, read_layers
from tlkit.backbones.weights.sources import NANO_FILE, Published, origin
from tlkit.errors import UsageError, WeightsError
from tlkit.files import aside, make_directory

# Seconds without a response before a download counts as failed.
TIMEOUT = 30.0
# By the number of their hex digits.
HASHES = {32: "md5", 64: "sha256"}
OTHERS = "Weights of another training go by --weights PATH."


def imagenet_file(backbone: Backbone) -> Path:
    """Return the published ImageNet weights, downloaded if not in the cache."""
    published, file = _expected(backbone)
    if not file.is_file():
        _download(backbone, published, file)
    elif not _matches(file, published):
        error = _mismatch(backbone, published, file, hint=download_command(backbone))
        raise error
    return file


def download_command(backbone: Backbone) -> str:
    """Return a hint for published weights that cannot be used."""
    return f"Get them again: tlkit weights download {backbone.name}."


def download(backbone: Backbone) -> tuple[Path, bool]:
    """Download the published weights unless they are on this machine, undamaged.

    Args:
        backbone: Row of the table.

    Returns:
        The file in the Keras cache, and whether it was downloaded: a file that is
        damaged, or not the published one, is replaced. For a backbone whose weights
        come with tlkit, the file in the package.

    Raises:
        WeightsError: None are published, or the download fails or cannot be used; an
            existing file then stays.
        UsageError: The cache cannot be written to, or has a folder in its place.
    """
    if backbone.source == "nano":
        return NANO_FILE, False
    published, file = _expected(backbone)
    if file.is_file() and _usable(backbone, published, file):
        return file, False
    _download(backbone, published, file)
    return file, True


def add(
    backbone: Backbone, path: Path, *, overwrite: bool = False
) -> tuple[Path, bool]:
    """Copy a published file that was brought by hand into the Keras cache.

    Args:
        backbone: Row of the table.
        path: The published file, under any name.
        overwrite: Replace another file that is usable; a damaged one is replaced in
            any case.

    Returns:
        The file in the Keras cache, and whether it is new there.

    Raises:
        WeightsError: None are published, or this is another file: by its checksum or,
            where none is published, by its content.
        UsageError: There is no such file, or the cache cannot be written to or has
            another file.
    """
    published, file = _expected(backbone)
    _check(backbone, published, path)
    if file.is_file():
        if filecmp.cmp(path, file, shallow=False):
            return file, False
        if not overwrite and _usable(backbone, published, file):
            raise UsageError(
                f"{file} exists, differs from {path}, and fits {backbone.name} too.",
                hint="Add --overwrite to replace it.",
            )
    with _draft(file) as draft:
        shutil.copyfile(path, draft)
    return file, True


def file_checksum(path: Path, like: str) -> str:
    """Return the checksum of a file, of the kind of another."""
    checksum = hashlib.new(HASHES[len(like)], usedforsecurity=False)
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            checksum.update(chunk)
    return checksum.hexdigest()


def _matches(path: Path, published: Published) -> bool:
    expected = published.checksum
    return not expected or file_checksum(path, expected) == expected


def _usable(backbone: Backbone, published: Published, path: Path) -> bool:
    try:
        _check(backbone, published, path)
    except WeightsError:
        return False
    return True


def _check(backbone: Backbone, published: Published, path: Path) -> None:
    """Raise unless a file is the published one, as far as is known."""
    with open_weights(path) as file, symbolic():
        if published.checksum and _matches(path, published):
            return
        # The content is the better message, and all there is without a checksum.
        model = build_backbone(backbone, backbone.native)
        for one in read_layers(file, path, backbone.name, model, model):
            if not all(np.isfinite(array).all() for array in one.read(path)):
                raise WeightsError(
                    f"{path}: the layer {one.layer.name!r} has NaN or infinite "
                    "weights.",
                    hint="Get the file again.",
                )
        fault = "" if published.checksum else keras_fault(file, published.file, model)
    if published.checksum:
        hint = f"It is cut short, or of another training. {OTHERS}"
        raise _mismatch(backbone, published, path, hint=hint)
    if fault:
        raise WeightsError(
            f"{path} is not the file {published.file} of {backbone.name} as published: "
            f"{fault}.",
            hint=f"{OTHERS} {published.url} has the published one.",
        )


def _mismatch(
    backbone: Backbone, published: Published, path: Path, *, hint: str
) -> WeightsError:
    return WeightsError(
        f"{path} is not the file {published.file} of {backbone.name} as published. "
        f"Expected checksum {published.checksum}, got "
        f"{file_checksum(path, published.checksum)}.",
        hint=f"{hint} {published.url} has the published one.",
    )


def _expected(backbone: Backbone) -> tuple[Published, Path]:
    found = origin(backbone)
    if found.published and found.file:
        return found.published, found.file
    if backbone.source == "nano":
        raise WeightsError(
            f"{backbone.name} has no ImageNet weights: its own come with tlkit.",
            hint="Use --weights own.",
        )
    raise WeightsError(
        f"{backbone.name} has no ImageNet weights here: it is a small network "
        "to be trained from scratch.",
        hint="Use --weights none, or another backbone.",
    )


@contextlib.contextmanager
def _draft(file: Path) -> Iterator[Path]:
    """Give a name to write to, which replaces the file once that has succeeded."""
    make_directory(file.parent, advice="KERAS_HOME names another place for weights.")
    if file.is_dir():
        raise UsageError(
            f"{file} is a folder, in the place of a weights file.",
            hint="Move it away.",
        )
    draft = aside(file)
    try:
        yield draft
        draft.replace(file)
    finally:
        draft.unlink(missing_ok=True)


def _download(backbone: Backbone, published: Published, file: Path) -> None:
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(TIMEOUT)
    try:
        with _draft(file) as draft:
            keras.utils.get_file(
                draft.name,
                published.url,
                cache_dir=str(file.parent.parent),
                cache_subdir=file.parent.name,
            )
            _check(backbone, published, draft)
    except UsageError:
        raise
    # Keras turns what urllib raises into a bare Exception.
    except Exception as error:
        state = "damaged" if file.exists() else "not"
        raise WeightsError(
            f"The ImageNet weights of {backbone.name} are {state} on this machine, and "
            f"could not be downloaded from {published.url}: {_reason(error)}.",
            hint=f"Bring that file by hand: tlkit weights add {backbone.name} FILE. Or "
            "do without: --backbone nano, as in tlkit finetune DATASET --backbone "
            "nano, takes a small network that comes with tlkit, and knows less.",
        ) from error
    finally:
        socket.setdefaulttimeout(before)


def _reason(error: Exception) -> str:
    """Return why a download failed, without the address that Keras adds."""
    if isinstance(error, WeightsError):
        return f"what came is not these weights. {error.message}".rstrip(".")
    cause = getattr(error.__context__, "reason", None) or error
    return str(getattr(cause, "strerror", None) or cause).rstrip(".")
