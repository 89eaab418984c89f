from __future__ import annotations

import pytest

from tlkit.dataset.records import DuplicateRow
from tlkit.dataset.report.context import DUPLICATES, action


@pytest.mark.parametrize(
    ("kind", "distance", "done", "transform", "shown"),
    [
        ("exact", 0, "dropped", "", "dropped"),
        ("near", 1, "grouped", "", "grouped, 1 bit of 64 apart"),
        ("near", None, "grouped", "", "grouped"),
        ("rotated", 4, "grouped", "flipped", "flipped, grouped, 4 bits of 64 apart"),
        ("leak", 2, "removed", "flipped", "flipped, removed from train"),
        ("similar", 0.031, "grouped", "", "grouped, cosine 0.97"),
        ("similar", 0.05, "left apart", "", "left apart from b.png, cosine 0.95"),
    ],
)
def test_actions_in_words(kind, distance, done, transform, shown):
    row = DuplicateRow(
        kind=kind,
        file="a.png",
        split="train" if kind == "leak" else "",
        match="b.png",
        distance=distance,
        transform=transform,
        action=done,
    )
    assert action(row) == shown
    assert kind in DUPLICATES
