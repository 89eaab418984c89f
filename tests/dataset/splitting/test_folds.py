"""Folds hold whole groups, every example once, and every class in proportion."""

from __future__ import annotations

import numpy as np
import pytest

from tlkit.dataset.splitting.folds import most_folds, stratified_folds
from tlkit.errors import UsageError

TARGETS = np.repeat([0, 1], [12, 8])
GROUPS = np.arange(20) // 2


def test_every_example_is_held_out_once_and_groups_stay_whole():
    folds = stratified_folds(TARGETS, GROUPS, 4, seed=3)
    held = np.concatenate([fold.held for fold in folds])
    assert sorted(held.tolist()) == list(range(20))
    for fold in folds:
        assert not set(GROUPS[fold.train]) & set(GROUPS[fold.held])
        assert sorted([*fold.train, *fold.held]) == list(range(20))
        # 12 and 8 in pairs over four folds
        assert (TARGETS[fold.held] == 1).sum() == 2


def test_the_same_seed_gives_the_same_folds():
    first = stratified_folds(TARGETS, GROUPS, 4, seed=3)
    again = stratified_folds(TARGETS, GROUPS, 4, seed=3)
    other = stratified_folds(TARGETS, GROUPS, 4, seed=4)
    assert all((a.held == b.held).all() for a, b in zip(first, again, strict=True))
    assert any(len(a.held) != len(b.held) or (a.held != b.held).any()
               for a, b in zip(first, other, strict=True))  # fmt: skip


def test_the_smallest_class_says_how_many_folds_there_can_be():
    assert most_folds(TARGETS, GROUPS) == 4
    with pytest.raises(UsageError, match="2 to 4 folds"):
        stratified_folds(TARGETS, GROUPS, 5, seed=0)
    with pytest.raises(UsageError, match="got 0") as caught:
        stratified_folds(TARGETS, GROUPS, 0, seed=0)
    assert caught.value.hint == "Use two folds or more."
    with pytest.raises(UsageError, match="folds need two of every class"):
        stratified_folds(np.array([0, 0, 1]), np.arange(3), 3, seed=0)
