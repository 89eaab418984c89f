"""Mappings from YAML in, frozen dataclasses out, strictly; and back.

An unknown key or a value of another type is a fault; faults are gathered, not raised,
so that a person sees all of them at once.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from tlkit.errors import TlkitError, unknown_name

T = TypeVar("T")


def to_dataclass(kind: type[T], given: Any, where: str, faults: list[str]) -> T:
    """Fill a dataclass of plain fields from a mapping.

    Args:
        kind: A dataclass, every field of which has a default.
        given: A mapping of field names to values; None is an empty one.
        where: What to call it in faults.
        faults: Takes one line for everything that does not fit.

    Returns:
        The dataclass, with defaults for what was not given or did not fit.
    """
    if given is not None and not isinstance(given, Mapping):
        faults.append(f"{where}: expected options below it, got {given!r}")
        given = None
    hints = typing.get_type_hints(kind)
    values = {}
    for name, value in (given or {}).items():
        if name not in hints:
            unknown = one_line(unknown_name("option", str(name), hints))
            faults.append(f"{where}: {unknown}")
            continue
        try:
            values[name] = _coerce(value, hints[name])
        except (TypeError, ValueError):
            wanted = _describe(hints[name])
            faults.append(f"{where}.{name}: expected {wanted}, got {value!r}")
    return kind(**values)


def to_plain(value: Any) -> Any:
    """Dataclasses, mappings and sequences as what YAML can hold.

    Args:
        value: Any nesting of them.

    Returns:
        Nested dicts and lists.
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
    """An error with its hint on one line, to stand in a list."""
    return str(error).replace("\n", " ")


def _coerce(value: Any, hint: Any) -> Any:
    """A YAML value as the type of its field; raises where it is another one."""
    kinds = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    if value is None and type(None) in kinds:
        return None
    if bool in kinds and isinstance(value, bool):
        return value
    if isinstance(value, bool):
        raise TypeError(value)
    if int in kinds and isinstance(value, int):
        return value
    # YAML 1.1 reads 1e-4 as a string.
    if float in kinds and isinstance(value, (int, float, str)):
        return float(value)
    if str in kinds and isinstance(value, (str, Path)):
        return str(value)
    if isinstance(value, (list, tuple)) and any(typing.get_args(k) for k in kinds):
        return tuple(value)
    raise TypeError(value)


def _describe(hint: Any) -> str:
    words = {"int": "a whole number", "float": "a number", "str": "a text"}
    words |= {"bool": "true or false", "None": "null"}
    kinds = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    names = ["None" if k is type(None) else getattr(k, "__name__", "") for k in kinds]
    return " or ".join(words.get(name, "a list") for name in names)
