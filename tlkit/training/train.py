"""The training of a network as its run is configured: probe, phases, selection."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

import keras

from tlkit.dataset.manifest import Manifest
from tlkit.errors import UsageError
from tlkit.model.head import is_linear
from tlkit.model.phases import AUTO, HEAD, ONE, PROBE
from tlkit.progress import Progress
from tlkit.runs.run import Run
from tlkit.runs.timing import Clock
from tlkit.training.augmentation_check import decide
from tlkit.training.callbacks import Budget
from tlkit.training.candidates import Candidate
from tlkit.training.network import Network
from tlkit.training.plan import plan_phases
from tlkit.training.policy import choose_phases
from tlkit.training.trainer import Trainer


class TrainResult(NamedTuple):
    """The trained network, which has the weights of the selected candidate."""

    run: Run  # with all that was decided on the way
    trainer: Trainer
    selected: Candidate


def train(
    run: Run,
    manifest: Manifest,
    network: Network,
    *,
    budget: Budget,
    clock: Clock,
    progress: Progress,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> TrainResult:
    """Train a network in place, and give it the weights of the best candidate."""
    config, verdict = decide(run.config, manifest, network.reference, progress=progress)
    if verdict:
        run = run.with_config(config, hflip=dataclasses.asdict(verdict))
    clock.lap("flips")
    trainer = Trainer(
        config,
        manifest,
        network,
        run.directory,
        budget=budget,
        clock=clock,
        progress=progress,
        callbacks=callbacks,
    )
    check_phases(trainer)
    if config.train.probe and network.trained.task.multi_label:
        progress.note("No linear probe: it needs one label per image")
    elif config.train.probe:
        trainer.probe()
    if config.train.phases == AUTO:
        choose_phases(trainer)
    else:
        for planned in plan_phases(config):
            trainer.run(planned)
    selected = trainer.best()
    trainer.restore(selected)
    return TrainResult(run, trainer, selected)


def check_phases(trainer: Trainer) -> None:
    """Refuse phases that this network or these data cannot have, before slow work."""
    train, network = trainer.config.train, trainer.network
    if train.phases == AUTO:
        return
    multi_label = network.trained.task.multi_label
    if train.phases == PROBE and multi_label:
        raise UsageError(
            "phases 'probe' needs one label per image; the data set is multi-label.",
            hint="Use other phases, such as head:15.",
        )
    phases = plan_phases(trainer.config)
    if train.phases != ONE:
        for phase in phases:
            network.freeze(phase.trainable_from)
    if not train.average_weights:
        return
    probed = train.probe and not multi_label and is_linear(network.trained.head)
    tuning = [
        place for place, phase in enumerate(phases) if phase.trainable_from != HEAD
    ]
    if not tuning or (tuning[0] == 0 and not probed):
        raise UsageError(
            "average_weights needs a probe or a head phase before the first tuning "
            f"phase, got phases {train.phases!r}.",
            hint="Put head:15 first, and a phase that tunes after it.",
        )
