"""A .keras file as the source of a custom backbone; nothing in it is executed."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import keras

from tlkit.backbones.weights.hdf5 import DAMAGED, refuse_links
from tlkit.errors import UsageError, WeightsError

HINT = "Use a file of Keras 3, as model.save('NAME.keras') writes it."
WEIGHTS = "model.weights.h5"


def full_name(name: str) -> str:
    """Return the absolute path of a .keras file."""
    path = Path(name).expanduser().resolve()
    if not path.is_file():
        kind = "a folder" if path.is_dir() else "not there"
        raise UsageError(f"The backbone {path} is {kind}.", hint=HINT)
    return str(path)


def stamp(name: str) -> tuple[int, int]:
    """Return what changes when the file does."""
    status = Path(name).stat()
    return status.st_mtime_ns, status.st_size


def open_model(name: str, *, weights: bool) -> keras.Model:
    """Open the model of a .keras file, not compiled."""
    if weights:
        return _load(name)
    config = _read_config(name)
    try:
        return keras.saving.deserialize_keras_object(config, safe_mode=True)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        # Read again, for Keras has modified the configuration.
        foreign = ", ".join(dict.fromkeys(_foreign(_read_config(name))))
        raise UsageError(
            f"{name} cannot be loaded safely: {foreign or str(error)[:300]}.",
            hint="Use Keras' own layers, no Lambda and no code that comes with a file. "
            "In Python, register a class by keras.saving.register_keras_serializable.",
        ) from error


def _load(name: str) -> keras.Model:
    try:
        # Keras refuses links itself, but not in all releases and not all kinds.
        with zipfile.ZipFile(name) as archive:
            content = io.BytesIO(archive.read(WEIGHTS))
        with h5py.File(content, "r") as file:
            refuse_links(file, Path(name))
        return keras.saving.load_model(name, compile=False, safe_mode=True)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise WeightsError(
            f"The weights in {name} cannot be read: {str(error)[:300]}",
            hint=DAMAGED,
        ) from error


def _read_config(name: str) -> dict[str, Any]:
    try:
        with zipfile.ZipFile(name) as archive:
            config: dict[str, Any] = json.loads(archive.read("config.json"))
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise UsageError(f"{name} is not a .keras file: {error}", hint=HINT) from error
    return {**config, "compile_config": None}


def _foreign(config: Any) -> Iterator[str]:
    """Yield the classes in a configuration that are not Keras' own, or not safe."""
    if isinstance(config, list):
        for each in config:
            yield from _foreign(each)
    elif isinstance(config, dict):
        # __keras_tensor__ and the like are how Keras writes a graph down.
        kind, module = config.get("class_name"), str(config.get("module") or "")
        inner = config.get("config")
        name = inner.get("name", "") if isinstance(inner, dict) else ""
        internal = str(kind or "_").startswith("_")
        if not internal and (kind == "Lambda" or module.split(".")[0] != "keras"):
            yield f"{kind} {name!r}" if name else str(kind)
        for each in config.values():
            yield from _foreign(each)
