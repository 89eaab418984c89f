"""A run directory, a data set and a network in; the network, trained as wanted, out.

What a run does, and each fold and trial just the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import keras

from tlkit.dataset.manifest import Manifest
from tlkit.progress import Progress
from tlkit.runs.result_dir import Run
from tlkit.runs.timing import Clock
from tlkit.training.augmentation_check import settle
from tlkit.training.callbacks import Budget
from tlkit.training.candidates import Candidate
from tlkit.training.network import Network
from tlkit.training.policy import check, follow
from tlkit.training.trainer import Trainer


class Lesson(NamedTuple):
    """What came of it.

    Attributes:
        run: With all that was decided on the way.
        trainer: Knows the candidates; its network is the one that was kept.
        kept: The candidate that the validation side has chosen.
    """

    run: Run
    trainer: Trainer
    kept: Candidate


def learn(
    run: Run,
    manifest: Manifest,
    network: Network,
    *,
    budget: Budget,
    clock: Clock,
    progress: Progress,
    watching: Sequence[keras.callbacks.Callback] = (),
) -> Lesson:
    """Train a network as the configuration of a run says.

    Args:
        run: Its directory gets history and checkpoints.
        manifest: Its test side is not looked at.
        network: Trained in place.
        budget: When to end at the latest.
        clock: Told of the stages.
        progress: Told of all long work.
        watching: More callbacks for every phase.

    Returns:
        The best of what came about.

    Raises:
        UsageError: Phases that this network or these data cannot have.
    """
    run = settle(run, manifest, network.reference, progress=progress)
    clock.lap("horizontal flips")
    trainer = Trainer(
        run.config,
        manifest,
        network,
        run.directory,
        budget=budget,
        clock=clock,
        progress=progress,
        watching=watching,
    )
    check(trainer)
    if run.config.train.probe and network.trained.task.multi_label:
        progress.note("No linear probe: it is for one label an image")
    elif run.config.train.probe:
        trainer.probe()
    follow(trainer)
    kept = trainer.best()
    trainer.put_back(kept)
    return Lesson(run, trainer, kept)
