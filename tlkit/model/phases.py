"""A line like "head:15,top:10@1e-5" in, the phases of a training out.

Importing this module and reading phases do not import Keras.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from tlkit.errors import UsageError

# What a phase may train besides what lies above a layer that is named.
HEAD, TOP, DEEP, ALL = "head", "top", "deep", "all"
# Not phases but how they come about: found out from the data; or a single one that
# trains all above the freeze point of the configuration.
AUTO, ONE = "auto", "one"
# No phase at all.
PROBE = "probe"
# A monitor that does not judge.
LAST = "last"
HEAD_RATE, HEAD_EPOCHS = 1e-3, 30
# For layers that are pretrained: slowly, and all alike. Twice this, falling to a tenth
# for the lowest layer, gained nothing; see tests/benchmarks/RESULTS.md.
TUNE_RATE = 2.5e-4
# Tuned without it, a network soon answers its few images with a certainty that it
# does not have on others.
SMOOTHING = 0.1


@dataclass(frozen=True)
class Phase:
    """One phase of a training.

    Attributes:
        above: What trains: "head" all above the cut, "top" and "deep" the upper third
            and two thirds of the computing as well, "all" everything; or all above
            the layer of this name.
        epochs: Passes over the images, at most.
        lr: Learning rate; None for that of the training.
    """

    above: str
    epochs: int
    lr: float | None = None

    def __str__(self) -> str:
        rate = "" if self.lr is None else f"@{self.lr:g}"
        return f"{self.above}:{self.epochs}{rate}"


def parse_phases(text: str) -> tuple[Phase, ...]:
    """Read phases as a person writes them.

    Args:
        text: ABOVE:EPOCHS or ABOVE:EPOCHS@RATE, separated by commas; for ABOVE see
            Phase. Or "probe".

    Returns:
        The phases in order, none of them for "probe".

    Raises:
        UsageError: Something else stands there.

    Example:
        >>> [phase.lr for phase in parse_phases("head:15,top:10@1e-5")]
        [None, 1e-05]
    """
    if text.strip() == PROBE:
        return ()
    return tuple(_parse_phase(part.strip(), text) for part in text.split(","))


def check(
    text: str | None,
    *,
    epochs: int | None,
    steps: int | None,
    average_weights: bool,
    monitor: str,
) -> None:
    """Refuse phases that cannot be read, and what contradicts them.

    Args:
        text: As for `parse_phases`, "auto", "one" or None.
        epochs: Length of the training where it is given.
        steps: Likewise; of several phases, the most batches of each.
        average_weights: Whether tuning ends with the mean of the weights.
        monitor: What selects among candidates.

    Raises:
        UsageError: Says what is wrong.
    """
    if epochs is not None and steps is not None:
        raise UsageError(f"epochs {epochs} and steps {steps}: give one of both.")
    if average_weights and monitor != LAST:
        raise UsageError(
            f"average_weights would do nothing with monitor {monitor}: the mean of the "
            f"weights is a candidate there anyway. Remove it, or use monitor {LAST}."
        )
    if text in (None, AUTO, ONE):
        return
    listed = parse_phases(str(text))
    length = f"epochs {epochs}" if steps is None else f"steps {steps}"
    if epochs is not None or (steps is not None and not listed):
        raise UsageError(
            f"phases: {text!r} with {length}: the phases say themselves how long each "
            "is, and a probe takes no steps. Leave one of both away; a recipe may have "
            "brought the other."
        )


def _parse_phase(part: str, text: str) -> Phase:
    above, colon, length = (piece.strip() for piece in part.partition(":"))
    count, at, rate = (piece.strip() for piece in length.partition("@"))
    try:
        phase = Phase(above, int(count), float(rate) if at else None)
    except ValueError:
        phase = Phase("", 0)
    lr = 1.0 if phase.lr is None else phase.lr
    if not (colon and phase.above) or phase.epochs < 1 or not 0 < lr < math.inf:
        raise UsageError(
            f"phases: expected ABOVE:EPOCHS or ABOVE:EPOCHS@RATE, got {part!r} in "
            f"{text!r}.",
            hint='For example "head:15,top:10@1e-5"; ABOVE is head, top, deep, all or '
            "a layer of tlkit backbones show.",
        )
    return phase
