"""A KerasHub preset as the source of a custom backbone."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import keras

from tlkit.backbones.graph import renumber
from tlkit.backbones.spec import HUB, HUB_INSTALL, HUB_PACKAGE, NONE, Preprocessing
from tlkit.errors import UsageError


def full_name(name: str) -> str:
    """Return the name of a preset, a directory as an absolute path."""
    preset = Path(name.removeprefix(HUB)).expanduser()
    return f"{HUB}{preset.resolve()}" if preset.is_dir() else name


def stamp(name: str) -> tuple[int, ...]:
    """Return what changes with the files of a directory; published presets do not."""
    folder = Path(name.removeprefix(HUB))
    found = [path.stat() for path in sorted(folder.glob("*")) if folder.is_dir()]
    return tuple(n for info in found for n in (info.st_mtime_ns, info.st_size))


def open_model(name: str, *, weights: bool) -> keras.Model:
    """Open the backbone of a preset."""
    preset = name.removeprefix(HUB)
    backbone = _library("models").Backbone
    try:
        model = backbone.from_preset(preset, load_weights=weights)
    # Each place that presets come from has errors of its own.
    except Exception as error:
        raise UsageError(
            f"The KerasHub preset {preset!r} cannot be loaded: {str(error)[:300]}",
            hint="Use a directory that save_to_preset wrote, or the name of a preset "
            "whose files are on this machine or can be downloaded.",
        ) from error
    renumber(model)
    return model


def image_settings(name: str) -> tuple[int | None, Preprocessing | None]:
    """Return the image size and preprocessing of a preset, where it states them."""
    try:
        converter = _library("layers").ImageConverter.from_preset(
            name.removeprefix(HUB)
        )
    # A preset without one: KerasHub has no error of its own for that.
    except (ValueError, FileNotFoundError, KeyError):
        return None, None
    sizes = set(converter.image_size or ())
    size = sizes.pop() if len(sizes) == 1 else None
    if converter.scale is None and converter.offset is None:
        return size, NONE
    scale, offset = _channels(converter.scale, 1.0), _channels(converter.offset, 0.0)
    return size, Preprocessing("preset", "rgb", scale, offset)


def _channels(value: Any, missing: float) -> tuple[float, float, float]:
    """Return a number per channel, from one for all, one for each, or None."""
    if value is None:
        return (missing,) * 3
    values = [float(one) for one in keras.tree.flatten(value)]
    first, second, third = values * 3 if len(values) == 1 else values
    return first, second, third


def _library(part: str) -> Any:
    try:
        return importlib.import_module(f"{HUB_PACKAGE}.{part}")
    except ImportError as error:
        raise UsageError(
            f"--backbone {HUB}PRESET needs the library KerasHub: {error}.",
            hint=HUB_INSTALL,
        ) from error
