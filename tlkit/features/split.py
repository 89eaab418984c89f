"""One split of a data set, as the trainable part of a network sees it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

import keras
import numpy as np

from tlkit.dataset.manifest import Example
from tlkit.features.extractor import FeatureExtractor
from tlkit.features.frozen import as_input
from tlkit.features.rows import Rows
from tlkit.inputs.batches import plain_batches
from tlkit.tasks.task import probabilities

# Images at a time when a split is scored.
CHUNK = 64


@dataclasses.dataclass(frozen=True)
class Side:
    """One split, as the trainable part sees it.

    Attributes:
        examples: Of the split.
        shares: float32 [N, n], the class shares of each.
        collector: Finds or computes its rows.
        rows: All of them; None where they are computed batch by batch.
        pooling: From `split_at_freeze`.
    """

    examples: Sequence[Example]
    shares: np.ndarray
    extractor: FeatureExtractor
    rows: Rows | None
    pooling: str

    def account(self) -> dict[str, Any]:
        """What of it was kept, and what computing it has cost."""
        spent = dataclasses.asdict(self.extractor.spent)
        return {
            "kept": self.rows is not None,
            **{name: round(value, 2) for name, value in spent.items()},
            **self.extractor.speed,
        }

    @property
    def chunk(self) -> int:
        """Images at a time when it is scored, at most CHUNK.

        Evenly, as a step is compiled for each number of them.
        """
        return -(-len(self.examples) // -(-len(self.examples) // CHUNK))

    def plain(self) -> Iterator[np.ndarray]:
        """The plain images as the trainable part takes them, in order.

        Yields:
            [chunk, ...], the last with fewer.
        """
        chunk = self.chunk
        if self.rows is None:
            maker, workers = self.extractor.maker, self.extractor.workers
            groups = plain_batches(maker, self.examples, chunk, workers=workers)
            for rows in self.extractor.frozen.rows(groups):
                yield as_input(rows, self.pooling)
            return
        for start in range(0, len(self.examples), chunk):
            indices = np.arange(start, min(start + chunk, len(self.examples)))
            yield as_input(self.rows.take(indices, 0), self.pooling)


def score(model: keras.Model, side: Side) -> np.ndarray:
    """Class probabilities for the plain images of a side.

    Args:
        model: The trainable part.
        side: What it sees.

    Returns:
        float32 [N, n].
    """
    answers = [np.asarray(model(x, training=False)) for x in side.plain()]
    return probabilities(np.concatenate(answers))
