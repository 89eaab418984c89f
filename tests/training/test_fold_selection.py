"""What is kept by what folds say; the folds themselves are in test_plan."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tests.training.test_candidates import judged
from tlkit.progress import Silent
from tlkit.training.fold_selection import choose


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
HARDLY = with_losses("deep", 0.0, 0.0, 0.0, 0.7)
BETTER = with_losses("deep", 0.1, 0.1, 0.1, 0.0)
# Ahead of WORSE by 0.25 with 0.12; of HARDLY by 0.125 with 0.1931.
MEAN = with_losses("deep/2", 0.1, 0.1, 0.0, 0.0)


@pytest.mark.parametrize(
    ("held_out", "kept", "said"),
    [
        ([PROBE, WORSE], "probe", []),
        ([PROBE, HARDLY], "deep", ["probe does better", "0.0750 ± 0.1750"]),
        ([PROBE, BETTER, HARDLY], "deep", []),
        ([PROBE, WORSE, MEAN], "deep/2", []),
        ([PROBE, HARDLY, MEAN], "deep", ["deep/2 does better", "0.1250 ± 0.1931"]),
        ([PROBE], "probe", []),
    ],
)
def test_what_has_changed_less_has_to_be_ahead_by_more_than_chance(
    held_out, kept, said
):
    told = Notes()
    assert choose(held_out, "val_loss", told).name == kept
    assert len(told.said) == bool(said)
    for part in said:
        assert part in told.said[0]


def test_a_probe_that_is_ahead_in_accuracy_only():
    """Right once more, but with more loss: that is no gain, and none is claimed."""
    held = [dataclasses.replace(PROBE, accuracy=1.0),
            dataclasses.replace(BETTER, accuracy=0.75)]  # fmt: skip
    told = Notes()
    assert choose(held, "val_accuracy", told).name == "deep"
    assert "what it gains in tempered loss, -0.0250" in told.said[0]
    assert "ahead" not in told.said[0]
