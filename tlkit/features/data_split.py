"""The features of one split, as the trainable layers take them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from tlkit.dataset.example import Example
from tlkit.dataset.manifest import Manifest
from tlkit.features.extractor import FeatureExtractor
from tlkit.features.vectors import Features, as_input
from tlkit.inputs.batches import plain_batches
from tlkit.tasks.task import probabilities

# Images at a time when a split is scored.
CHUNK = 64


@dataclass(frozen=True)
class SplitFeatures:
    """One split as the trainable layers see it.

    Attributes:
        examples: Of the split.
        shares: float32 [N, n], the class shares of each.
        extractor: Finds or computes its features.
        vectors: All of them; None where they are computed batch by batch.
    """

    examples: Sequence[Example]
    shares: np.ndarray
    extractor: FeatureExtractor
    vectors: Features | None

    @classmethod
    def of(
        cls,
        manifest: Manifest,
        split: str,
        extractor: FeatureExtractor,
        views: Sequence[int],
        task: str,
    ) -> SplitFeatures:
        """Compute and keep the features of a split, if they fit.

        Args:
            manifest: The data set.
            split: Which split of it.
            extractor: Finds or computes its features.
            views: Which views of each image; none to compute all batch by batch.
            task: What to call the work.

        Returns:
            The split.
        """
        examples = manifest.of(split)
        found = extractor.extract(examples, views, task) if views else None
        vectors = found[0] if found else None
        return cls(examples, manifest.multi_hot(examples), extractor, vectors)

    def account(self) -> dict[str, Any]:
        """Return whether its features are kept, and what computing them has cost."""
        return {"kept": self.vectors is not None, **self.extractor.cost.account()}

    @property
    def chunk(self) -> int:
        """Images at a time when it is scored, at most CHUNK."""
        # Evenly, as a step is compiled for each number of them.
        return -(-len(self.examples) // -(-len(self.examples) // CHUNK))

    def inputs(self, examples: np.ndarray, views: np.ndarray | int) -> np.ndarray:
        """Return kept features [B, ...] as the trainable layers take them."""
        if self.vectors is None:
            raise ValueError("the features of this split are not kept")
        return as_input(self.vectors.take(examples, views), self.extractor.pooling)

    def streamed(self, groups: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
        """Compute features of groups of images as the trainable layers take them."""
        for (vectors,) in self.extractor.stream(groups):
            yield as_input(vectors, self.extractor.pooling)

    def plain(self) -> Iterator[np.ndarray]:
        """Yield the plain images as the trainable layers take them, in chunks."""
        if self.vectors is None:
            maker, workers = self.extractor.maker, self.extractor.workers
            yield from self.streamed(
                plain_batches(maker, self.examples, self.chunk, workers=workers)
            )
            return
        for start in range(0, len(self.examples), self.chunk):
            end = min(start + self.chunk, len(self.examples))
            yield self.inputs(np.arange(start, end), 0)


def score(model: keras.Model, split: SplitFeatures) -> np.ndarray:
    """Compute class probabilities of the plain images of a split, float32 [N, n]."""
    predictions = [np.asarray(model(x, training=False)) for x in split.plain()]
    return probabilities(np.concatenate(predictions))
