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
    """The feature vectors of examples and views."""

    parts: tuple[np.ndarray, ...]  # [n, *shape] each, memory-mapped or in memory
    places: np.ndarray  # int [examples, views], numbers counted over all parts

    def take(self, examples: np.ndarray, views: np.ndarray | int) -> np.ndarray:
        """Copy the vectors of examples and views out, [B, *shape]."""
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
class FoundVectors:
    """The feature vectors found or computed so far, by key."""

    keys: Collection[bytes]  # all that are to be there
    parts: list[np.ndarray] = field(default_factory=list)
    places: dict[bytes, int] = field(default_factory=dict)  # over all parts

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
        """Return the vectors of these keys, a row per example and a column per view."""
        places = [[self.places[key] for key in row] for row in keys]
        return Features(tuple(self.parts), np.array(places, np.int64))


def pool(maps: np.ndarray) -> np.ndarray:
    """Return mean and maximum over the places of maps, float32 [B, 2, C]."""
    wide = maps.astype(np.float32, copy=False)
    return np.stack([wide.mean(axis=(1, 2)), wide.max(axis=(1, 2))], axis=1)


def as_input(vectors: np.ndarray, pooling: str) -> np.ndarray:
    """Return vectors as trainable layers take them: pooled, float32 unless pixels."""
    if pooling:
        vectors = vectors[:, POOLED[pooling]].reshape(len(vectors), -1)
    pixels = vectors.dtype == np.uint8
    return vectors if pixels else vectors.astype(np.float32, copy=False)
