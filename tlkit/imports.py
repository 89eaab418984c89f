"""Imports of a package without the packages that it would bring along."""

from __future__ import annotations

import contextlib
import importlib.util
import sys
import types
from collections.abc import Iterator


@contextlib.contextmanager
def hidden(name: str) -> Iterator[None]:
    """Hide an optional package, as if it were not installed.

    Args:
        name: Name of the package; nothing is hidden if it is already imported.

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
    """Let modules of packages be imported without running the package itself.

    Args:
        names: Packages whose `__init__` is not run; nothing is done if one of them
            is already imported.

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
