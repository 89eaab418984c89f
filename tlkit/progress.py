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
            task: What is done, as in "Reading pictures".
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


def track(
    items: Iterable[T], progress: Progress, task: str, total: int | None = None
) -> Iterator[T]:
    """Hand the items on, reporting each one.

    Args:
        items: What is worked on.
        progress: Where to report.
        task: What is done, as in "Reading pictures".
        total: Number of items, None where it is not known.

    Yields:
        The items, in order.
    """
    progress.start(task, total)
    for item in items:
        yield item
        progress.advance()
