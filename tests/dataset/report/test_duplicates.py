from __future__ import annotations

import pytest

from tlkit.dataset.duplicates.resolve import DuplicateRow
from tlkit.dataset.report.duplicates import KINDS, _done


@pytest.mark.parametrize(
    ("kind", "distance", "action", "turn", "said"),
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
def test_what_was_done_in_words(kind, distance, action, turn, said):
    row = DuplicateRow("0" * 12, "a.png", "x", kind, distance, action, "b.png", turn)
    assert _done(row) == said
    assert kind in KINDS
