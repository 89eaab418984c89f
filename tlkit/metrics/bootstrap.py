"""Who is right on which image in; how much of it is chance, out.

Images of one group come and go together here: they are not as many as they seem.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from tlkit.metrics.multiclass import wilson_interval

DRAWS = 1000
# Of a normal distribution, that leaves 2.5 % on either side.
Z95 = 1.959964


class Estimate(NamedTuple):
    """A value and the ends of its 95 % interval."""

    value: float
    low: float
    high: float


def accuracy(right: np.ndarray, groups: np.ndarray) -> Estimate:
    """The share that is right.

    Args:
        right: bool [N].
        groups: [N], which images stay together.

    Returns:
        The share with Wilson's interval (1927), for as many images as would tell as
        much if each stood alone (the design effect of Kish 1965).
    """
    share = float(right.mean())
    alone = float(right.var())
    if alone:
        numbers = np.unique(groups, return_inverse=True)[1]
        sums = np.bincount(numbers, weights=right - share)
        effect = max(1.0, float((sums**2).sum()) / (alone * len(right)))
    else:
        effect = len(right) / len(np.unique(groups))
    n = len(right) / effect
    return Estimate(share, *wilson_interval(share * n, n))


def standard_error(estimate: Estimate) -> float:
    """That of an accuracy, from its interval: above 0 also where all are right."""
    return (estimate.high - estimate.low) / (2 * Z95)


def one_standard_error(
    accuracies: Sequence[float], error: float, costs: Sequence[float]
) -> int:
    """The cheapest of those that are as good as the best, but for chance.

    The one-standard-error rule of Breiman et al. (1984, Classification and Regression
    Trees, section 3.4.3).

    Args:
        accuracies: Of each.
        error: Standard error of the highest.
        costs: Of each.

    Returns:
        Which one; of those that cost the same, the better.
    """
    enough = max(accuracies) - error
    fit = [i for i, share in enumerate(accuracies) if share >= enough]
    return min(fit, key=lambda i: (costs[i], -accuracies[i]))


class Draws:
    """The same images drawn again and again, group by group (Efron 1979).

    Args:
        groups: [N], which images stay together.
        seed: Of the draw.
    """

    def __init__(self, groups: np.ndarray, *, seed: int = 0) -> None:
        numbers = np.unique(groups, return_inverse=True)[1]
        count = int(numbers.max()) + 1
        rng = np.random.default_rng(seed)
        drawn = np.stack(
            [
                np.bincount(rng.integers(count, size=count), minlength=count)
                for _ in range(DRAWS)
            ]
        )
        # float32 [DRAWS, N], how often each image was drawn.
        self._times = drawn[:, numbers].astype(np.float32)

    def means(self, values: np.ndarray) -> np.ndarray:
        """The mean of values over the images of each draw."""
        sums = self._times @ values.astype(np.float32)
        return np.asarray(sums / self._times.sum(axis=1, keepdims=True))

    def mean(self, values: np.ndarray) -> Estimate:
        """The mean of a value over images.

        Args:
            values: float [N].

        Returns:
            The mean.
        """
        low, high = np.quantile(self.means(values[:, None]), [0.025, 0.975])
        return Estimate(float(values.mean()), float(low), float(high))

    def difference(self, one: np.ndarray, other: np.ndarray) -> Estimate:
        """How much more often one is right than the other, on the same images.

        Args:
            one: bool [N], whether it is right.
            other: Likewise.

        Returns:
            The difference in accuracy.
        """
        return self.mean(one.astype(float) - other)

    def optimism(self, right: np.ndarray, choose: Callable[[np.ndarray], int]) -> float:
        """By how much the accuracy of the one that was chosen by it flatters it.

        What is chosen on the images of a draw is scored on those that were not drawn
        (Tsamardinos et al. 2018, Machine Learning 107:1895).

        Args:
            right: bool [N, M], whether each of M is right.
            choose: From float [M], accuracies, to the number of one.

        Returns:
            The accuracy of the chosen one, less what such a choice has on new images;
            0 at least.
        """
        drawn = self.means(right)
        left = self._times == 0
        outside = left.sum(axis=1)
        fresh = left.astype(np.float32) @ right.astype(np.float32)
        scores = [
            fresh[draw, choose(drawn[draw])] / outside[draw]
            for draw in np.flatnonzero(outside)
        ]
        if not scores:
            return 0.0
        chosen = float(right[:, choose(right.mean(axis=0))].mean())
        return max(0.0, chosen - float(np.mean(scores)))
