"""Folds as splits of a data set."""

from __future__ import annotations

import dataclasses

import pytest

from tlkit.errors import RunError, UsageError
from tlkit.training.cv_folds import inner_folds, outer_folds


def in_groups(manifest, size):
    """The same data set with its images in groups of one class."""
    number = {example.id: i for i, example in enumerate(manifest.examples)}
    examples = tuple(
        dataclasses.replace(e, group=f"{e.label} {e.split} {number[e.id] // size}")
        for e in manifest.examples
    )
    return dataclasses.replace(manifest, examples=examples)


def ids(manifest, split):
    return {example.id for example in manifest.of(split)}


def test_every_image_is_tested_once_a_repeat_and_the_test_split_never(prepared):
    manifest = in_groups(prepared, 2)
    pool = ids(manifest, "train") | ids(manifest, "val")
    folds = outer_folds(manifest, 3, 2, seed=5)
    assert [(r.repeat, r.fold) for r in folds] == [
        (1, 1), (1, 2), (1, 3), (2, 1), (2, 2), (2, 3),
    ]  # fmt: skip
    for repeat in (1, 2):
        tested = [ids(r.manifest, "test") for r in folds if r.repeat == repeat]
        assert sum(map(len, tested)) == len(pool)
        assert set.union(*tested) == pool
    assert ids(folds[0].manifest, "test") != ids(folds[3].manifest, "test")
    for one in folds:
        assert {e.id for e in one.manifest.examples} == pool
        groups = [
            {e.group for e in one.manifest.of(split)}
            for split in ("train", "val", "test")
        ]
        assert not groups[0] & groups[1]
        assert not groups[1] & groups[2]
        assert not groups[0] & groups[2]
        for split in ("train", "val", "test"):
            assert {e.label for e in one.manifest.of(split)} == set(manifest.labels)


def test_as_large_a_share_chooses_the_epoch_as_in_the_data_set(prepared):
    # Of 36 images 6 choose; so do a sixth of 24, 8 a class: 1 of each.
    assert (len(prepared.of("train")), len(prepared.of("val"))) == (30, 6)
    for one in outer_folds(prepared, 3, 1, seed=0):
        assert len(one.manifest.of("test")) == 12
        assert len(one.manifest.of("val")) == 3


def test_inner_folds_leave_validation_and_test_alone(prepared):
    train = ids(prepared, "train")
    folds = inner_folds(prepared, 5, seed=0)
    held = [ids(one.manifest, "val") for one in folds]
    assert sum(map(len, held)) == 30
    assert set.union(*held) == train
    for one in folds:
        assert not one.manifest.of("test")
        assert {e.id for e in one.manifest.examples} == train


def test_the_same_seed_draws_the_same(prepared):
    first, again = (outer_folds(prepared, 3, 1, seed=7) for _ in range(2))
    other = outer_folds(prepared, 3, 1, seed=8)
    assert [r.manifest.examples for r in first] == [r.manifest.examples for r in again]
    assert [r.manifest.examples for r in first] != [r.manifest.examples for r in other]


def test_what_cannot_be_drawn_is_an_error(prepared):
    with pytest.raises(UsageError, match="2 to 12 folds"):
        outer_folds(prepared, 13, 1, seed=0)
    few = prepared.of("val")[:0] + tuple(
        e for label in prepared.labels
        for e in [x for x in prepared.examples if x.label == label][:2]
    )  # fmt: skip
    few = tuple(
        dataclasses.replace(e, split="val" if i % 2 else "train")
        for i, e in enumerate(few)
    )
    with pytest.raises(UsageError, match="too little to select the epoch on"):
        outer_folds(dataclasses.replace(prepared, examples=few), 2, 1, seed=0)
    several = dataclasses.replace(prepared, info={**prepared.info, "multi_label": True})
    with pytest.raises(RunError, match="several labels"):
        outer_folds(several, 2, 1, seed=0)
    with pytest.raises(RunError, match="several labels"):
        inner_folds(several, 2, seed=0)
