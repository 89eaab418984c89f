"""Which phases a training has: as listed, or found out while it goes on."""

from __future__ import annotations

import dataclasses

from tlkit.config import Config, TrainConfig
from tlkit.model.head import is_linear, parse_head
from tlkit.model.phases import (
    ALL,
    AUTO,
    DEEP,
    HEAD,
    ONE,
    TOP,
    TUNE_RATE,
    Phase,
    parse_phases,
)
from tlkit.run.learn import Planned, Trainer

# Tuned without it, a network soon answers its few pictures with a certainty that it
# does not have on others.
SMOOTHING = 0.1
# A tuning phase sees every picture so many times, within these numbers of steps: BiT's
# 500 (Kolesnikov et al. 2020, arXiv 1912.11370) at most.
TUNE_EPOCHS, LEAST_STEPS, MOST_STEPS = 12, 60, 500


def single(config: Config) -> Planned:
    """The one phase of a configuration that names its freeze point."""
    model = config.model
    above = model.freeze_to or HEAD
    if above == model.cut:
        above = HEAD
    return Planned(ALL if above == "none" else above, config.train)


def listed(phase: Phase, train: TrainConfig) -> Planned:
    """A phase as it stands in the configuration.

    Args:
        phase: From `parse_phases`.
        train: The training section, resolved.

    Returns:
        The phase; where it tunes pretrained layers, its rate falls over its whole
        length, so that nothing ends it before its time.
    """
    if phase.above == HEAD:
        lr = phase.lr or train.lr
        return Planned(
            HEAD, dataclasses.replace(_steady(train), epochs=phase.epochs, lr=lr)
        )
    return Planned(
        phase.above,
        dataclasses.replace(
            train,
            epochs=phase.epochs,
            steps=None,
            lr=phase.lr or TUNE_RATE,
            patience=0,
            plateau=0,
        ),
    )


def follow(trainer: Trainer) -> None:
    """Run the phases that the configuration lists, or find out which there should be.

    Args:
        trainer: Has the network, and learnt its probe if it was to.
    """
    config = trainer.config
    if config.train.phases == ONE:
        trainer.run(single(config))
    elif config.train.phases == AUTO:
        find_out(trainer)
    else:
        for phase in parse_phases(str(config.train.phases)):
            trainer.run(listed(phase, config.train))


def find_out(trainer: Trainer) -> None:
    """Train the head, then tune as deep as pays.

    Args:
        trainer: As for `follow`.
    """
    config, progress = trainer.config, trainer.progress
    trainer.run(_head(config))
    steps = _steps(len(trainer.manifest.of("train")), config)
    for above in (TOP, DEEP, ALL):
        before = trainer.best()
        if before.accuracy == 1:
            return progress.note("No mistake is left on the validation side to mend")
        trainer.put_back(before)
        tuned = dataclasses.replace(
            config.train,
            epochs=None,
            steps=steps,
            lr=TUNE_RATE,
            label_smoothing=config.train.label_smoothing or SMOOTHING,
            patience=0,
            plateau=0,
        )
        trainer.run(Planned(above, tuned))
        if trainer.best() is before:
            return progress.note(f"Tuning the {above} does not pay: no deeper then")
    return None


def _head(config: Config) -> Planned:
    """The phase that trains what is new."""
    # A linear classifier on pooled features gains nothing from augmented views.
    linear = is_linear(parse_head(config.model.head))
    return Planned(HEAD, _steady(config.train), 1 if linear else None)


def _steady(train: TrainConfig) -> TrainConfig:
    """What is new has no start to be careful with: its rate is constant."""
    if train.schedule == "auto":
        return dataclasses.replace(train, schedule="constant")
    return train


def _steps(pictures: int, config: Config) -> int:
    """How many steps a tuning phase has: keyed to the data, not a number of epochs."""
    wanted = TUNE_EPOCHS * pictures // config.inputs.batch
    return min(max(wanted, LEAST_STEPS), MOST_STEPS)
