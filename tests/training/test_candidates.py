import dataclasses

import numpy as np
import pytest

from tlkit.tasks.task import Task
from tlkit.training.candidates import (
    account_for,
    accuracy_gain,
    score_candidate,
    select_best,
)

TRUTH = np.eye(2)[[0, 0, 1, 1]]


def answers(*right):
    """One probability of the true class each."""
    shares = np.array(right)[:, None]
    return np.where(TRUTH > 0, shares, 1 - shares)


def scored(name, *right, groups=range(4), multi_label=False):
    task = Task(2, multi_label)
    groups = np.array(groups)
    return score_candidate(task, TRUTH, groups, name, "none", answers(*right))


def test_a_network_that_is_only_modest_is_not_the_worse_for_it():
    """Modest: all right at 0.7. Bold: 0.99 three times, and wrong at 0.4 once."""
    bold, modest = scored("a", 0.99, 0.99, 0.99, 0.4), scored("b", 0.7, 0.7, 0.7, 0.7)
    assert bold.loss == pytest.approx(-(3 * np.log(0.99) + np.log(0.4)) / 4)
    assert modest.loss == pytest.approx(-np.log(0.7))
    assert bold.loss < modest.loss
    assert modest.scaled_loss < bold.scaled_loss <= bold.loss
    assert select_best([bold, modest], "val_loss") is modest
    assert select_best([bold, modest], "val_accuracy") is modest
    assert select_best([modest, bold], "last") is bold


def test_the_earlier_of_two_that_are_equal():
    same = scored("a", 0.9, 0.8, 0.7, 0.6), scored("b", 0.9, 0.8, 0.7, 0.6)
    assert select_best(same, "val_loss") is select_best(same, "val_accuracy") is same[0]


def test_a_gain_and_its_standard_error():
    """By hand: differences 0.1, 0.1, 0.1 and 0.5 have mean 0.2 and deviation 0.2."""
    one = scored("a", 0.9, 0.8, 0.7, 0.6)
    extra = np.array([0.1, 0.1, 0.1, 0.5])
    worse = dataclasses.replace(one, losses=one.losses + extra)
    assert one.gain(worse) == pytest.approx((0.2, 0.1))
    assert worse.gain(one) == pytest.approx((-0.2, 0.1))
    assert one.gain(one) == (0, 0)
    single = dataclasses.replace(one, losses=one.losses[:1], groups=one.groups[:1])
    assert single.gain(single) == (0, np.inf)


def test_the_error_of_a_gain_counts_groups_not_images():
    """By hand: deviations -0.1, -0.1, -0.1, 0.3 in pairs sum to -0.2 and 0.2.

    Their mean square is 0.04, twice that for two groups of two: 0.4 / 4 = 0.1 * 2^0.5.
    """
    one = scored("a", 0.9, 0.8, 0.7, 0.6, groups=[0, 0, 1, 1])
    worse = dataclasses.replace(one, losses=one.losses + np.array([0.1, 0.1, 0.1, 0.5]))
    assert one.gain(worse) == pytest.approx((0.2, 0.1))
    together = dataclasses.replace(one, groups=np.zeros(4))
    assert together.gain(worse) == pytest.approx((0.2, np.inf))


def test_classes_that_are_never_predicted():
    assert scored("a", 0.9, 0.9, 0.4, 0.4).never_predicted == (1,)
    assert scored("a", 0.9, 0.9, 0.4, 0.6).never_predicted == ()


def test_of_several_labels_the_loss_is_what_it_is():
    one = scored("a", 0.9, 0.9, 0.9, 0.9, multi_label=True)
    assert one.scaled_loss == one.loss


WORSE, BETTER = scored("probe", 0.9, 0.9, 0.4, 0.4), scored("deep", 0.9, 0.9, 0.9, 0.4)


def test_the_validation_split_selected():
    found = account_for([WORSE, BETTER], BETTER, monitor="val_loss")
    assert (found["selected"], found["baseline"]) == ("deep", "probe")
    assert found["gain"] == pytest.approx(0.25)
    assert found["selected_by"] == "the validation split"
    assert found["summary"].endswith("against the probe, on the validation split")
    assert f"deep {BETTER.scaled_loss:.4f} (0.750)" in found["summary"]


def test_folds_chose_whatever_the_validation_side_says():
    found = account_for(
        [BETTER, WORSE], BETTER, held_out=[WORSE, BETTER], monitor="val_loss"
    )
    assert found["selected_by"] == "folds of the training split"
    assert found["summary"].endswith(", on folds of the training split")


def test_what_is_kept_by_default_is_not_said_to_be_chosen():
    found = account_for([WORSE], WORSE, held_out=[BETTER, WORSE], monitor="val_loss")
    assert found["selected_by"].startswith("the default")
    assert found["gain"] == pytest.approx(-0.25)
    assert "on folds" not in found["summary"]
    assert "by default: in the folds nothing was sig" in found["summary"]


@pytest.mark.parametrize("candidates", [[WORSE, BETTER], [BETTER]])
def test_nothing_chose(candidates):
    found = account_for(candidates, BETTER, monitor="last")
    assert found["selected_by"] == ""
    assert "on the validation split." not in found["summary"]
    assert ("nothing was compared" in found["summary"]) == (len(candidates) > 1)


def test_a_gain_in_accuracy_is_paired():
    """Right on the same images but for one of four: 0.25, by 0 or 1 of them drawn."""
    gain = accuracy_gain(BETTER, WORSE)
    assert gain == pytest.approx((0.25, 0, 0.75))


def test_the_interval_of_a_gain_draws_groups():
    """With both images of a class in one group there are draws of one class only."""
    groups = [0, 0, 1, 1]
    better = scored("deep", 0.9, 0.9, 0.9, 0.9, groups=groups)
    worse = scored("probe", 0.9, 0.9, 0.4, 0.4, groups=groups)
    apart = accuracy_gain(scored("deep", *[0.9] * 4), worse)
    together = accuracy_gain(better, worse)
    assert together.value == apart.value == 0.5
    assert (together.low, together.high) == (0, 1)
    assert apart.high - apart.low < 1.01
    found = account_for([worse, better], better, monitor="val_loss")
    assert found["gain_ci95"] == [0, 1]
