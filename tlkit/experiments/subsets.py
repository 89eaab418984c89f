"""Nested subsets of the examples, and the errors of probes that learn from them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tlkit.dataset.splitting.folds import most_folds, stratified_folds
from tlkit.errors import RunError
from tlkit.metrics.power_law import PowerLaws, fit_power_laws
from tlkit.progress import Progress
from tlkit.training.probe import fit_probe

# Between one size and the next; the smallest has this many groups of every class.
RATIO, LEAST_GROUPS = 2**0.5, 3
LEAST_SIZES, MOST_SIZES = 4, 8
FOLDS = 5
# Few examples are drawn repeatedly; many vary less, and take longer.
MOST_REPEATS, EXAMPLES_OF_ALL_REPEATS = 3, 1200
BOOTSTRAPS = 1000
# Of a power law.
PARAMETERS = 3


def usable_sizes(examples: int, least: int) -> list[int]:
    """Return the sizes, ascending, that leave enough of the smallest class."""
    shares = RATIO ** -np.arange(MOST_SIZES, dtype=float)
    # Rounded: 12 divided twice by roots must not be less than 3.
    kept = shares[np.round(shares * least, 6) >= LEAST_GROUPS]
    return [round(examples * share) for share in kept[::-1]]


def nested_subsets(
    targets: np.ndarray, groups: np.ndarray, sizes: list[int], *, seed: int
) -> list[np.ndarray]:
    """Draw stratified subsets of whole groups, each within the next."""
    rng = np.random.default_rng(seed)
    numbers = np.unique(groups, return_inverse=True)[1]
    # A group counts for the rarest class in it, so that rare ones are spread evenly.
    rarity = np.argsort(np.argsort(np.bincount(targets), kind="stable"))
    stratum = np.full(numbers.max() + 1, len(rarity))
    np.minimum.at(stratum, numbers, rarity[targets])
    place = np.empty(len(stratum))
    for one in np.unique(stratum):
        members = np.flatnonzero(stratum == one)
        order = rng.permutation(len(members)) + rng.random()
        place[members] = order / len(members)
    ordered = np.argsort(place[numbers], kind="stable")
    ends = np.cumsum(np.bincount(numbers)[np.argsort(place, kind="stable")])
    return [ordered[: ends[np.abs(ends - size).argmin()]] for size in sizes]


@dataclass(frozen=True)
class SubsetErrors:
    """The errors of probes on held-out examples, by the size they learned from."""

    sizes: np.ndarray  # float [S], mean number of examples learned from, ascending.
    incorrect: np.ndarray  # bool [R, S, N], by repeat, size and example.
    groups: np.ndarray  # int [N].

    @property
    def errors(self) -> np.ndarray:
        """Share of incorrect predictions, float [S]."""
        return np.asarray(self.incorrect.mean(axis=(0, 2)))

    def resampled(self, seed: int) -> np.ndarray:
        """Return the errors float [BOOTSTRAPS, S] of resampled repeats and groups.

        Bootstrap by weights (Rubin 1981). One more example, incorrect half of the time,
        keeps a curve without errors from looking certain.
        """
        rng = np.random.default_rng(seed)
        number = np.bincount(self.groups).astype(float)
        repeats, sizes, _ = self.incorrect.shape
        incorrect = np.apply_along_axis(
            lambda row: np.bincount(self.groups, row), 2, self.incorrect
        )
        extra = np.full((repeats, sizes, 1), 0.5)
        incorrect = np.concatenate([incorrect, extra], axis=2)
        of_repeat = rng.dirichlet(np.ones(repeats), BOOTSTRAPS)
        of_group = rng.exponential(size=(BOOTSTRAPS, len(number) + 1))
        summed = np.einsum(
            "br,rsg,bg->bs", of_repeat, incorrect, of_group, optimize=True
        )
        return np.asarray(summed / (of_group @ np.append(number, 1.0))[:, None])

    def laws(self, seed: int) -> PowerLaws:
        """Fit a power law to every resampled curve."""
        resampled = self.resampled(seed)
        spread = resampled.var(axis=0)
        one = fit_power_laws(self.sizes, self.errors[None], 1 / spread)
        # The residual of the law is noise of single sizes, from the choice of subsets.
        # The bootstrap does not contain it, so it is added to each curve.
        left = ((self.errors - one(self.sizes)[0]) ** 2 / spread).sum()
        scale = np.sqrt(left / (len(self.sizes) - PARAMETERS) * spread)
        noise = np.random.default_rng([seed, 1]).normal(size=resampled.shape)
        return fit_power_laws(self.sizes, resampled + noise * scale, 1 / spread)


def check_classes(targets: np.ndarray, groups: np.ndarray) -> int:
    """Return the groups of the smallest class outside a fold; refuse too few."""
    smallest = most_folds(targets, groups)
    needed = LEAST_GROUPS * RATIO ** (LEAST_SIZES - 1)
    least = _outside_fold(smallest)
    if least < needed:
        enough = next(n for n in range(1, 1000) if _outside_fold(n) >= needed)
        raise RunError(
            f"A learning curve needs at least {enough} images or groups of every class "
            f"in the training and validation splits, the smallest class has {smallest}:"
            f" a curve has at least {LEAST_SIZES} sizes, with {LEAST_GROUPS} of every "
            "class at the smallest of them.",
            hint="Get more images of that class, or leave the class out.",
        )
    return least


def _outside_fold(groups: int) -> int:
    return groups - -(-groups // FOLDS)


def measure(
    features: np.ndarray,
    targets: np.ndarray,
    groups: np.ndarray,
    *,
    classes: int,
    seed: int,
    progress: Progress,
) -> SubsetErrors:
    """Fit probes on nested subsets outside each fold, and score them on the fold."""
    least = check_classes(targets, groups)
    count = len(targets)
    repeats = int(np.clip(EXAMPLES_OF_ALL_REPEATS // count, 1, MOST_REPEATS))
    sizes = usable_sizes(round(count * (1 - 1 / FOLDS)), least)
    incorrect = np.empty((repeats, len(sizes), count), bool)
    learned = np.zeros(len(sizes))
    progress.start("Learning from growing subsets", repeats * FOLDS * len(sizes))
    for r in range(repeats):
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
                predicted = probe(features[held]).argmax(axis=1)
                incorrect[r, s, held] = predicted != targets[held]
                learned[s] += len(part)
                progress.advance()
    return SubsetErrors(learned / (repeats * FOLDS), incorrect, groups)
