"""The phases of a training, as text and as objects.

Importing this module and reading phases do not import Keras.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from tlkit.errors import UsageError

# What a phase trains: all above the cut; the upper third or two thirds of the computing
# as well; everything. Any other word is the name of a layer, above which all trains.
HEAD, TOP, DEEP, ALL = "head", "top", "deep", "all"
# In place of phases: chosen automatically; one that trains all above `freeze_to`; none.
AUTO, ONE, PROBE = "auto", "one", "probe"
# A monitor that keeps the last weights instead of selecting.
LAST = "last"
HEAD_RATE, HEAD_EPOCHS = 1e-3, 30
# Low, for pretrained layers, and the same for all of them. Twice this, falling to a
# tenth for the lowest layer, gained nothing; see tests/benchmarks/RESULTS.md.
TUNE_RATE = 2.5e-4
# Without it, tuning soon makes a network more confident about its few training images
# than it can be about others.
SMOOTHING = 0.1


@dataclass(frozen=True)
class Phase:
    """One phase of a training, of at most so many epochs.

    `trainable_from` is HEAD, TOP, DEEP, ALL or the name of a layer. `lr` None stands
    for the learning rate of the training.
    """

    trainable_from: str
    epochs: int
    lr: float | None = None

    def __str__(self) -> str:
        rate = "" if self.lr is None else f"@{self.lr:g}"
        return f"{self.trainable_from}:{self.epochs}{rate}"


def parse_phases(text: str) -> tuple[Phase, ...]:
    """Read phases as typed.

    Args:
        text: ABOVE:EPOCHS or ABOVE:EPOCHS@RATE, separated by commas, with ABOVE as
            `Phase.trainable_from`. Or "probe".

    Returns:
        The phases in order, none for "probe".

    Raises:
        UsageError: The text is neither.

    Example:
        >>> [phase.lr for phase in parse_phases("head:15,top:10@1e-5")]
        [None, 1e-05]
    """
    if text.strip() == PROBE:
        return ()
    return tuple(_parse_phase(part.strip(), text) for part in text.split(","))


def _parse_phase(part: str, text: str) -> Phase:
    name, _, length = (piece.strip() for piece in part.partition(":"))
    count, at, rate = (piece.strip() for piece in length.partition("@"))
    try:
        phase = Phase(name, int(count), float(rate) if at else None)
    except ValueError:
        phase = Phase("", 0)
    lr = 1.0 if phase.lr is None else phase.lr
    if not phase.trainable_from or phase.epochs < 1 or not 0 < lr < math.inf:
        raise UsageError(
            f"phases: expected ABOVE:EPOCHS or ABOVE:EPOCHS@RATE, got {part!r} in "
            f"{text!r}.",
            hint='For example "head:15,top:10@1e-5"; ABOVE is head, top, deep, all or '
            "a layer of tlkit backbones show.",
        )
    return phase


def check(
    text: str | None,
    *,
    epochs: int | None,
    steps: int | None,
    average_weights: bool,
    monitor: str,
) -> None:
    """Refuse phases that cannot be read, and options that contradict them.

    Args:
        text: As for `parse_phases`, "auto", "one" or None.
        epochs: Length of the training if given.
        steps: As epochs; of several phases, the most batches of each.
        average_weights: Whether tuning ends with the mean of the weights.
        monitor: What selects among candidates.

    Raises:
        UsageError: They cannot be read, or an option has no effect or contradicts them.
    """
    if epochs is not None and steps is not None:
        raise UsageError(
            f"epochs {epochs} and steps {steps} both set the length of the training.",
            hint="Remove one of the two.",
        )
    if average_weights and monitor != LAST:
        raise UsageError(
            f"average_weights has no effect with monitor {monitor}: the mean of the "
            "weights is a candidate there anyway.",
            hint=f"Remove average_weights, or use monitor {LAST}.",
        )
    if text in (None, AUTO, ONE):
        return
    listed = parse_phases(str(text))
    length = f"epochs {epochs}" if steps is None else f"steps {steps}"
    if epochs is not None or (steps is not None and not listed):
        raise UsageError(
            f"phases: {text!r} with {length}: each phase has its own length, and a "
            "probe takes no steps.",
            hint="Remove one of the two; a recipe may have set the other.",
        )
