"""The progress of long work: stages report it, the command line draws it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol, TypeVar

T = TypeVar("T")


class Progress(Protocol):
    """The receiver of all that a stage reports."""

    def start(self, task: str, total: int | None = None) -> None:
        """Begin a task.

        Args:
            task: What is done, such as "Reading images".
            total: Number of steps, None if unknown.
        """

    def advance(self, steps: int = 1) -> None:
        """Count steps of the current task as done."""

    def note(self, message: str) -> None:
        """Show a line, whatever is in progress."""

    def warn(self, message: str) -> None:
        """Show a line that the user should act on."""


class Silent:
    """A Progress that shows nothing, the default of the Python API."""

    def start(self, task: str, total: int | None = None) -> None:
        """Ignore a task."""

    def advance(self, steps: int = 1) -> None:
        """Ignore a step."""

    def note(self, message: str) -> None:
        """Ignore a line."""

    def warn(self, message: str) -> None:
        """Ignore a warning."""


SILENT = Silent()


class Quiet(Silent):
    """A Progress for repeated work: bars and new warnings pass, lines do not.

    Args:
        progress: Receiver of what passes.
        before: Prefix of the name of each task.
    """

    def __init__(self, progress: Progress, before: str = "") -> None:
        self.progress = progress
        self.before = before
        self._warned: set[str] = set()

    def start(self, task: str, total: int | None = None) -> None:
        """Begin a task with the prefix in its name."""
        self.progress.start(f"{self.before}{task}", total)

    def advance(self, steps: int = 1) -> None:
        """Pass on a step."""
        self.progress.advance(steps)

    def warn(self, message: str) -> None:
        """Pass on a warning if it is new."""
        if message not in self._warned:
            self._warned.add(message)
            self.progress.warn(message)


def track(
    items: Iterable[T], progress: Progress, task: str, total: int | None = None
) -> Iterator[T]:
    """Yield the items and report each one after it is done.

    Args:
        items: Any items.
        progress: Receiver of the reports.
        task: What is done, such as "Reading images".
        total: Number of items, None if unknown.

    Yields:
        The items, in order.
    """
    progress.start(task, total)
    for item in items:
        yield item
        progress.advance()
