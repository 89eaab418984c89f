"""Training on one fold: the run that a user would get, and what it predicts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np

from tlkit import files
from tlkit.config import Config
from tlkit.progress import Progress
from tlkit.runs.run import Run
from tlkit.runs.timing import Clock
from tlkit.training.callbacks import Budget
from tlkit.training.candidates import Candidate
from tlkit.training.cv_folds import CVFold
from tlkit.training.data import predict_split
from tlkit.training.network import Network
from tlkit.training.train import train


class FoldResult(NamedTuple):
    """The result of training on a fold.

    `probabilities` are those of the images that the fold holds out: float32 [N, n],
    in the order of the manifest. `selected` is the selected candidate, with its
    loss and accuracy on the validation split of the fold. `best_epoch` counts from 1
    over all phases, 0 for the probe. `weights` names these weights in words.
    """

    probabilities: np.ndarray
    selected: Candidate
    best_epoch: int
    weights: str


def fit_fold(
    config: Config,
    fold: CVFold,
    network: Network,
    work: Path,
    *,
    progress: Progress,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> FoldResult:
    """Train on one fold from the initial weights, and predict what it holds out.

    Args:
        config: Resolved; its cut is a layer.
        fold: Its held-out images are the test split, or the validation split where
            there is no test split.
        network: From `build_network`, reused from fold to fold: it begins again with
            the weights it was built with, and keeps its compiled steps.
        work: A directory for checkpoints, gone afterwards.
        progress: Receives notes, warnings and progress.
        callbacks: Added to those of every phase.

    Returns:
        Probabilities of the held-out images, and the candidate they are from.

    Raises:
        UsageError: Phases that this network or these data cannot have.
        RunError: The training diverged.
    """
    network.restore_weights({})
    with files.passing_directory(work) as directory:
        run, trainer, selected = train(
            Run.begin(directory, config, fold.manifest),
            fold.manifest,
            network,
            budget=Budget(config.train.minutes),
            clock=Clock(),
            progress=progress,
            callbacks=callbacks,
        )
    probabilities = selected.scores
    if fold.manifest.of("test"):
        network.freeze(selected.freeze_to)
        probabilities = predict_split(
            run.config, fold.manifest, "test", network, progress
        )
    best, weights = trainer.epoch_of(selected), trainer.describe(selected)
    return FoldResult(probabilities, selected, best, weights)
