"""What a command says: results on standard output, all else on standard error."""

from __future__ import annotations

import gc
import importlib
import os
import re
import shlex
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.control import Control
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
from rich.segment import ControlType
from rich.text import Text

from tlkit.errors import TlkitError

# Into a pipe or file nothing is cut to a terminal's width.
OUT = Console(soft_wrap=True, width=None if sys.stdout.isatty() else 200)
ERR = Console(stderr=True, soft_wrap=True)


class Interrupted(TlkitError):
    """The user has pressed Ctrl-C."""

    exit_code = 130


# What a name of a file could do harm with on a terminal: control characters, but for
# the end of a line and the tab, and those that turn the direction of reading.
HARMFUL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def harmless(text: str) -> str:
    """Write control characters as escapes.

    Args:
        text: What is to be shown, names of files in it.

    Returns:
        The same, fit for any terminal.
    """
    return HARMFUL.sub(lambda match: ascii(match[0])[1:-1], text)


class Rate(ProgressColumn):
    """How many steps a second, once that can be told."""

    def render(self, task: Task) -> Text:
        """Draw it."""
        speed = task.finished_speed or task.speed
        if not speed:
            return Text("")
        return Text(f"{speed:,.0f}/s" if speed >= 10 else f"{speed:.1f}/s")


class Terminal:
    """Progress bars and lines on standard error; a context manager."""

    def __init__(self) -> None:
        self._bars = Bars(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            Rate(),
            TimeRemainingColumn(),
            console=ERR,
            transient=True,
            disable=not ERR.is_terminal,
        )
        self._task: TaskID | None = None

    def __enter__(self) -> Terminal:
        """Begin to draw."""
        self._bars.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Take the bars away; the lines stay.

        Raises:
            Interrupted: In place of a KeyboardInterrupt, which typer would call an
                abortion of its own.
        """
        self._bars.stop()
        if kind is KeyboardInterrupt:
            raise Interrupted("Interrupted.")

    def start(self, task: str, total: int | None = None) -> None:
        """Replace the bar by one for this task."""
        if self._task is not None:
            self._bars.remove_task(self._task)
        self._task = self._bars.add_task(task, total=total)

    def advance(self, steps: int = 1) -> None:
        """Move the bar on."""
        if self._task is not None:
            self._bars.advance(self._task, steps)

    def note(self, message: str) -> None:
        """Print a line above the bar."""
        ERR.print(harmless(message), markup=False, highlight=False)

    def warn(self, message: str) -> None:
        """Print a line above the bar that stands out."""
        line = f"warning: {harmless(message)}"
        ERR.print(line, style="yellow", markup=False, highlight=False)


def load_tensorflow() -> None:
    """Import TensorFlow without the lines it writes while it loads.

    They come from its C++ side, before any log level counts, so standard error itself
    is turned away; what was written is shown if loading fails.
    """
    if ERR.is_terminal:
        ERR.print("Loading TensorFlow ...", style="dim", end="\r")
    sys.stderr.flush()
    shown = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            importlib.import_module("tensorflow")
            importlib.import_module("keras")
            # A million objects that stay: no garbage collection need look at them.
            gc.freeze()
        except BaseException:
            held.seek(0)
            os.write(shown, held.read())
            raise
        finally:
            os.dup2(shown, 2)
            os.close(shown)
    if ERR.is_terminal:
        ERR.control(Control((ControlType.ERASE_IN_LINE, 2)))


def next_step(*command: str | Path) -> None:
    """Tell what one would do now.

    Args:
        *command: The words of a command line, quoted here where they need it.
    """
    line = shlex.join(map(str, command))
    ERR.print(f"Next: {line}", style="bold", markup=False, highlight=False)
