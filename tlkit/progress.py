"""How long work tells of itself: the stages report, the command line draws."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol, TypeVar

T = TypeVar("T")


class Progress(Protocol):
    """What a stage reports to; the default is silence."""

    def start(self, task: str, total: int | None = None) -> None:
        """A piece of work begins.

        Args:
            task: What is done, as in "Reading images".
            total: Number of steps, None where it is not known.
        """

    def advance(self, steps: int = 1) -> None:
        """So many steps of the current work are done."""

    def note(self, message: str) -> None:
        """One line the user should see, whatever is in progress."""

    def warn(self, message: str) -> None:
        """One line the user should act on."""


class Silent:
    """Reports nowhere; what the Python API uses unless told otherwise."""

    def start(self, task: str, total: int | None = None) -> None:
        """Ignore a beginning."""

    def advance(self, steps: int = 1) -> None:
        """Ignore a step."""

    def note(self, message: str) -> None:
        """Ignore a line."""

    def warn(self, message: str) -> None:
        """Ignore a warning."""


class Quiet:
    """Hands on bars, and each warning once; lines of work that is done often are lost.

    Args:
        progress: Where to.
        before: Put before the name of each task.
    """

    def __init__(self, progress: Progress, before: str = "") -> None:
        self.progress = progress
        self.before = before
        self._warned: set[str] = set()

    def start(self, task: str, total: int | None = None) -> None:
        """Begin a bar."""
        self.progress.start(f"{self.before}{task}", total)

    def advance(self, steps: int = 1) -> None:
        """Move the bar on."""
        self.progress.advance(steps)

    def note(self, message: str) -> None:
        """Ignore a line."""

    def warn(self, message: str) -> None:
        """Hand a warning on that is new."""
        if message not in self._warned:
            self._warned.add(message)
            self.progress.warn(message)


def track(
    items: Iterable[T], progress: Progress, task: str, total: int | None = None
) -> Iterator[T]:
    """Hand the items on, reporting each one.

    Args:
        items: What is worked on.
        progress: Where to report.
        task: What is done, as in "Reading images".
        total: Number of items, None where it is not known.

    Yields:
        The items, in order.
    """
    progress.start(task, total)
    for item in items:
        yield item
        progress.advance()
