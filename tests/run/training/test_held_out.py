"""What is kept by what folds say; the folds themselves are in test_plan."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tests.run.training.test_candidate import judged
from tlkit.progress import Silent
from tlkit.run.training.held_out import choose


class Notes(Silent):
    def __init__(self) -> None:
        self.said: list[str] = []

    def note(self, message: str) -> None:
        self.said.append(message)


def with_losses(name, *losses):
    found = np.array(losses)
    return dataclasses.replace(
        judged(name, 0.9, 0.8, 0.7, 0.6), losses=found, tempered=float(found.mean())
    )


PROBE = with_losses("probe", 0.1, 0.1, 0.1, 0.1)
# Behind the probe by 0.2 with a standard error of 0.1; by 0.075 with 0.175.
WORSE = with_losses("deep", 0.2, 0.2, 0.2, 0.6)
HARDLY = with_losses("deep/2", 0.0, 0.0, 0.0, 0.7)
BETTER = with_losses("deep", 0.1, 0.1, 0.1, 0.0)


@pytest.mark.parametrize(
    ("held_out", "kept", "notes"),
    [
        ([PROBE, WORSE], "probe", 0),
        ([PROBE, HARDLY], "deep/2", 1),
        ([PROBE, WORSE, HARDLY], "deep/2", 1),
        ([PROBE, BETTER, HARDLY], "deep", 0),
        ([PROBE], "probe", 0),
    ],
)
def test_the_probe_has_to_be_ahead_by_more_than_chance(held_out, kept, notes):
    told = Notes()
    assert choose(held_out, "val_loss", told).name == kept
    assert len(told.said) == notes
    if notes:
        assert "0.0750 ± 0.1750" in told.said[0]


def test_a_probe_that_is_ahead_in_accuracy_only():
    """Right once more, but with more loss: that is no gain, and none is claimed."""
    held = [dataclasses.replace(PROBE, accuracy=1.0),
            dataclasses.replace(BETTER, accuracy=0.75)]  # fmt: skip
    told = Notes()
    assert choose(held, "val_accuracy", told).name == "deep"
    assert "what it gains in tempered loss, -0.0250" in told.said[0]
    assert "ahead" not in told.said[0]
