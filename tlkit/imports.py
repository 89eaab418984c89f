"""Importing a package without what it would bring along."""

from __future__ import annotations

import contextlib
import sys
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
