"""What the tests of the data set stage share."""

from __future__ import annotations

import dataclasses
import hashlib
from types import SimpleNamespace

import numpy as np
import pytest

from tlkit.dataset.facts import Examined, Facts, Look, coarse, thumbnails
from tlkit.dataset.hashing import perceptual_hash


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


def seen(pixels, path: str = "") -> Examined:
    pixels = np.ascontiguousarray(pixels)
    digest = hashlib.sha256(pixels.tobytes() + str(pixels.shape).encode()).hexdigest()
    height, width = pixels.shape[:2]
    facts = Facts(path, digest, digest, width, height, "PNG")
    return looking(facts, thumbnails(pixels))


def looking(facts: Facts, look: Look) -> Examined:
    facts = dataclasses.replace(facts, contrast=float(look.luma.std()))
    return Examined(facts, look, perceptual_hash(look.luma), coarse(look.luma))
