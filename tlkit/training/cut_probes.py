"""Linear probes at the cuts of a backbone, scored by nested cross-validation."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from tlkit.config import Config
from tlkit.dataset.manifest import Manifest
from tlkit.dataset.splitting.folds import most_folds
from tlkit.errors import RunError, UsageError
from tlkit.features.cut_features import CutFeatures, features_at_cuts
from tlkit.progress import Progress, track
from tlkit.training.probe import FOLDS, nested_scores
from tlkit.workers import in_order


@dataclass(frozen=True)
class Subjects:
    """The images that probes are measured on, split after split.

    `targets` (int) and `groups` (int, kept together) have length N. `folds` is
    the number of outer folds, drawn by `seed`.
    """

    manifest: Manifest
    splits: tuple[str, ...]
    targets: np.ndarray
    groups: np.ndarray
    folds: int
    seed: int

    @classmethod
    def of(
        cls, manifest: Manifest, splits: Sequence[str], *, folds: int | None, seed: int
    ) -> Subjects:
        """Collect the images of some splits.

        Args:
            manifest: The data set.
            splits: Names of splits; those without images are left out.
            folds: Number of folds; None for FOLDS, or fewer where a class has fewer
                images or groups.
            seed: Of the folds.

        Returns:
            The images.

        Raises:
            RunError: They have several labels each, or some class cannot be held out.
            UsageError: More folds than the smallest class has images or groups.
        """
        if manifest.multi_label:
            raise RunError(
                f"The examples of {manifest.directory} have several labels each; a "
                "comparison needs one.",
                hint="Prepare it again without --multi-label.",
            )
        filled = tuple(split for split in splits if manifest.of(split))
        examples = [example for split in filled for example in manifest.of(split)]
        targets = manifest.targets(examples)
        groups = np.unique([example.group for example in examples], return_inverse=True)
        names = " and ".join(splits)
        counts = np.bincount(targets, minlength=len(manifest.labels))
        if counts.min() == 0 or most_folds(targets, groups[1]) < 2:
            raise RunError(
                f"Some class of {manifest.directory} has fewer than two images (or "
                f"groups of them) in {names}: none can be held out to measure on.",
                hint="Get more images of it.",
            )
        most = most_folds(targets, groups[1])
        if folds is not None and folds > most:
            raise UsageError(
                f"folds: expected 2 to {most}, as many as the smallest class has "
                f"images or groups of them in {names}; got {folds}.",
                hint="Use fewer folds, or more images of that class.",
            )
        return cls(
            manifest, filled, targets, groups[1], folds or min(FOLDS, most), seed
        )


class Probed(NamedTuple):
    """A cut, its pooling, and out-of-fold probabilities, float32 [N, n]."""

    at: CutFeatures
    pooling: str
    scores: np.ndarray


def probe_cuts(
    config: Config,
    cuts: Sequence[str],
    poolings: Sequence[str],
    subjects: Subjects,
    *,
    progress: Progress,
    timed: bool = False,
) -> tuple[list[Probed], dict[str, str]]:
    """Measure linear probes on the frozen features at several cuts.

    Args:
        config: Resolved but for the cut.
        cuts: As for `features_at_cuts`.
        poolings: Of head.MAP_POOLINGS.
        subjects: The images to measure on.
        progress: Receives notes, warnings and progress.
        timed: Whether to measure the time an image takes.

    Returns:
        The probes, cut by cut in every pooling; and the reason for each cut without.

    Raises:
        RunError: The features fit neither into the cache nor into memory.
        UsageError: An unknown layer, or one that other paths bypass.
    """
    found, failed = features_at_cuts(
        config,
        cuts,
        subjects.manifest,
        subjects.splits,
        progress=progress,
        timed=timed,
    )
    pairs = [(at, pooling) for at in found for pooling in poolings]
    score = functools.partial(
        nested_scores,
        targets=subjects.targets,
        groups=subjects.groups,
        classes=len(subjects.manifest.labels),
        seed=subjects.seed,
        folds=subjects.folds,
    )
    features: Iterator[np.ndarray] = (at.features(pooling) for at, pooling in pairs)
    probabilities = in_order(score, features, workers=config.inputs.workers, ahead=2)
    task = f"Probing {config.model.backbone}"
    scores = track(probabilities, progress, task, len(pairs))
    return [Probed(*pair, s) for pair, s in zip(pairs, scores, strict=True)], failed
