"""The errors that a user can get: each with what failed and what to do.

TlkitError            work that failed                                 exit code 1
├── DatasetError      source or data set directory unusable
├── WeightsError      pretrained weights missing, damaged or of another shape
├── RunError          result directory unusable, or training or export failed
└── UsageError        invalid option, name or value                    exit code 2
    └── ConfigError   several of them, shown at once
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

# A longer list does not fit into a hint.
MOST_LISTED = 20


class TlkitError(Exception):
    """A failure with an explanation for the user.

    Args:
        message: What failed, and the value received.
        hint: What to do about it, an imperative sentence.
    """

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(f"{message}\n{hint}" if hint else message)
        self.message = message
        self.hint = hint


class DatasetError(TlkitError):
    """A source folder or data set directory that cannot be used."""


class WeightsError(TlkitError):
    """Pretrained weights that are missing, do not fit, or have NaN in a layer used.

    Args:
        message: As for TlkitError.
        hint: As for TlkitError.
        valid_to: Last cut without NaN; "" if there is none.
    """

    def __init__(self, message: str, *, hint: str = "", valid_to: str = "") -> None:
        super().__init__(message, hint=hint)
        self.valid_to = valid_to


class RunError(TlkitError):
    """A result directory that cannot be used, or a failed training or export."""


class UsageError(TlkitError):
    """An invalid option, name or value."""

    exit_code = 2


class ConfigError(UsageError):
    """All faults of a configuration at once.

    Args:
        source: Origin of the configuration: a file name or "the options".
        faults: One line for each fault.
    """

    def __init__(self, source: str, faults: Iterable[str]) -> None:
        self.faults = tuple(faults)
        lines = "\n".join(f"  - {fault}" for fault in self.faults)
        number = "1 fault" if len(self.faults) == 1 else f"{len(self.faults)} faults"
        super().__init__(f"{number} in {source}:\n{lines}")


def unknown_name(
    kind: str, name: str, known: Iterable[str], *, listed_by: str = ""
) -> UsageError:
    """Return the error for a name that is not in a list, with similar names.

    Args:
        kind: What is named, such as "backbone".
        name: Name received.
        known: Names that exist.
        listed_by: Command that lists them, for the hint if there are many.

    Returns:
        The error, for the caller to raise.
    """
    known = list(known)
    lowered = {each.lower(): each for each in known}
    near = difflib.get_close_matches(name.lower(), lowered, n=3, cutoff=0.5)
    if near:
        hint = "Did you mean " + " or ".join(lowered[n] for n in near) + "?"
    elif len(known) <= MOST_LISTED:
        hint = f"Known: {', '.join(known)}."
    elif listed_by:
        hint = f"List them with: {listed_by}"
    else:
        hint = f"{len(known)} are known, {known[0]} and {known[-1]} among them."
    return UsageError(f"Unknown {kind} {name!r}.", hint=hint)
