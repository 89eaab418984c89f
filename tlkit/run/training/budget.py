"""How long a training may take."""

from __future__ import annotations

import dataclasses
import math
import time


@dataclasses.dataclass(frozen=True)
class Budget:
    """When a training has to end.

    Attributes:
        minutes: How long it may take; None for as long as it takes.
        began: Of `time.monotonic`, when its time began to count.
    """

    minutes: float | None = None
    began: float = dataclasses.field(default_factory=time.monotonic)

    @property
    def left(self) -> float:
        """Seconds, infinite without an end."""
        if self.minutes is None:
            return math.inf
        return 60 * self.minutes - (time.monotonic() - self.began)

    def at_most(self, minutes: float) -> Budget:
        """A part of it that begins now.

        Args:
            minutes: How long it may take.

        Returns:
            The part, which ends no later than the whole.
        """
        if 60 * minutes > self.left:
            return self
        return Budget(minutes)
