"""The phases of a training with all their settings."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from tlkit.config import Config, TrainConfig
from tlkit.model.head import is_linear, parse_head
from tlkit.model.phases import (
    ALL,
    AUTO,
    HEAD,
    HEAD_RATE,
    ONE,
    SMOOTHING,
    TUNE_RATE,
    Phase,
    parse_phases,
)


@dataclass(frozen=True)
class PlannedPhase:
    """A phase with all its settings.

    `train` has the length, rate and stopping of this phase. `average` keeps the mean of
    the weights before and after it. `views` replaces that of the configuration.
    """

    trainable_from: str  # as in Phase
    train: TrainConfig
    average: bool = False
    views: int | str | None = None


def plan_phases(config: Config) -> list[PlannedPhase]:
    """Plan the phases of a configuration that does not choose them automatically."""
    if config.train.phases == ONE:
        above = config.model.freeze_to
        names = {config.model.cut: HEAD, "none": ALL}
        train = config.train
        name = names.get(above, str(above))
        return [PlannedPhase(name, train, average=train.average_weights)]
    return [plan(one, config) for one in parse_phases(str(config.train.phases))]


def plan(phase: Phase, config: Config) -> PlannedPhase:
    """Give a phase the settings of its kind, for at most `train.steps` batches."""
    train = dataclasses.replace(config.train, epochs=phase.epochs)
    if phase.trainable_from != HEAD:
        return plan_tuning(phase.trainable_from, train, phase.lr or TUNE_RATE)
    train = dataclasses.replace(
        train,
        lr=phase.lr or train.lr or HEAD_RATE,
        # New layers have no pretrained weights to be careful with.
        schedule="constant" if train.schedule == "auto" else train.schedule,
    )
    return PlannedPhase(HEAD, train, views=1 if plain_suffices(config) else None)


def plan_tuning(above: str, train: TrainConfig, lr: float) -> PlannedPhase:
    """Plan a phase that tunes pretrained layers."""
    # Its rate falls over its whole length, so nothing ends it before its time.
    smoothing = train.label_smoothing
    train = dataclasses.replace(
        train,
        lr=lr,
        label_smoothing=SMOOTHING if smoothing is None else smoothing,
        patience=0,
        lr_patience=0,
    )
    return PlannedPhase(above, train, average=train.average_weights)


def plain_suffices(config: Config) -> bool:
    """Return whether the head trains on plain images, the views being for tuning."""
    # A linear classifier on pooled features gains nothing from augmented views; they
    # are used all the same where nothing but the head trains.
    phases = str(config.train.phases)
    tunes = phases == AUTO or any(
        p.trainable_from != HEAD for p in parse_phases(phases)
    )
    linear = is_linear(parse_head(config.model.head))
    return tunes and linear and isinstance(config.inputs.views, int)
