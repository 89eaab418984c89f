"""A .keras file in, its model out; nothing in it is run."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras

from tlkit.errors import UsageError, WeightsError

HINT = "Expected a file of Keras 3, as model.save('NAME.keras') writes it."


def full_name(name: str) -> str:
    """The absolute path of a .keras file."""
    path = Path(name).expanduser().resolve()
    if not path.is_file():
        kind = "a folder" if path.is_dir() else "not there"
        raise UsageError(f"The backbone {path} is {kind}.", hint=HINT)
    return str(path)


def stamp(name: str) -> tuple[int, int]:
    """What changes with the file."""
    info = Path(name).stat()
    return info.st_mtime_ns, info.st_size


def open_model(name: str, *, weights: bool) -> keras.Model:
    """The model of a .keras file, not compiled."""
    if weights:
        return _loaded(name)
    config = _config(name)
    try:
        return keras.saving.deserialize_keras_object(config, safe_mode=True)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        # Keras has taken the configuration to pieces.
        foreign = ", ".join(dict.fromkeys(_foreign(_config(name))))
        found = foreign or str(error)[:300]
        raise UsageError(
            f"{name} cannot be loaded safely: {found}.",
            hint="Only layers of Keras itself are loaded, no Lambda and no code that "
            "came with a file. In Python, classes that are registered with "
            "keras.saving.register_keras_serializable are known, too.",
        ) from error


def _loaded(name: str) -> keras.Model:
    try:
        return keras.saving.load_model(name, compile=False, safe_mode=True)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise WeightsError(
            f"The weights in {name} cannot be read: {str(error)[:300]}",
            hint="The file is damaged or cut short; get it again.",
        ) from error


def _config(name: str) -> dict[str, Any]:
    try:
        with zipfile.ZipFile(name) as archive:
            config: dict[str, Any] = json.loads(archive.read("config.json"))
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise UsageError(f"{name} is not a .keras file: {error}", hint=HINT) from error
    return {**config, "compile_config": None}


def _foreign(config: Any) -> Iterator[str]:
    """What of a configuration is neither Keras' own nor safe."""
    if isinstance(config, list):
        for each in config:
            yield from _foreign(each)
    elif isinstance(config, dict):
        # __keras_tensor__ and the like are how Keras writes a graph down.
        kind, module = config.get("class_name"), str(config.get("module") or "")
        inner = config.get("config")
        name = inner.get("name", "") if isinstance(inner, dict) else ""
        inside = str(kind or "_").startswith("_")
        if not inside and (kind == "Lambda" or module.split(".")[0] != "keras"):
            yield f"{kind} {name!r}" if name else str(kind)
        for each in config.values():
            yield from _foreign(each)
