import numpy as np
import pytest

from tlkit.tasks.task import Task
from tlkit.training.candidates import account_for, gain_interval, judge

TRUTH = np.eye(2)[[0, 0, 1, 1]]


def judged(name, *right):
    shares = np.array(right)[:, None]
    scores = np.where(TRUTH > 0, shares, 1 - shares)
    return judge(Task(2, False), TRUTH, name, "none", scores)


WORSE, BETTER = judged("probe", 0.9, 0.9, 0.4, 0.4), judged("deep", 0.9, 0.9, 0.9, 0.4)


def test_the_validation_side_chose():
    found = account_for([WORSE, BETTER], BETTER, monitor="val_loss")
    assert (found["kept"], found["against"]) == ("deep", "probe")
    assert found["gain"] == pytest.approx(0.25)
    assert found["chosen_by"] == "the validation side"
    assert found["said"].endswith("against the probe; the validation side chose it")
    assert f"deep {BETTER.tempered:.4f} (0.750)" in found["said"]


def test_folds_chose_whatever_the_validation_side_says():
    found = account_for(
        [BETTER, WORSE], BETTER, held_out=[WORSE, BETTER], monitor="val_loss"
    )
    assert found["chosen_by"] == "folds of the training side"
    assert found["said"].endswith("; folds of the training side chose it")


def test_what_is_kept_by_default_is_not_said_to_be_chosen():
    found = account_for([WORSE], WORSE, held_out=[BETTER, WORSE], monitor="val_loss")
    assert found["chosen_by"].startswith("the default")
    assert found["gain"] == pytest.approx(-0.25)
    assert "chose it" not in found["said"]
    assert "by default: in the folds nothing was ahead" in found["said"]


@pytest.mark.parametrize("candidates", [[WORSE, BETTER], [BETTER]])
def test_nothing_chose(candidates):
    found = account_for(candidates, BETTER, monitor="last")
    assert found["chosen_by"] == ""
    assert "chose it" not in found["said"].replace("nothing chose it", "")
    assert ("nothing chose it" in found["said"]) == (len(candidates) > 1)


def test_a_gain_is_paired():
    """Right on the same images but for one of four: 0.25, by 0 or 1 of them drawn."""
    gain, low, high = gain_interval(np.array([1, 1, 1, 0]), np.array([1, 1, 0, 0]))
    assert gain == pytest.approx(0.25)
    assert low == pytest.approx(0)
    assert high == pytest.approx(0.75)
