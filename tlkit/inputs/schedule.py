"""Which examples, in which view, make up each training batch: pure in (seed, epoch)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

FRESH = "fresh"


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
        examples: Number of examples; each comes once an epoch.
        views: How many views of each there are, taken in turn; "fresh" is a new one
            every epoch.
        batch: Examples a batch; the last of an epoch may have fewer.
        seed: Of order and turns.
    """

    examples: int
    views: int | str
    batch: int
    seed: int

    @property
    def steps(self) -> int:
        """Batches an epoch."""
        return -(-self.examples // self.batch)

    def order(self, epoch: int) -> np.ndarray:
        """The order of the examples in an epoch.

        Args:
            epoch: 0 and up.

        Returns:
            A permutation of the example indices.
        """
        return np.random.default_rng([self.seed, epoch]).permutation(self.examples)

    def views_of(self, epoch: int) -> np.ndarray:
        """The view of every example in an epoch.

        Args:
            epoch: 0 and up.

        Returns:
            int [examples]. K views: each example begins with one of them and goes on
            to the next every epoch. Fresh: epoch + 1, never the plain picture.
        """
        if isinstance(self.views, str):
            return np.full(self.examples, epoch + 1)
        first = np.random.default_rng(self.seed).integers(
            self.views, size=self.examples
        )
        return (first + epoch) % self.views

    def batches(self, epoch: int) -> Iterator[Batch]:
        """The batches of an epoch.

        Args:
            epoch: 0 and up.

        Yields:
            Indices and views.
        """
        order, views = self.order(epoch), self.views_of(epoch)
        for start in range(0, self.examples, self.batch):
            chosen = order[start : start + self.batch]
            yield Batch(chosen, views[chosen])
