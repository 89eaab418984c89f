"""Rows that were found or computed: taken out by example and view."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tlkit.features.store import Places, Shelf


@dataclass(frozen=True)
class Rows:
    """Rows at hand, by example and view.

    Attributes:
        parts: [n, *shape] each, mapped or in memory.
        places: int [examples, views], which row, counted over all parts.
    """

    parts: tuple[np.ndarray, ...]
    places: np.ndarray

    def take(self, examples: np.ndarray, views: np.ndarray | int) -> np.ndarray:
        """Copy rows out.

        Args:
            examples: int [B].
            views: int [B], or one for all.

        Returns:
            [B, *shape].
        """
        places = self.places[examples, views]
        out = np.empty((len(places), *self.parts[0].shape[1:]), self.parts[0].dtype)
        first = 0
        for part in self.parts:
            here = (places >= first) & (places < first + len(part))
            out[here] = part[places[here] - first]
            first += len(part)
        return out


@dataclass
class Found:
    """What there is so far of the rows of one end.

    Attributes:
        wanted: Keys of all that are to be there.
        parts: [n, *shape] each, mapped or in memory.
        places: Of keys, which row, counted over all parts.
    """

    wanted: set[bytes]
    parts: list[np.ndarray]
    places: Places

    @classmethod
    def of(cls, shelf: Shelf | None, wanted: set[bytes]) -> Found:
        """What a shelf has of it, if there is one."""
        return cls(wanted, *(shelf.find(wanted) if shelf else ([], {})))

    def add(self, keys: Sequence[bytes], rows: np.ndarray) -> None:
        """Take in rows that were computed."""
        first = sum(map(len, self.parts))
        self.parts.append(rows)
        self.places |= {key: first + i for i, key in enumerate(keys)}

    def rows(self, keys: Sequence[Sequence[bytes]]) -> Rows:
        """All rows, once they are there."""
        table = [[self.places[key] for key in row] for row in keys]
        return Rows(tuple(self.parts), np.array(table, np.int64))
