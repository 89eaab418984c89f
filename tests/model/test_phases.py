"""Phases as text."""

from __future__ import annotations

import pytest

from tlkit.errors import UsageError
from tlkit.model.phases import Phase, check, parse_phases


def test_phases_are_read_and_written():
    phases = parse_phases(" head:15, top:10@1e-5 ,mixed5:3")
    assert phases == (Phase("head", 15), Phase("top", 10, 1e-5), Phase("mixed5", 3))
    assert ",".join(map(str, phases)) == "head:15,top:10@1e-05,mixed5:3"
    assert parse_phases("probe") == ()


@pytest.mark.parametrize(
    "text",
    [
        *("", "head", "head:", "head:0", "head:1.5", ":3", "head:3@", "head:3@nan"),
        *("head:3@0", "head:3@inf", "head:3,", "deep:60@0.0005#37"),
    ],
)
def test_text_that_is_no_phase(text):
    with pytest.raises(UsageError, match=r"expected ABOVE:EPOCHS .*, got '.*' in"):
        parse_phases(text)


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("auto", {"epochs": 3, "steps": 9}, "both set the length"),
        ("head:3", {"epochs": 3}, "with epochs 3: each phase has its own length"),
        ("probe", {"steps": 3}, "a probe takes no steps"),
        ("auto", {"average_weights": True}, "has no effect with monitor val_loss"),
    ],
)
def test_options_that_contradict_phases(text, options, message):
    given = {"epochs": None, "steps": None, "average_weights": False}
    with pytest.raises(UsageError, match=message):
        check(text, **{**given, **options}, monitor="val_loss")


def test_steps_limit_each_phase():
    check("head:3", epochs=None, steps=9, average_weights=False, monitor="val_loss")
    check(None, epochs=3, steps=None, average_weights=True, monitor="last")
