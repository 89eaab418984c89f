"""Cross-validation folds: whole groups, classes in proportion, seeded."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold

from tlkit.errors import UsageError


class Fold(NamedTuple):
    """Indices of the examples to train on, and of those held out, int [n] both."""

    train: np.ndarray
    held: np.ndarray


def most_folds(targets: np.ndarray, groups: np.ndarray) -> int:
    """Count the folds that can be made so that each can train on every class.

    Args:
        targets: int [N], the class of each example.
        groups: [N], the group of each; a group stays in one fold.

    Returns:
        The least number of groups that any class has.
    """
    pairs = {(int(c), g) for c, g in zip(targets, groups.tolist(), strict=True)}
    counts = np.bincount([c for c, _ in pairs])
    return int(counts[counts > 0].min())


def stratified_folds(
    targets: np.ndarray, groups: np.ndarray, folds: int, *, seed: int
) -> list[Fold]:
    """Make folds that hold every example out once.

    Args:
        targets: int [N], the class of each example.
        groups: [N], the group of each; a group stays in one fold.
        folds: How many, at least 2.
        seed: Of the draw.

    Returns:
        That many folds; a group is never parted, and each fold has about the same
        share of every class.

    Raises:
        UsageError: More folds than some class has groups.
    """
    most = most_folds(targets, groups)
    if most < 2:
        raise UsageError(
            "A class with a single image or group cannot be held out: folds need two "
            "of every class.",
            hint="Add images of it.",
        )
    if not 2 <= folds <= most:
        raise UsageError(
            f"There must be 2 to {most} folds, as the smallest class has {most} images "
            f"or groups of them; got {folds}.",
            hint="Use two folds or more."
            if folds < 2
            else "Use fewer folds, or more images of that class.",
        )
    # Shuffling by scikit-learn below 1.8 loses the stratification, so the groups are
    # renumbered at random instead: of groups alike, the lower numbers come first.
    numbers = np.unique(groups, return_inverse=True)[1]
    shuffled = np.random.default_rng(seed).permutation(int(numbers.max()) + 1)[numbers]
    made = StratifiedGroupKFold(folds).split(np.zeros(len(targets)), targets, shuffled)
    return [Fold(train, held) for train, held in made]
