"""A line like "head:15,top:10@1e-5" in, the phases of a training out.

Importing this module and reading phases do not import Keras.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from tlkit.errors import UsageError

# What a phase may train besides what lies above a layer that is named.
HEAD, TOP, DEEP, ALL = "head", "top", "deep", "all"
DEPTHS = (HEAD, TOP, DEEP, ALL)
# Not phases but how they come about: found out from the data; or a single one that
# trains all above the freeze point of the configuration.
AUTO, ONE = "auto", "one"
# No phase at all.
PROBE = "probe"
# Half way back: behind the name of a phase.
HALF = "/2"
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
        half: Whether what comes of it is the mean of the weights before and after.
        ended: Behind how many steps it has to end, as a run did whose time was up; the
            rate goes on as if it did not. None for all of them.
    """

    above: str
    epochs: int
    lr: float | None = None
    half: bool = False
    ended: int | None = None

    def __str__(self) -> str:
        rate = "" if self.lr is None else f"@{self.lr:g}"
        end = "" if self.ended is None else f"#{self.ended}"
        return f"{self.above}{HALF if self.half else ''}:{self.epochs}{rate}{end}"


def parse_phases(text: str) -> tuple[Phase, ...]:
    """Read phases as a person writes them.

    Args:
        text: ABOVE:EPOCHS or ABOVE:EPOCHS@RATE, separated by commas; for ABOVE see
            Phase, and ABOVE/2 for one with `half`; #STEPS behind it for `ended`. Or
            "probe".

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
    text: str | None, *, epochs: int | None, steps: int | None, monitor: str
) -> None:
    """Refuse phases that cannot be read, and what contradicts them.

    Args:
        text: As for `parse_phases`, "auto", "one" or None.
        epochs: Length of the training where it is given.
        steps: Likewise.
        monitor: What judges.

    Raises:
        UsageError: Says what is wrong.
    """
    if epochs is not None and steps is not None:
        raise UsageError(f"epochs {epochs} and steps {steps}: give one of both.")
    if text in (None, AUTO, ONE):
        return
    listed = parse_phases(str(text))
    if monitor != LAST and (halves := [phase for phase in listed if phase.half]):
        raise UsageError(
            f"phases: {halves[0]} with monitor {monitor}: both ends of a phase and the "
            f"mean are judged there anyway. Leave {HALF} away, or use monitor {LAST}."
        )
    length = f"epochs {epochs}" if steps is None else f"steps {steps}"
    if epochs is not None or steps is not None:
        raise UsageError(
            f"phases: {text!r} with {length}: the phases say themselves how long each "
            "is, and a probe takes no steps. Leave one of both away; a recipe may have "
            "brought the other."
        )


def _parse_phase(part: str, text: str) -> Phase:
    above, colon, length = (piece.strip() for piece in part.partition(":"))
    length, cut, end = (piece.strip() for piece in length.partition("#"))
    count, at, rate = (piece.strip() for piece in length.partition("@"))
    try:
        rated = float(rate) if at else None
        half = above.endswith(HALF)
        ended = int(end) if cut else None
        phase = Phase(above.removesuffix(HALF), int(count), rated, half, ended)
    except ValueError:
        phase = Phase("", 0)
    lr = 1.0 if phase.lr is None else phase.lr
    unfit = phase.epochs < 1 or (phase.half and phase.above == HEAD)
    unfit = unfit or (phase.ended is not None and phase.ended < 1)
    if not (colon and phase.above) or unfit or not 0 < lr < math.inf:
        raise UsageError(
            f"phases: expected ABOVE:EPOCHS or ABOVE:EPOCHS@RATE, got {part!r} in "
            f"{text!r}.",
            hint='For example "head:15,top:10@1e-5"; ABOVE is head, top, deep, all or '
            f"a layer of tlkit backbones show, with {HALF} behind it for the mean of "
            "weights before and after.",
        )
    return phase
