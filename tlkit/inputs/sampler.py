"""The examples and views of each training batch, a pure function of (seed, epoch)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

FRESH = "fresh"
AS_IS, BALANCED = "as-is", "balanced"
SAMPLINGS = (AS_IS, BALANCED)


class Batch(NamedTuple):
    """Indices of examples and the view of each, int [B] both."""

    examples: np.ndarray
    views: np.ndarray


@dataclass(frozen=True)
class Schedule:
    """The batches of every epoch.

    A training that starts at a later epoch gets what an uninterrupted one would have
    got.

    Attributes:
        examples: Number of examples; without classes each comes once an epoch.
        views: How many views of each there are, taken in turn; "fresh" is a new one
            every time.
        batch: Examples a batch; the last of an epoch may have fewer.
        seed: Of order and turns.
        classes: int [examples], the class of each, for all classes to come equally
            often: examples of the rarer ones several times per epoch, some of the
            others not at all. An epoch is as long as ever.
    """

    examples: int
    views: int | str
    batch: int
    seed: int
    classes: np.ndarray | None = None

    @property
    def steps(self) -> int:
        """The number of batches per epoch."""
        return -(-self.examples // self.batch)

    def epoch(self, epoch: int) -> Batch:
        """Return all examples and views of an epoch, in order."""
        rng = np.random.default_rng([self.seed, epoch])
        chosen, times, most = self._drawn(rng)
        if isinstance(self.views, str):
            return Batch(chosen, epoch * most + times + 1)
        first = np.random.default_rng(self.seed).integers(
            self.views, size=self.examples
        )
        return Batch(chosen, (first[chosen] + epoch + times) % self.views)

    def _drawn(self, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
        """Draw examples; return how often each came before, and how often it may."""
        if self.classes is None:
            order = rng.permutation(self.examples)
            return order, np.zeros_like(order), np.ones_like(order)
        present = rng.permutation(np.unique(self.classes))
        share, rest = divmod(self.examples, len(present))
        drawn = []
        for place, name in enumerate(present):
            members = np.flatnonzero(self.classes == name)
            repeats = -(-(share + 1) // len(members))
            order = np.concatenate([rng.permutation(members) for _ in range(repeats)])
            # The rest of the division goes to some of the classes, others every epoch.
            taken = np.arange(share + (place < rest))
            most = np.full_like(taken, repeats)
            drawn.append((order[taken], taken // len(members), most))
        shuffled = rng.permutation(self.examples)
        return tuple(
            np.concatenate(parts)[shuffled] for parts in zip(*drawn, strict=True)
        )

    def batches(self, epoch: int) -> Iterator[Batch]:
        """Yield the batches of an epoch, 0 and up."""
        examples, views = self.epoch(epoch)
        for start in range(0, self.examples, self.batch):
            part = slice(start, start + self.batch)
            yield Batch(examples[part], views[part])
