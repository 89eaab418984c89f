"""One process that hashes for all tests: loading imagededup takes seconds. Facts."""

from __future__ import annotations

import contextlib
import hashlib
from types import SimpleNamespace

import numpy as np
import pytest

import tlkit.dataset.check as check
import tlkit.dataset.prepare as prepare
from tlkit.dataset.facts import Facts, thumbnails
from tlkit.dataset.hashing import Hasher


def facts_of(pixels, path: str = "") -> Facts:
    pixels = np.ascontiguousarray(pixels)
    luma, colour = thumbnails(pixels)
    digest = hashlib.sha256(pixels.tobytes() + str(pixels.shape).encode()).hexdigest()
    height, width = pixels.shape[:2]
    return Facts(path, digest, digest, width, height, "PNG", luma=luma, colour=colour)


@pytest.fixture(scope="session")
def hasher():
    with Hasher() as one:
        yield one


@pytest.fixture
def shared_hasher(hasher, monkeypatch):
    for module in (check, prepare):
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
