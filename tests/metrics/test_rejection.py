import numpy as np
import pytest

from tlkit.errors import RunError, UsageError
from tlkit.metrics.intervals import wilson_interval
from tlkit.metrics.rejection import (
    Rule,
    aurc,
    choose_threshold,
    coverage_table,
    parse_rule,
)

CORRECT = np.array([True, False, True, True, False])
CONFIDENCE = np.array([0.9, 0.5, 0.8, 0.5, 0.3])
ALONE = list("vwxyz")


def test_the_curve_by_hand():
    table = coverage_table(CORRECT, CONFIDENCE, ALONE)
    assert table["confidence"].tolist() == [0.9, 0.8, 0.5, 0.3]
    assert table["kept"].tolist() == [1, 2, 4, 5]
    assert table["coverage"].tolist() == [0.2, 0.4, 0.8, 1.0]
    assert table["accuracy"].tolist() == [1, 1, 3 / 4, 3 / 5]
    ends = [wilson_interval(*pair) for pair in ((1, 1), (2, 2), (3, 4), (3, 5))]
    assert table["accuracy_low"].tolist() == [low for low, _ in ends]
    assert table["accuracy_high"].tolist() == [high for _, high in ends]
    assert aurc(table) == pytest.approx(0.4 * 0.25 + 0.2 * 0.4)


def test_the_better_confidence_has_the_smaller_area():
    good = aurc(coverage_table(CORRECT, CORRECT + 0.0, ALONE))
    assert good < aurc(coverage_table(CORRECT, CONFIDENCE, ALONE))
    assert aurc(coverage_table(CORRECT, 1.0 - CORRECT, ALONE)) > good


@pytest.mark.parametrize(
    ("rule", "limit"),
    [
        ("coverage:0.4", 0.65),
        ("coverage:0.41", 0.4),
        ("coverage:1", 0.3),
        ("accuracy:0.75", 0.4),
        ("accuracy:0.76", 0.65),
        ("accuracy:0.1", 0.3),
        ("confidence:0.7", 0.7),
    ],
)
def test_thresholds_by_hand(rule, limit):
    wanted = parse_rule(rule)
    assert wanted is not None
    chosen = choose_threshold(wanted, coverage_table(CORRECT, CONFIDENCE, ALONE))
    assert chosen == pytest.approx(limit)


def test_an_accuracy_that_is_not_reached():
    table = coverage_table(
        np.array([False, True, True]), np.array([0.9, 0.8, 0.7]), ALONE[:3]
    )
    with pytest.raises(RunError, match=r"accuracy of 0\.9 .* best is 0\.667, with 3"):
        choose_threshold(Rule("accuracy", 0.9), table)


def test_rules_as_written():
    assert parse_rule("none") is None
    assert str(parse_rule("coverage:0.95")) == "coverage:0.95"
    for text in ("", "coverage", "coverage:", "coverage:2", "accuracy:0", "x:0.5"):
        with pytest.raises(UsageError, match="coverage:SHARE, accuracy:SHARE"):
            parse_rule(text)
    with pytest.raises(UsageError, match="coverage:SHARE"):
        parse_rule("accuracy:nan")


def test_crops_of_one_photo_widen_the_curve():
    """Each photo five times: the intervals are those of one image each."""
    crops = coverage_table(
        np.repeat(CORRECT, 5), np.repeat(CONFIDENCE, 5), np.repeat(ALONE, 5).tolist()
    )
    once = coverage_table(CORRECT, CONFIDENCE, ALONE)
    for name in ("accuracy", "accuracy_low", "accuracy_high"):
        np.testing.assert_allclose(crops[name], once[name])
