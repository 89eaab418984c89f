"""Folds of a data set: the same images in other splits, fold by fold."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tlkit.dataset.example import Example
from tlkit.dataset.manifest import Manifest
from tlkit.dataset.splitting.assign import assign
from tlkit.dataset.splitting.folds import stratified_folds
from tlkit.errors import DatasetError, RunError, UsageError


@dataclass(frozen=True)
class CVFold:
    """One fold of a cross-validation, as a data set of its own.

    `repeat` and `fold` count from 1. The images held out are the test split of
    `manifest`, or its validation split where there is no test split.
    """

    repeat: int
    fold: int
    manifest: Manifest


def outer_folds(
    manifest: Manifest, folds: int, repeats: int, *, seed: int
) -> list[CVFold]:
    """Hold every image out once a repeat, as a test split that selects nothing.

    Args:
        manifest: Its training and validation split are used, its test split is not.
        folds: Number of folds per repeat.
        repeats: Number of times that folds are drawn.
        seed: Of the draws.

    Returns:
        The folds. Of the images that a fold learns from, the share of its validation
        split is that of the data set.

    Raises:
        UsageError: A class is too small for so many folds.
        RunError: The examples have several labels each.
    """
    pool = [e for e in manifest.examples if e.split != "test"]
    share = len(manifest.of("val")) / len(pool)
    groups = np.array([e.group for e in pool])
    targets = _classes(manifest, pool)
    found = []
    for repeat in range(1, repeats + 1):
        drawn = int(np.random.default_rng([seed, repeat]).integers(2**31))
        parts = stratified_folds(targets, groups, folds, seed=drawn)
        for fold, part in enumerate(parts, start=1):
            rest = [pool[i] for i in part.train]
            try:
                splits = assign(
                    [[e.label] for e in rest],
                    [e.group for e in rest],
                    {"val": share},
                    drawn,
                )
            except DatasetError as error:
                raise UsageError(
                    f"{folds} folds leave too little to select the epoch on. "
                    f"{error.message}",
                    hint="Get more images of these, or leave these classes out: each "
                    "needs some in three places, two of them besides those held out.",
                ) from error
            placed = {e.id: split for e, split in zip(rest, splits, strict=True)}
            placed |= {pool[i].id: "test" for i in part.held}
            found.append(CVFold(repeat, fold, _placed(manifest, placed)))
    return found


def inner_folds(manifest: Manifest, folds: int, *, seed: int) -> list[CVFold]:
    """Hold every training image out once, as a validation split to select on.

    Args:
        manifest: Only its training split is used.
        folds: Number of folds.
        seed: Of the draw.

    Returns:
        The folds, without test split.

    Raises:
        UsageError: A class is too small for so many folds.
        RunError: The examples have several labels each.
    """
    pool = manifest.of("train")
    groups = np.array([e.group for e in pool])
    parts = stratified_folds(_classes(manifest, pool), groups, folds, seed=seed)
    found = []
    for fold, part in enumerate(parts, start=1):
        placed = {pool[i].id: "train" for i in part.train}
        placed |= {pool[i].id: "val" for i in part.held}
        found.append(CVFold(1, fold, _placed(manifest, placed)))
    return found


def _classes(manifest: Manifest, pool: Sequence[Example]) -> np.ndarray:
    """Return the class of each example, for stratified folds."""
    if manifest.multi_label:
        raise RunError(
            f"The examples of {manifest.directory} have several labels each: expected "
            "one, as folds are stratified by class.",
            hint="Prepare it without --multi-label.",
        )
    return manifest.targets(pool)


def _placed(manifest: Manifest, placed: Mapping[str, str]) -> Manifest:
    """Keep only these examples, in these splits."""
    examples = tuple(
        dataclasses.replace(example, split=placed[example.id])
        for example in manifest.examples
        if example.id in placed
    )
    return dataclasses.replace(manifest, examples=examples)
