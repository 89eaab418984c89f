"""The bootstrap over groups (Efron 1979): one resampling for every metric."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from tlkit.metrics.intervals import Estimate

DRAWS = 1000
PERCENTILES = (2.5, 97.5)


class Bootstrap:
    """The same images drawn many times, whole groups at a time.

    Args:
        groups: [N]; images with the same value are drawn together.
        seed: Seed of the draws.

    Attributes:
        weights: float32 [1 + DRAWS, N], how often each draw holds each image; the first
            row is the sample itself, all ones.
    """

    def __init__(self, groups: Sequence[str] | np.ndarray, *, seed: int = 0) -> None:
        numbers = np.unique(np.asarray(groups), return_inverse=True)[1]
        count = int(numbers.max()) + 1
        rng = np.random.default_rng(seed)
        drawn = rng.multinomial(count, np.full(count, 1 / count), size=DRAWS)
        every = np.vstack([np.ones(len(numbers)), drawn[:, numbers]])
        self.weights: np.ndarray = every.astype(np.float32)

    def means(self, values: np.ndarray) -> np.ndarray:
        """Return the mean of float [N, M] over the images of each draw, [DRAWS, M]."""
        times = self.weights[1:]
        sums = times @ values.astype(np.float32)
        return np.asarray(sums / times.sum(axis=1, keepdims=True))

    def mean(self, values: np.ndarray) -> Estimate:
        """Return the mean of float [N] with its percentile interval."""
        low, high = np.percentile(self.means(values[:, None]), PERCENTILES)
        return Estimate(float(values.mean()), float(low), float(high))

    def difference(self, one: np.ndarray, other: np.ndarray) -> Estimate:
        """Return the difference in accuracy of two models on the same images.

        Args:
            one: bool [N], correct predictions of the first.
            other: bool [N], correct predictions of the second.

        Returns:
            Positive if the first is better.
        """
        return self.mean(one.astype(float) - other)

    def optimism(
        self, correct: np.ndarray, choose: Callable[[np.ndarray], int]
    ) -> float:
        """Return by how much the accuracy of the selected model is too high.

        A model selected on the images of a draw is scored on the images left out of it
        (Tsamardinos et al. 2018, Machine Learning 107:1895).

        Args:
            correct: bool [N, M], predictions of M models.
            choose: From accuracies, float [M], to the index of a model.

        Returns:
            Accuracy of the selected model less that of such a selection on new images;
            at least 0.
        """
        drawn = self.means(correct)
        out = self.weights[1:] == 0
        number = out.sum(axis=1)
        hits = out.astype(np.float32) @ correct.astype(np.float32)
        scores = [
            hits[draw, choose(drawn[draw])] / number[draw]
            for draw in np.flatnonzero(number)
        ]
        if not scores:
            return 0.0
        chosen = float(correct[:, choose(correct.mean(axis=0))].mean())
        return max(0.0, chosen - float(np.mean(scores)))
