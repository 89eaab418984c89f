"""One process that hashes for all tests: loading imagededup takes seconds."""

from __future__ import annotations

import contextlib
from types import SimpleNamespace

import pytest

from tlkit.dataset import prepare as module
from tlkit.dataset.duplicates import Hasher


@pytest.fixture(scope="session")
def hasher():
    with Hasher() as one:
        yield one


@pytest.fixture
def shared_hasher(hasher, monkeypatch):
    monkeypatch.setattr(module, "Hasher", lambda: contextlib.nullcontext(hasher))


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
