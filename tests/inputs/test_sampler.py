import numpy as np
import pytest

from tlkit.inputs.sampler import FRESH, Schedule

CLASSES = np.array([0] * 7 + [1] * 2 + [2])


def schedule(**changes):
    return Schedule(**{"examples": 10, "views": 4, "batch": 4, "seed": 3, **changes})


def test_an_epoch_has_every_example_once_in_batches():
    batches = list(schedule().batches(2))
    assert [len(batch.examples) for batch in batches] == [4, 4, 2]
    assert schedule().steps == 3
    chosen = np.concatenate([batch.examples for batch in batches])
    assert sorted(chosen) == list(range(10))


def test_epochs_and_seeds_differ_in_order():
    first = schedule().epoch(0).examples
    assert np.array_equal(first, schedule().epoch(0).examples)
    assert not np.array_equal(first, schedule().epoch(1).examples)
    assert not np.array_equal(first, schedule(seed=4).epoch(0).examples)


def views_of(plan, epoch):
    """The view of every example, in the order of the examples."""
    examples, views = plan.epoch(epoch)
    return views[np.argsort(examples)]


def test_every_example_goes_round_its_views():
    turns = np.stack([views_of(schedule(examples=50), epoch) for epoch in range(8)])
    for column in turns.T:
        assert sorted(column[:4]) == [0, 1, 2, 3]
        assert np.array_equal(column[:4], column[4:])
    # They do not all begin with the same one.
    assert len(set(turns[0])) == 4


def test_fresh_views_are_never_plain_and_never_come_again():
    fresh = schedule(views=FRESH)
    assert [set(fresh.epoch(epoch).views) for epoch in range(3)] == [{1}, {2}, {3}]


def test_one_view_is_the_plain_one():
    assert not schedule(views=1).epoch(7).views.any()


@pytest.mark.parametrize("classes", [None, CLASSES])
@pytest.mark.parametrize("views", [3, FRESH])
def test_batches_are_the_epoch_in_parts(views, classes):
    plan = schedule(views=views, classes=classes)
    parts = list(plan.batches(5))
    assert [len(part.examples) for part in parts] == [4, 4, 2]
    for joined, whole in zip(
        map(np.concatenate, zip(*parts, strict=True)), plan.epoch(5), strict=True
    ):
        assert np.array_equal(joined, whole)


def test_balanced_classes_come_equally_often_in_an_epoch_as_long():
    """7, 2 and 1 examples, 10 an epoch: 3 of each class, and one more of some."""
    extra = []
    for epoch in range(30):
        examples = schedule(classes=CLASSES).epoch(epoch).examples
        counts = np.bincount(CLASSES[examples], minlength=3)
        assert sorted(counts) == [3, 3, 4]
        extra.append(int(counts.argmax()))
        seen = np.bincount(examples, minlength=10)
        # Within a class, evenly: no example twice before the others had their turn.
        for name in range(3):
            own = seen[name == CLASSES]
            assert own.max() - own.min() <= 1
    assert set(extra) == {0, 1, 2}


def test_balanced_epochs_are_pure_and_show_every_example_in_time():
    plan = schedule(classes=CLASSES)
    assert np.array_equal(plan.epoch(3).examples, schedule(classes=CLASSES).epoch(3)[0])
    assert not np.array_equal(plan.epoch(3).examples, plan.epoch(4).examples)
    assert plan.steps == schedule().steps
    seen = {int(i) for epoch in range(20) for i in plan.epoch(epoch).examples}
    assert seen == set(range(10))


def test_an_example_that_comes_again_comes_in_another_view():
    fresh = schedule(views=FRESH, classes=CLASSES)
    pairs = [
        pair
        for epoch in range(6)
        for pair in zip(*map(np.ndarray.tolist, fresh.epoch(epoch)), strict=True)
    ]
    assert len(set(pairs)) == len(pairs) == 60
    assert min(view for _, view in pairs) == 1
    # The lone example of its class comes 3 or 4 times, in 4 views each at most once.
    for epoch in range(6):
        examples, views = schedule(classes=CLASSES).epoch(epoch)
        own = views[examples == 9]
        assert len(set(own)) == len(own) >= 3


def test_with_classes_of_one_size_each_example_comes_once():
    classes = np.arange(10) % 5
    examples = schedule(classes=classes).epoch(0).examples
    assert sorted(examples) == list(range(10))
