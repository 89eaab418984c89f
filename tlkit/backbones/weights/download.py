"""The published ImageNet weights in Keras' cache: fetched, or added by hand."""

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

from tlkit.backbones.graph import build_body, symbolic
from tlkit.backbones.registry import NANO, Backbone
from tlkit.backbones.weights.hdf5 import keras_fault, open_weights, read_pieces
from tlkit.backbones.weights.sources import NANO_FILE, Published, origin
from tlkit.errors import UsageError, WeightsError
from tlkit.files import aside, make_directory

# Seconds without an answer before a download counts as failed.
TIMEOUT = 30.0
# By the number of their hex digits.
HASHES = {32: "md5", 64: "sha256"}
OTHERS = "Weights of another training go by --weights PATH."


def imagenet_file(backbone: Backbone) -> Path:
    """The published ImageNet weights of a backbone, downloaded if not in the cache."""
    published, wanted = _expected(backbone)
    if not wanted.is_file():
        _download(backbone, published, wanted)
    elif not digest_fits(wanted, published):
        error = _other(backbone, published, wanted, advice=fetch_command(backbone))
        raise error
    return wanted


def fetch_command(backbone: Backbone) -> str:
    """Returns what to do about published weights that cannot be used."""
    return f"tlkit weights download {backbone.name} gets them again."


def fetch(backbone: Backbone) -> tuple[Path, bool]:
    """Have the published weights on this machine, whole.

    Args:
        backbone: Row of the table.

    Returns:
        The file in the Keras cache, and whether it was fetched: one that is damaged, or
        another than the published one, is replaced. That of a network whose weights
        come with tlkit is in the package.

    Raises:
        WeightsError: If none are published, or the file cannot be downloaded, or what
            came cannot be used; a file that lay there stays then.
        UsageError: If the cache cannot be written to, or has a folder in its place.
    """
    if backbone.builder == NANO:
        return NANO_FILE, False
    published, wanted = _expected(backbone)
    if wanted.is_file() and _whole(backbone, published, wanted):
        return wanted, False
    _download(backbone, published, wanted)
    return wanted, True


def add(
    backbone: Backbone, path: Path, *, overwrite: bool = False
) -> tuple[Path, bool]:
    """Put a file that was brought by hand where the published weights are looked for.

    Args:
        backbone: Row of the table.
        path: The published file, under any name.
        overwrite: Whether it may replace another one that could be used; one that is
            damaged is replaced in any case.

    Returns:
        Its copy in the Keras cache, and whether it is new there.

    Raises:
        WeightsError: If none are published, or this is another file: its digest says
            so, or, where none is published, its content.
        UsageError: If there is no such file, or the cache cannot be written to, or
            holds another file.
    """
    published, wanted = _expected(backbone)
    _check(backbone, published, path)
    if wanted.is_file():
        if filecmp.cmp(path, wanted, shallow=False):
            return wanted, False
        if not overwrite and _whole(backbone, published, wanted):
            raise UsageError(
                f"{wanted} is there already, is another file than {path}, and fits "
                f"{backbone.name}, too.",
                hint="Add --overwrite to replace it.",
            )
    with _draft(wanted) as draft:
        shutil.copyfile(path, draft)
    return wanted, True


def _whole(backbone: Backbone, published: Published, path: Path) -> bool:
    try:
        _check(backbone, published, path)
    except WeightsError:
        return False
    return True


def _check(backbone: Backbone, published: Published, path: Path) -> None:
    """Raises WeightsError unless a file is the published one, as far as is known."""
    with open_weights(path) as file, symbolic():
        if published.checksum and digest_fits(path, published):
            return
        body = build_body(backbone, backbone.native)
        for piece in read_pieces(file, path, backbone.name, body, body):
            if not all(np.isfinite(array).all() for array in piece.read(path)):
                raise WeightsError(
                    f"{path}: the layer {piece.layer.name!r} has NaN or infinite "
                    "weights.",
                    hint="Get the file again.",
                )
        fault = "" if published.checksum else keras_fault(file, published.file, body)
    if fault:
        raise WeightsError(
            f"{path} is not the file {published.file} of {backbone.name} as published: "
            f"{fault}.",
            hint=f"{OTHERS} {published.url} has the published one.",
        )
    if published.checksum:
        raise _other(
            backbone,
            published,
            path,
            advice=f"It is cut short, or of another training. {OTHERS}",
        )


def _other(
    backbone: Backbone, published: Published, path: Path, *, advice: str
) -> WeightsError:
    return WeightsError(
        f"{path} is not the file {published.file} of {backbone.name} as published. "
        f"Expected checksum {published.checksum}, got "
        f"{checksum(path, published.checksum)}.",
        hint=f"{advice} {published.url} has the published one.",
    )


@contextlib.contextmanager
def _draft(wanted: Path) -> Iterator[Path]:
    """A name to write to, which takes its place once that has succeeded."""
    make_directory(wanted.parent, advice="KERAS_HOME names another place for weights.")
    if wanted.is_dir():
        raise UsageError(
            f"{wanted} is a folder, in the place of a weights file.",
            hint="Move it away.",
        )
    draft = aside(wanted)
    try:
        yield draft
        draft.replace(wanted)
    finally:
        draft.unlink(missing_ok=True)


def digest_fits(path: Path, published: Published) -> bool:
    """Whether a file is the published one; true where no digest is published."""
    wanted = published.checksum
    return not wanted or checksum(path, wanted) == wanted


def checksum(path: Path, like: str) -> str:
    """The digest of a file."""
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
            hint="There is nothing to fetch or to add.",
        )
    raise WeightsError(
        f"{backbone.name} has no ImageNet weights here: it is a small network "
        "to be trained from scratch.",
        hint="Use --weights none, or another backbone.",
    )


def _download(backbone: Backbone, published: Published, wanted: Path) -> None:
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(TIMEOUT)
    try:
        with _draft(wanted) as draft:
            keras.utils.get_file(
                draft.name,
                published.url,
                cache_dir=str(wanted.parent.parent),
                cache_subdir=wanted.parent.name,
            )
            _check(backbone, published, draft)
    except UsageError:
        raise
    # Keras turns what urllib raises into a bare Exception.
    except Exception as error:
        there = "not whole" if wanted.exists() else "not"
        raise WeightsError(
            f"The ImageNet weights of {backbone.name} are {there} on this machine, and "
            f"could not be downloaded from {published.url}: {_reason(error)}.",
            hint=f"Bring that file by hand: tlkit weights add {backbone.name} FILE. Or "
            "do without: --backbone nano, as in tlkit finetune DATASET --backbone "
            "nano, takes a small network that comes with tlkit, and knows less.",
        ) from error
    finally:
        socket.setdefaulttimeout(before)


def _reason(error: Exception) -> str:
    """Why, without the address, which Keras tells along."""
    if isinstance(error, WeightsError):
        return f"what came is not these weights. {error.message}".rstrip(".")
    cause = getattr(error.__context__, "reason", None) or error
    return str(getattr(cause, "strerror", None) or cause).rstrip(".")
