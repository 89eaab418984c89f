"""The field of an option: all that is known of it, and where it applies."""

from __future__ import annotations

import enum
from collections.abc import Collection
from dataclasses import field
from typing import Any


class Scope(enum.Flag):
    """The parts of a run to which an option applies, where it matters."""

    # Features of a frozen network: all that a study of them can be given.
    FEATURES = enum.auto()
    # Training in steps: no effect on a linear probe, which is solved at once.
    STEPS = enum.auto()
    # The learning rate over time and the length: lr-find sets these itself.
    COURSE = enum.auto()
    # Phases of the head: phases that fine-tune have a rate and a length of their own.
    HEAD = enum.auto()


NOWHERE = Scope(0)


def option(
    default: Any,
    text: str,
    *,
    usual: str = "",
    choices: Collection[str] = (),
    bounds: tuple[float, float] | None = None,
    scope: Scope = NOWHERE,
) -> Any:
    """Return the dataclass field of an option, with its metadata.

    A default of None is left to `resolve`; `usual` is what `--help` shows for it.
    """
    shown = usual if usual or default is None else str(default)
    metadata = {
        "help": f"{text}  [default: {shown}]" if shown else text,
        "choices": tuple(choices),
        "bounds": bounds,
        "scope": scope,
    }
    return field(default=default, metadata=metadata)
