from __future__ import annotations

import numpy as np

from tlkit.experiments.subsets import nested_subsets, usable_sizes


def test_sizes_go_down_by_a_root_of_two_while_each_class_has_three():
    # 12 groups: 12, 8.5, 6, 4.2, 3 of them are at least 3.
    assert usable_sizes(100, 12) == [25, 35, 50, 71, 100]
    assert usable_sizes(100, 2) == []
    assert len(usable_sizes(10_000, 5000)) == 8


def test_each_part_lies_within_the_next_and_has_its_share_of_every_class():
    targets = np.repeat([0, 1, 2], [40, 20, 10])
    parts = nested_subsets(targets, np.arange(70), [14, 35, 70], seed=3)
    assert [len(part) for part in parts] == [14, 35, 70]
    assert set(parts[0]) < set(parts[1]) < set(parts[2]) == set(range(70))
    for part, share in zip(parts, (0.2, 0.5, 1.0), strict=True):
        counts = np.bincount(targets[part], minlength=3)
        assert np.abs(counts - share * np.array([40, 20, 10])).max() <= 1


def test_groups_stay_whole():
    groups = np.repeat(np.arange(20), 5)
    targets = np.repeat(np.arange(2), 50)
    parts = nested_subsets(targets, groups, [20, 50], seed=0)
    for part, size in zip(parts, (20, 50), strict=True):
        assert len(part) == size
        assert (np.bincount(groups[part], minlength=20) % 5 == 0).all()


def test_groups_with_several_classes_are_spread_by_their_rarest():
    """Every photo has many of class 0; every fifth also one of class 1."""
    groups = np.repeat(np.arange(50), 4)
    targets = np.zeros(200, int)
    targets[::20] = 1
    part = nested_subsets(targets, groups, [100, 200], seed=1)[0]
    assert abs((targets[part] == 1).sum() - 5) <= 1


def test_the_seed_decides():
    targets, groups = np.repeat([0, 1], 30), np.arange(60)
    a, b, c = (nested_subsets(targets, groups, [20], seed=s)[0] for s in (1, 1, 2))
    assert a.tolist() == b.tolist()
    assert set(a) != set(c)
