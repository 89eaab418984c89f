import numpy as np
import pytest

from tlkit.inputs.schedule import FRESH, Schedule


def schedule(**changes):
    return Schedule(**{"examples": 10, "views": 4, "batch": 4, "seed": 3, **changes})


def test_an_epoch_has_every_example_once_in_batches():
    batches = list(schedule().batches(2))
    assert [len(batch.examples) for batch in batches] == [4, 4, 2]
    assert schedule().steps == 3
    chosen = np.concatenate([batch.examples for batch in batches])
    assert sorted(chosen) == list(range(10))


def test_epochs_and_seeds_differ_in_order():
    first = schedule().order(0)
    assert np.array_equal(first, schedule().order(0))
    assert not np.array_equal(first, schedule().order(1))
    assert not np.array_equal(first, schedule(seed=4).order(0))


def test_every_example_goes_round_its_views():
    turns = np.stack([schedule(examples=50).views_of(epoch) for epoch in range(8)])
    for column in turns.T:
        assert sorted(column[:4]) == [0, 1, 2, 3]
        assert np.array_equal(column[:4], column[4:])
    # They do not all begin with the same one.
    assert len(set(turns[0])) == 4


def test_fresh_views_are_never_plain_and_never_come_again():
    fresh = schedule(views=FRESH)
    assert [set(fresh.views_of(epoch)) for epoch in range(3)] == [{1}, {2}, {3}]


def test_one_view_is_the_plain_one():
    assert not schedule(views=1).views_of(7).any()


@pytest.mark.parametrize("views", [3, FRESH])
def test_a_batch_has_the_views_of_its_examples(views):
    plan = schedule(views=views)
    for batch in plan.batches(5):
        assert np.array_equal(batch.views, plan.views_of(5)[batch.examples])
