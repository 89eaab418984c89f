"""The errors a user can meet: every one says what is wrong and what to do.

TlkitError            work that failed             exit code 1
├── DatasetError      source or data set directory unusable
├── WeightsError      pretrained weights missing, unfit or damaged
├── RunError          run directory unusable, training or export went wrong
└── UsageError        a wrong option, name or value   exit code 2
    └── ConfigError   several of them, shown at once
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class TlkitError(Exception):
    """A failure with an explanation for the person at the terminal.

    Args:
        message: What was expected and what came instead.
        hint: What to do about it.
    """

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(f"{message}\n{hint}" if hint else message)
        self.message = message
        self.hint = hint


class DatasetError(TlkitError):
    """A source folder or data set directory cannot be used as it is."""


class WeightsError(TlkitError):
    """Pretrained weights are missing, do not fit, or hold NaN where used.

    Args:
        message: As for TlkitError.
        hint: Likewise.
        valid_to: The last layer that can be cut at and does without the NaN, if any.
    """

    def __init__(self, message: str, *, hint: str = "", valid_to: str = "") -> None:
        super().__init__(message, hint=hint)
        self.valid_to = valid_to


class RunError(TlkitError):
    """A run directory cannot be used, or training or export went wrong."""


class UsageError(TlkitError):
    """An option, a name or a value that cannot be meant."""

    exit_code = 2


class ConfigError(UsageError):
    """Every fault of a configuration at once.

    Args:
        source: Where the configuration came from, a file name or "the options".
        faults: One line a fault.
    """

    def __init__(self, source: str, faults: Iterable[str]) -> None:
        self.faults = tuple(faults)
        lines = "\n".join(f"  - {fault}" for fault in self.faults)
        number = "1 fault" if len(self.faults) == 1 else f"{len(self.faults)} faults"
        super().__init__(f"{number} in {source}:\n{lines}")


def unknown_name(
    what: str, name: str, known: Iterable[str], *, listed_by: str = ""
) -> UsageError:
    """The error for a name that is not in a list, with near-miss suggestions.

    Args:
        what: What the name should name, as in "backbone".
        name: What came.
        known: The names that exist.
        listed_by: The command that lists them, named where they are too many to.

    Returns:
        The error, to be raised by the caller.
    """
    known = list(known)
    lowered = {candidate.lower(): candidate for candidate in known}
    near = difflib.get_close_matches(name.lower(), lowered, n=3, cutoff=0.5)
    if near:
        hint = "Did you mean " + " or ".join(lowered[n] for n in near) + "?"
    elif len(known) <= 20:
        hint = f"Known: {', '.join(known)}."
    elif listed_by:
        hint = f"List them with: {listed_by}"
    else:
        hint = f"{len(known)} are known, {known[0]} and {known[-1]} among them."
    return UsageError(f"Unknown {what} {name!r}.", hint=hint)
