"""A data set in, the same images on other sides of the split out, fold by fold."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tlkit.dataset.manifest import Example, Manifest
from tlkit.dataset.splitting.assign import assign
from tlkit.dataset.splitting.folds import stratified_folds
from tlkit.errors import DatasetError, RunError, UsageError


@dataclass(frozen=True)
class Round:
    """One fold of one repeat.

    Attributes:
        repeat: Counted from 1.
        fold: Counted from 1.
        manifest: The data set; its test side is what this fold holds out, or empty
            where its validation side is.
    """

    repeat: int
    fold: int
    manifest: Manifest


def outer_rounds(
    manifest: Manifest, folds: int, repeats: int, *, seed: int
) -> list[Round]:
    """Hold every image out once a repeat, as a test side that chooses nothing.

    Args:
        manifest: Its training and validation sides are used; its test side is in no
            fold.
        folds: How many a repeat.
        repeats: How many times they are drawn.
        seed: Of the draws.

    Returns:
        The rounds. Of what a fold does not hold out, about as large a share chooses
        the epoch as in the data set.

    Raises:
        UsageError: A class is too small for so many folds.
        RunError: The examples have several labels each.
    """
    pool = [e for e in manifest.examples if e.split != "test"]
    share = len(manifest.of("val")) / len(pool)
    groups = np.array([e.group for e in pool])
    targets = _classes(manifest, pool)
    rounds = []
    for repeat in range(1, repeats + 1):
        drawn = int(np.random.default_rng([seed, repeat]).integers(2**31))
        parts = stratified_folds(targets, groups, folds, seed=drawn)
        for fold, part in enumerate(parts, start=1):
            rest = [pool[i] for i in part.train]
            try:
                sides = assign(
                    [[e.label] for e in rest],
                    [e.group for e in rest],
                    {"val": share},
                    drawn,
                )
            except DatasetError as error:
                raise UsageError(
                    f"{folds} folds leave too little to choose the epoch by. "
                    f"{error.message}",
                    hint="Get more images of these, or leave these classes out: each "
                    "needs some in three places, two of them beside what is held out.",
                ) from error
            placed = {e.id: side for e, side in zip(rest, sides, strict=True)}
            placed |= {pool[i].id: "test" for i in part.held}
            rounds.append(Round(repeat, fold, _placed(manifest, placed)))
    return rounds


def inner_rounds(manifest: Manifest, folds: int, *, seed: int) -> list[Round]:
    """Hold every image of the training side out once, to choose a setting by.

    Args:
        manifest: Only its training side is used.
        folds: How many.
        seed: Of the draw.

    Returns:
        The rounds; what each holds out is its validation side.

    Raises:
        UsageError: A class is too small for so many folds.
        RunError: The examples have several labels each.
    """
    pool = manifest.of("train")
    groups = np.array([e.group for e in pool])
    targets = _classes(manifest, pool)
    rounds = []
    parts = stratified_folds(targets, groups, folds, seed=seed)
    for fold, part in enumerate(parts, start=1):
        placed = {pool[i].id: "train" for i in part.train}
        placed |= {pool[i].id: "val" for i in part.held}
        rounds.append(Round(1, fold, _placed(manifest, placed)))
    return rounds


def _classes(manifest: Manifest, pool: Sequence[Example]) -> np.ndarray:
    """The class of each example, to draw folds by."""
    if manifest.multi_label:
        raise RunError(
            f"The examples of {manifest.directory} have several labels each: expected "
            "one, as folds are drawn class by class.",
            hint="Prepare it without --multi-label.",
        )
    return manifest.targets(pool)


def _placed(manifest: Manifest, placed: Mapping[str, str]) -> Manifest:
    """Only these examples, on these sides."""
    examples = tuple(
        dataclasses.replace(example, split=placed[example.id])
        for example in manifest.examples
        if example.id in placed
    )
    return dataclasses.replace(manifest, examples=examples)
