from __future__ import annotations

import pytest

from tlkit.dataset.duplicates.resolve import DuplicateRow
from tlkit.dataset.report.context import DUPLICATES, action


@pytest.mark.parametrize(
    ("kind", "distance", "done", "turn", "shown"),
    [
        ("exact", 0, "dropped", "", "dropped"),
        ("near", 1, "grouped", "", "grouped, 1 bit of 64 apart"),
        ("near", None, "grouped", "", "grouped"),
        ("turned", 4, "grouped", "mirrored", "mirrored, grouped, 4 bits of 64 apart"),
        ("leak", 2, "removed from train", "mirrored", "mirrored, removed from train"),
        ("similar", 0.031, "grouped", "", "grouped, cosine 0.97"),
        ("similar", 0.05, "left apart", "", "left apart from b.png, cosine 0.95"),
    ],
)
def test_actions_in_words(kind, distance, done, turn, shown):
    row = DuplicateRow("0" * 12, "a.png", "x", kind, distance, done, "b.png", turn)
    assert action(row) == shown
    assert kind in DUPLICATES
