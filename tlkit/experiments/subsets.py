"""Examples in, ever larger parts of them out, each within the next."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tlkit.dataset.splitting.folds import most_folds, stratified_folds
from tlkit.errors import RunError
from tlkit.metrics.power_law import PowerLaws, fit_power_laws
from tlkit.progress import Progress
from tlkit.training.probe import fit_probe

# Between one size and the next; a class has at least so many groups in the least one.
RATIO, LEAST_GROUPS = 2**0.5, 3
MOST_SIZES = 8


def usable_sizes(examples: int, least: int) -> list[int]:
    """Which sizes are large enough to learn from."""
    shares = RATIO ** -np.arange(MOST_SIZES, dtype=float)
    # Rounded, for 12 halved twice by roots is not to be less than 3.
    kept = shares[np.round(shares * least, 6) >= LEAST_GROUPS]
    return [round(examples * share) for share in kept[::-1]]


def nested_subsets(
    targets: np.ndarray, groups: np.ndarray, sizes: list[int], *, seed: int
) -> list[np.ndarray]:
    """Draw parts of some examples."""
    rng = np.random.default_rng(seed)
    numbers = np.unique(groups, return_inverse=True)[1]
    # A group counts for the rarest class in it, so that rare ones are spread evenly.
    rarity = np.argsort(np.argsort(np.bincount(targets), kind="stable"))
    kind = np.full(numbers.max() + 1, len(rarity))
    np.minimum.at(kind, numbers, rarity[targets])
    place = np.empty(len(kind))
    for one in np.unique(kind):
        members = np.flatnonzero(kind == one)
        order = rng.permutation(len(members)) + rng.random()
        place[members] = order / len(members)
    ordered = np.argsort(place[numbers], kind="stable")
    ends = np.cumsum(np.bincount(numbers)[np.argsort(place, kind="stable")])
    return [ordered[: ends[np.abs(ends - size).argmin()]] for size in sizes]


FOLDS = 5
LEAST_SIZES = 4
# Few examples are drawn from again and again; many vary less, and take longer.
MOST_ROUNDS, EXAMPLES_OF_ALL_ROUNDS = 3, 1200
BOOTSTRAPS = 1000
# Of a power law.
PARAMETERS = 3


@dataclass(frozen=True)
class Measured:
    """A learning curve as it was seen.

    Attributes:
        sizes: float [S], how many examples were learned from, on average.
        wrong: bool [R, S, N], whether the answer to each example was wrong, in each
            round, by a probe that had not seen it.
        groups: int [N].
    """

    sizes: np.ndarray
    wrong: np.ndarray
    groups: np.ndarray

    @property
    def errors(self) -> np.ndarray:
        """Shares of wrong answers, float [S]."""
        return np.asarray(self.wrong.mean(axis=(0, 2)))

    def resampled(self, seed: int) -> np.ndarray:
        """The errors as they might have been with other examples of the same kind.

        Bootstrap by weights (Rubin 1981) over rounds and over groups. One more example,
        wrong half of the time, keeps no mistakes at all from looking certain.

        Args:
            seed: Of the draw.

        Returns:
            float [BOOTSTRAPS, S].
        """
        rng = np.random.default_rng(seed)
        number = np.bincount(self.groups).astype(float)
        rounds, sizes, _ = self.wrong.shape
        wrong = np.apply_along_axis(
            lambda row: np.bincount(self.groups, row), 2, self.wrong
        )
        wrong = np.concatenate([wrong, np.full((rounds, sizes, 1), 0.5)], axis=2)
        of_round = rng.dirichlet(np.ones(rounds), BOOTSTRAPS)
        of_group = rng.exponential(size=(BOOTSTRAPS, len(number) + 1))
        summed = np.einsum("br,rsg,bg->bs", of_round, wrong, of_group, optimize=True)
        return np.asarray(summed / (of_group @ np.append(number, 1.0))[:, None])

    def laws(self, seed: int) -> PowerLaws:
        """The laws of curves as this one might have been."""
        resampled = self.resampled(seed)
        spread = resampled.var(axis=0)
        one = fit_power_laws(self.sizes, self.errors[None], 1 / spread)
        # What a law leaves unexplained is chance of single sizes, by what was drawn to
        # learn from, and chance again in each of the other curves.
        left = ((self.errors - one(self.sizes)[0]) ** 2 / spread).sum()
        chance = np.sqrt(left / (len(self.sizes) - PARAMETERS) * spread)
        noise = np.random.default_rng([seed, 1]).normal(size=resampled.shape)
        return fit_power_laws(self.sizes, resampled + noise * chance, 1 / spread)


def check_classes(targets: np.ndarray, groups: np.ndarray) -> int:
    """Refuse what is too small for a curve of LEAST_SIZES sizes."""
    groups_of_smallest = most_folds(targets, groups)
    least = _left(groups_of_smallest)
    if least < LEAST_GROUPS * RATIO ** (LEAST_SIZES - 1):
        raise RunError(
            f"The smallest class has {groups_of_smallest} images or groups on the "
            f"training and validation sides: expected at least {_needed()}, for a "
            f"curve needs {LEAST_SIZES} sizes, and {LEAST_GROUPS} of every class at "
            "the least of them. Nothing can be said from fewer.",
            hint="Get more images of it before you ask, or leave the class out.",
        )
    return least


def measure(
    features: np.ndarray,
    targets: np.ndarray,
    groups: np.ndarray,
    *,
    classes: int,
    seed: int,
    progress: Progress,
) -> Measured:
    """Learn probes from ever more examples and score them on others.

    In each round every example is held out once, whole groups at a time; the probes
    learn from nested parts of the rest. What is held out chooses nothing.

    Args:
        features: float32 [N, C].
        targets: int [N]; every class is among them.
        groups: int [N], 0 upwards.
        classes: How many there are.
        seed: Of all draws.
        progress: Told of every probe.

    Returns:
        The curve.

    Raises:
        RunError: A class is too small, see `check_classes`.
    """
    least = check_classes(targets, groups)
    count = len(targets)
    rounds = int(np.clip(EXAMPLES_OF_ALL_ROUNDS // count, 1, MOST_ROUNDS))
    sizes = usable_sizes(round(count * (1 - 1 / FOLDS)), least)
    wrong = np.empty((rounds, len(sizes), count), bool)
    seen = np.zeros(len(sizes))
    progress.start("Learning from ever more images", rounds * FOLDS * len(sizes))
    for r in range(rounds):
        folds = stratified_folds(targets, groups, FOLDS, seed=seed + r)
        for train, held in folds:
            parts = nested_subsets(targets[train], groups[train], sizes, seed=seed + r)
            for s, part in enumerate(parts):
                known = train[part]
                probe = fit_probe(
                    features[known],
                    targets[known],
                    groups[known],
                    classes=classes,
                    seed=seed + r,
                )
                answers = probe(features[held]).argmax(axis=1)
                wrong[r, s, held] = answers != targets[held]
                seen[s] += len(part)
                progress.advance()
    return Measured(seen / (rounds * FOLDS), wrong, groups)


def _left(groups: int) -> int:
    return groups - -(-groups // FOLDS)


def _needed() -> int:
    least = LEAST_GROUPS * RATIO ** (LEAST_SIZES - 1)
    return next(n for n in range(1, 1000) if _left(n) >= least)
