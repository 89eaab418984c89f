from __future__ import annotations

import random
from collections import Counter, defaultdict

import pytest

from tlkit.dataset.splitting.assign import assign
from tlkit.errors import DatasetError

BOTH = {"val": 0.15, "test": 0.15}


def singles(**counts: int) -> tuple[list[tuple[str, ...]], list[str]]:
    labels = one_each(n for n, count in counts.items() for _ in range(count))
    return labels, [f"g{i}" for i in range(len(labels))]


def one_each(labels) -> list[tuple[str, ...]]:
    return [(label,) for label in labels]


def tally(labels, splits) -> dict[str, dict[str, int]]:
    table: dict[str, dict[str, int]] = defaultdict(dict)
    pairs = zip(labels, splits, strict=True)
    for (label, split), count in Counter(
        (n, s) for own, s in pairs for n in own
    ).items():
        table[label][split] = count
    return table


def test_each_class_is_shared_out_by_its_fractions():
    labels, groups = singles(a=100, b=20, c=3)
    splits = assign(labels, groups, BOTH, 0)
    assert tally(labels, splits) == {
        "a": {"train": 70, "val": 15, "test": 15},
        "b": {"train": 14, "val": 3, "test": 3},
        "c": {"train": 1, "val": 1, "test": 1},
    }


def test_train_keeps_at_least_one():
    labels, groups = singles(a=4, b=4)
    splits = assign(labels, groups, {"val": 0.45, "test": 0.45}, 0)
    for counts in tally(labels, splits).values():
        assert sorted(counts.values()) == [1, 1, 2]


def test_splits_that_are_not_wanted():
    labels, groups = singles(a=10, b=10)
    assert set(assign(labels, groups, {"val": 0.2, "test": 0}, 0)) == {"train", "val"}
    assert set(assign(labels, groups, {"val": 0, "test": 0}, 0)) == {"train"}


def test_the_order_has_no_influence_and_the_seed_has():
    labels, groups = singles(a=40, b=30)
    splits = dict(zip(groups, assign(labels, groups, BOTH, 3), strict=True))
    rows = list(zip(labels, groups, strict=True))
    random.Random(0).shuffle(rows)
    shuffled = assign([r[0] for r in rows], [r[1] for r in rows], BOTH, 3)
    assert dict(zip([r[1] for r in rows], shuffled, strict=True)) == splits
    assert assign(labels, groups, BOTH, 4) != assign(labels, groups, BOTH, 3)


def test_one_more_image_moves_few_others():
    labels, groups = singles(a=100, b=100)
    before = dict(zip(groups, assign(labels, groups, BOTH, 0), strict=True))
    after = assign([*labels, ("a",)], [*groups, "new"], BOTH, 0)
    moved = sum(before[g] != split for g, split in zip(groups, after, strict=False))
    assert moved <= 2


def test_groups_are_whole():
    rng = random.Random(1)
    labels = one_each("a" * 60 + "b" * 60)
    groups = [f"{label}{rng.randrange(15)}" for (label,) in labels]
    splits = assign(labels, groups, {"val": 0.25, "test": 0.25}, 0)
    of_group = defaultdict(set)
    for group, split in zip(groups, splits, strict=True):
        of_group[group].add(split)
    assert all(len(s) == 1 for s in of_group.values())
    for counts in tally(labels, splits).values():
        assert abs(counts["val"] - 15) <= 4
        assert abs(counts["test"] - 15) <= 4


def test_large_groups_stay_in_train_and_no_split_is_empty():
    labels = one_each("a" * 12 + "b" * 3)
    groups = ["big"] * 10 + ["s1", "s2"] + ["b1", "b2", "b3"]
    splits = assign(labels, groups, BOTH, 0)
    assert splits[:10] == ["train"] * 10
    assert set(splits[10:12]) == {"val", "test"}
    assert set(splits[12:]) == {"train", "val", "test"}


def test_three_equal_groups():
    splits = assign(one_each("a" * 15), [f"g{i // 5}" for i in range(15)], BOTH, 0)
    assert Counter(splits) == {"train": 5, "val": 5, "test": 5}


@pytest.mark.parametrize("seed", range(5))
def test_groups_of_several_labels(seed):
    # photos with many things in them, some of them rare
    rng = random.Random(seed)
    labels, groups = [], []
    for photo in range(30):
        for _ in range(rng.randrange(1, 8)):
            labels.append(tuple(rng.choices("abcd", (10, 6, 3, 2))))
            groups.append(f"p{photo}")
    splits = assign(labels, groups, {"val": 0.2, "test": 0.2}, seed)
    of_group = dict(zip(groups, splits, strict=True))
    assert [of_group[group] for group in groups] == splits
    for counts in tally(labels, splits).values():
        assert set(counts) == {"train", "val", "test"}


def test_classes_that_are_too_small_are_named():
    labels, groups = singles(a=30, b=2, c=1)
    with pytest.raises(DatasetError) as caught:
        assign([*labels, ("b",)], [*groups, groups[-2]], BOTH, 0)
    message = str(caught.value)
    assert "2 class(es) too small" in message
    assert "b: 3 example(s) in 2 group(s)" in message
    assert "c: 1 example(s) in 1 group(s)" in message
    assert "a:" not in message
    assert "--test 0" in message


def test_what_no_draw_can_part():
    # two classes that need the same two photos on different splits
    labels = one_each("ababacbcc")
    groups = ["1", "1", "2", "2", "3", "3", "4", "4", "5"]
    splits = assign(labels, groups, {"val": 0.3, "test": 0}, 0)
    for counts in tally(labels, splits).values():
        assert set(counts) == {"train", "val"}
    labels = one_each("abacbc")
    groups = ["1", "1", "2", "2", "3", "3"]
    with pytest.raises(DatasetError, match=r"No draw puts [abc].* into every split"):
        assign(labels, groups, {"val": 0.3, "test": 0}, 0)


def test_examples_of_several_labels_count_for_each_of_them():
    # 40 of "a" alone, 20 of both, 20 of "b" alone
    labels = [("a",)] * 40 + [("a", "b")] * 20 + [("b",)] * 20
    groups = [f"g{i}" for i in range(80)]
    splits = assign(labels, groups, {"val": 0.25, "test": 0.25}, 0)
    assert tally(labels, splits) == {
        "a": {"train": 30, "val": 15, "test": 15},
        "b": {"train": 20, "val": 10, "test": 10},
    }


def test_a_rare_label_among_others_is_on_every_split():
    labels = [("a",)] * 57 + [("a", "rare")] * 3
    splits = assign(labels, [f"g{i}" for i in range(60)], BOTH, 0)
    assert tally(labels, splits)["rare"] == {"train": 1, "val": 1, "test": 1}


def test_a_settled_class_that_shrank_to_fewer_than_the_splits():
    """Nothing more is wanted of it in val and test."""
    labels, groups = singles(a=20, b=1)
    settled = dict.fromkeys(groups, "train")
    splits = assign(labels, groups, BOTH, 0, settled=settled)
    assert splits == ["train"] * 21
