"""Feature vectors at hand, by their keys or by example and view."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import numpy as np

from tlkit.model.head import BOTH, GAP, GMP

# The pooled vectors that a head takes, of mean and maximum.
POOLED = {GAP: [0], GMP: [1], BOTH: [0, 1]}


@dataclass(frozen=True)
class Features:
    """The feature vectors of examples and views.

    Attributes:
        parts: [n, *shape] each, memory-mapped or in memory.
        places: int [examples, views], the number of a vector, counted over all parts.
    """

    parts: tuple[np.ndarray, ...]
    places: np.ndarray

    def take(self, examples: np.ndarray, views: np.ndarray | int) -> np.ndarray:
        """Copy feature vectors out.

        Args:
            examples: int [B], numbers of examples.
            views: int [B], numbers of views; or one for all.

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

    def view(self, number: int) -> np.ndarray:
        """Return one view of all examples, [examples, *shape]."""
        return self.take(np.arange(len(self.places)), number)


@dataclass
class Found:
    """The feature vectors found or computed so far, by key.

    Attributes:
        keys: Keys of all that are to be there.
        parts: [n, *shape] each, memory-mapped or in memory.
        places: Number of the vector of each key, counted over all parts.
    """

    keys: Collection[bytes]
    parts: list[np.ndarray] = field(default_factory=list)
    places: dict[bytes, int] = field(default_factory=dict)

    @property
    def missing(self) -> set[bytes]:
        """The keys without a vector."""
        return set(self.keys) - self.places.keys()

    def add(self, vectors: np.ndarray, places: dict[bytes, int]) -> None:
        """Add a part, with the number that each key has in it."""
        first = sum(map(len, self.parts))
        self.parts.append(vectors)
        self.places |= {key: first + place for key, place in places.items()}

    def of(self, keys: Sequence[Sequence[bytes]]) -> Features:
        """Return the vectors of these keys, a row an example and a column a view."""
        places = [[self.places[key] for key in row] for row in keys]
        return Features(tuple(self.parts), np.array(places, np.int64))


def pool(maps: np.ndarray) -> np.ndarray:
    """Return mean and maximum over the places of maps, float32 [B, 2, C]."""
    wide = maps.astype(np.float32, copy=False)
    return np.stack([wide.mean(axis=(1, 2)), wide.max(axis=(1, 2))], axis=1)


def as_input(vectors: np.ndarray, pooling: str) -> np.ndarray:
    """Return feature vectors in the form that the trainable layers take.

    Args:
        vectors: [B, *shape].
        pooling: One of head.MAP_POOLINGS, or "".

    Returns:
        float32 [B, C], [B, 2 C] for both poolings, or [B, H, W, C]; pixels stay uint8.
    """
    if pooling:
        vectors = vectors[:, POOLED[pooling]].reshape(len(vectors), -1)
    pixels = vectors.dtype == np.uint8
    return vectors if pixels else vectors.astype(np.float32, copy=False)
