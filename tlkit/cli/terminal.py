"""The terminal: results on standard output, everything else on standard error."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as Bars
from rich.table import Table
from rich.text import Text

from tlkit.errors import TlkitError

# A pipe or file has no width to cut lines to; brackets in file names are no markup.
OUT = Console(
    soft_wrap=True,
    markup=False,
    highlight=False,
    width=None if sys.stdout.isatty() else 200,
)
ERR = Console(stderr=True, soft_wrap=True, markup=False, highlight=False)


class Interrupted(TlkitError):
    """Ctrl-C, pressed by the user."""

    exit_code = 130


# Characters by which a file name could harm a terminal: control characters except
# newline and tab, and those that change the reading direction.
HARMFUL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def harmless(text: str) -> str:
    """Return the text with control characters written as escapes."""
    return HARMFUL.sub(lambda match: ascii(match[0])[1:-1], text)


def print_line(line: str, style: str | None = None) -> None:
    """Print a line on standard error."""
    ERR.print(harmless(line), style=style)


def print_warning(line: str) -> None:
    """Print a line that stands out on standard error."""
    print_line(line, "yellow")


def print_files(folder: Path, files: Mapping[str, str]) -> None:
    """Print the path and the description of each file that exists."""
    for name, description in files.items():
        if (folder / name).exists():
            print_line(f"{folder / name}: {description}")


def next_step(*command: str | Path) -> None:
    """Print the command a user would run now, quoted where necessary."""
    print_line(f"Next: {shlex.join(map(str, command))}", "bold")


def table(*columns: str, no_wrap: bool = False) -> Table:
    """Return an empty table; a column named with a leading ">" is aligned right."""
    made = Table(box=None, header_style="bold")
    for column in columns:
        made.add_column(
            column.removeprefix(">"),
            justify="right" if column.startswith(">") else "left",
            overflow="fold",
            no_wrap=no_wrap,
        )
    return made


class Speed(ProgressColumn):
    """Steps per second, as soon as they are known."""

    def render(self, task: Task) -> Text:
        """Return the text of the column."""
        speed = task.finished_speed or task.speed
        if not speed:
            return Text("")
        return Text(f"{speed:,.0f}/s" if speed >= 10 else f"{speed:.1f}/s")


class Terminal:
    """A Progress of bars and lines on standard error; a context manager."""

    def __init__(self) -> None:
        self._bars = Bars(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            Speed(),
            TimeRemainingColumn(),
            console=ERR,
            transient=True,
            disable=not ERR.is_terminal,
        )
        self._task: TaskID | None = None

    def __enter__(self) -> Terminal:
        """Start drawing."""
        self._bars.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Remove the bars; the lines stay."""
        self._bars.stop()
        # typer would turn a KeyboardInterrupt into an abort with exit code 1.
        if kind is KeyboardInterrupt:
            raise Interrupted("Interrupted.")

    def start(self, task: str, total: int | None = None) -> None:
        """Replace the bar by one for this task."""
        if self._task is not None:
            self._bars.remove_task(self._task)
        self._task = self._bars.add_task(task, total=total)

    def advance(self, steps: int = 1) -> None:
        """Advance the bar."""
        if self._task is not None:
            self._bars.advance(self._task, steps)

    def note(self, message: str) -> None:
        """Print a line above the bar."""
        print_line(message)

    def warn(self, message: str) -> None:
        """Print a warning above the bar."""
        print_warning(f"warning: {message}")
