"""Importing a package without what it would bring along."""

from __future__ import annotations

import contextlib
import importlib.util
import sys
import types
from collections.abc import Iterator


@contextlib.contextmanager
def hidden(name: str) -> Iterator[None]:
    """Within, an optional package looks as if it were not installed.

    Args:
        name: Of the package; nothing is hidden if it was imported before.

    Yields:
        Nothing.
    """
    if name in sys.modules:
        yield
        return
    sys.modules[name] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[name]


@contextlib.contextmanager
def bare(*names: str) -> Iterator[None]:
    """Within, modules of packages are imported without what the packages import.

    Args:
        names: Of the packages, whose own `__init__` is not run; nothing is done if one
            of them was imported before.

    Yields:
        Nothing.

    Raises:
        ImportError: There is no such package.
    """
    if sys.modules.keys() & set(names):
        yield
        return
    try:
        for name in names:
            spec = importlib.util.find_spec(name)
            if spec is None or spec.submodule_search_locations is None:
                raise ImportError(f"there is no package {name}")
            package = types.ModuleType(name)
            package.__path__ = spec.submodule_search_locations
            sys.modules[name] = package
        yield
    finally:
        for name in names:
            sys.modules.pop(name, None)
