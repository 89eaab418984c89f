"""The strict schema between YAML and frozen dataclasses.

Faults are collected, not raised, so that a user sees all of them at once.
"""

from __future__ import annotations

import collections.abc
import dataclasses
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from tlkit.errors import TlkitError, unknown_name

T = TypeVar("T")
WORDS = {
    int: "a whole number",
    float: "a number",
    str: "a text",
    bool: "true or false",
    type(None): "null",
    collections.abc.Mapping: "a mapping",
}


def to_dataclass(kind: type[T], given: Any, where: str, faults: list[str]) -> T:
    """Fill a dataclass from a mapping; an unknown key or another type is a fault.

    The metadata of a field may have `choices`, the values allowed, and `bounds`, the
    least and greatest number.

    Args:
        kind: A dataclass, every field of which has a default.
        given: A mapping of field names to values; None is an empty one.
        where: Name of the mapping in faults.
        faults: Receives one line for each fault.

    Returns:
        The dataclass, with defaults for what was not given or did not fit.
    """
    if given is not None and not isinstance(given, Mapping):
        faults.append(f"{where}: expected options below it, got {given!r}")
        given = None
    hints = typing.get_type_hints(kind)
    metadata = {one.name: one.metadata for one in dataclasses.fields(kind)}  # type: ignore[arg-type]
    values = {}
    for name, value in (given or {}).items():
        if name not in hints:
            unknown = one_line(unknown_name("option", str(name), hints))
            faults.append(f"{where}: {unknown}")
            continue
        try:
            taken = _coerce(value, hints[name])
        except (TypeError, ValueError):
            expected = _describe(hints[name])
        else:
            expected = _allowed(taken, metadata[name])
        if expected:
            faults.append(f"{where}.{name}: expected {expected}, got {value!r}")
        else:
            values[name] = taken
    return kind(**values)


def to_plain(value: Any) -> Any:
    """Return nested dataclasses, mappings and sequences as dicts and lists.

    Args:
        value: Any nesting of them.

    Returns:
        A value that YAML can hold.
    """
    if dataclasses.is_dataclass(value):
        return {
            f.name: to_plain(getattr(value, f.name)) for f in dataclasses.fields(value)
        }
    if isinstance(value, Mapping):
        return {key: to_plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_plain(item) for item in value]
    return value


def one_line(error: TlkitError) -> str:
    """Return an error with its hint on one line, for a list."""
    return str(error).replace("\n", " ")


def _kinds(hint: Any) -> tuple[Any, ...]:
    return typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)


def _allowed(value: Any, metadata: Mapping[str, Any]) -> str:
    """Return what a field allows, "" if the value is among it."""
    choices, bounds = metadata.get("choices"), metadata.get("bounds")
    if choices and value not in choices:
        return " | ".join(choices)
    if bounds and value is not None and not bounds[0] <= value <= bounds[1]:
        return f"{bounds[0]} to {bounds[1]}"
    return ""


def _coerce(value: Any, hint: Any) -> Any:
    """Return a YAML value as the type of its field; an error if it is of another."""
    kinds = _kinds(hint)
    if value is None and type(None) in kinds:
        return None
    if isinstance(value, bool):
        if bool in kinds:
            return value
        raise TypeError(value)
    if int in kinds and isinstance(value, int):
        return value
    # YAML 1.1 reads 1e-4 as a string.
    if float in kinds and isinstance(value, (int, float, str)):
        return float(value)
    if str in kinds and isinstance(value, (str, Path)):
        return str(value)
    for kind in kinds:
        origin, arguments = typing.get_origin(kind), typing.get_args(kind)
        if origin is tuple and isinstance(value, (list, tuple)):
            return tuple(_coerce(item, arguments[0]) for item in value)
        if origin is collections.abc.Mapping and isinstance(value, Mapping):
            return value
    raise TypeError(value)


def _describe(hint: Any) -> str:
    names = []
    for kind in _kinds(hint):
        origin = typing.get_origin(kind) or kind
        if origin is tuple:
            names.append(f"a list, each item {_describe(typing.get_args(kind)[0])}")
        else:
            names.append(WORDS[origin])
    return " or ".join(names)
