"""What the tests of the data set stage share."""

from __future__ import annotations

from types import SimpleNamespace

import pytest


@pytest.fixture
def told():
    """What was reported: a Progress with lists of notes, warnings and tasks."""
    lines = SimpleNamespace(notes=[], warnings=[], tasks={}, done=0)

    def start(task, total=None):
        lines.tasks[task] = total

    def advance(steps=1):
        lines.done += steps

    lines.start, lines.advance = start, advance
    lines.note, lines.warn = lines.notes.append, lines.warnings.append
    return lines
