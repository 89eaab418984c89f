import dataclasses

import numpy as np
import pytest

from tlkit.tasks.task import Task
from tlkit.training.candidates import best_of, judge

TRUTH = np.eye(2)[[0, 0, 1, 1]]


def answers(*right):
    """One probability of the true class each."""
    shares = np.array(right)[:, None]
    return np.where(TRUTH > 0, shares, 1 - shares)


def judged(name, *right):
    return judge(Task(2, False), TRUTH, name, "none", answers(*right))


def test_a_network_that_is_only_modest_is_not_the_worse_for_it():
    """Modest: all right at 0.7. Bold: 0.99 three times, and wrong at 0.4 once."""
    bold, modest = judged("a", 0.99, 0.99, 0.99, 0.4), judged("b", 0.7, 0.7, 0.7, 0.7)
    assert bold.loss == pytest.approx(-(3 * np.log(0.99) + np.log(0.4)) / 4)
    assert modest.loss == pytest.approx(-np.log(0.7))
    assert bold.loss < modest.loss
    assert modest.tempered < bold.tempered <= bold.loss
    assert best_of([bold, modest], "val_loss") is modest
    assert best_of([bold, modest], "val_accuracy") is modest
    assert best_of([modest, bold], "last") is bold


def test_the_earlier_of_two_that_are_equal():
    same = judged("a", 0.9, 0.8, 0.7, 0.6), judged("b", 0.9, 0.8, 0.7, 0.6)
    assert best_of(same, "val_loss") is best_of(same, "val_accuracy") is same[0]


def test_a_gain_and_its_standard_error():
    """By hand: differences 0.1, 0.1, 0.1 and 0.5 have mean 0.2 and deviation 0.2."""
    one = judged("a", 0.9, 0.8, 0.7, 0.6)
    extra = np.array([0.1, 0.1, 0.1, 0.5])
    worse = dataclasses.replace(one, losses=one.losses + extra)
    assert one.gain(worse) == pytest.approx((0.2, 0.1))
    assert worse.gain(one) == pytest.approx((-0.2, 0.1))
    assert one.gain(one) == (0, 0)
    single = dataclasses.replace(one, losses=one.losses[:1])
    assert single.gain(single) == (0, np.inf)


def test_classes_that_are_never_answered():
    assert judged("a", 0.9, 0.9, 0.4, 0.4).never == (1,)
    assert judged("a", 0.9, 0.9, 0.4, 0.6).never == ()


def test_of_several_labels_the_loss_is_what_it_is():
    one = judge(Task(2, True), TRUTH, "a", "none", answers(0.9, 0.9, 0.9, 0.9))
    assert one.tempered == one.loss
