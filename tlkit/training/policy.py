"""Which phases a training has: as listed, or found out while it goes on."""

from __future__ import annotations

import dataclasses

from tlkit.config import Config, TrainConfig, given_for_head
from tlkit.errors import UsageError
from tlkit.model.head import is_linear, parse_head
from tlkit.model.phases import (
    ALL,
    AUTO,
    DEEP,
    HALF,
    HEAD,
    HEAD_EPOCHS,
    HEAD_RATE,
    LAST,
    ONE,
    SMOOTHING,
    TOP,
    TUNE_RATE,
    Phase,
    parse_phases,
)
from tlkit.training.fit import epochs_of
from tlkit.training.fold_selection import choose, held_out
from tlkit.training.trainer import Planned, Trainer

TRIED = {TOP: "the upper third", DEEP: "the upper two thirds"}
# With fewer images to judge by, chance is more than what tuning usually gains.
LEAST_JUDGES = 50
# With less time than this a phase would hardly have begun.
LEAST_SECONDS = 15.0
# A tuning phase sees every image so many times, within these numbers of steps: BiT's
# 500 (Kolesnikov et al. 2020, arXiv 1912.11370) at most. To see whether it pays it need
# not be as long as what is kept.
TRIED_EPOCHS, KEPT_EPOCHS, LEAST_STEPS, MOST_STEPS = 12, 32, 60, 500


def check(trainer: Trainer) -> None:
    """Refuse listed phases that cannot be, before anything slow."""
    train = trainer.config.train
    if train.phases in (ONE, AUTO):
        return
    phases = parse_phases(str(train.phases))
    network = trainer.network
    several = network.trained.task.multi_label
    if not phases and several:
        raise UsageError(
            "phases: 'probe' is for one label an image, and these have several.",
            hint="Use other phases, such as head:15.",
        )
    for phase in phases:
        network.freeze(phase.above)
    probed = train.probe and not several and is_linear(network.trained.head)
    if phases and phases[0].half and not probed:
        raise UsageError(
            f"phases: {phases[0]} has no trained network before it to take the mean "
            "with.",
            hint="Let a probe or a head come first.",
        )


def follow(trainer: Trainer) -> None:
    """Run the listed phases, or choose them automatically."""
    config = trainer.config
    if config.train.phases == ONE:
        run(trainer, single(config))
    elif config.train.phases == AUTO:
        find_out(trainer)
    else:
        for phase in parse_phases(str(config.train.phases)):
            run(trainer, listed(phase, config))


def find_out(trainer: Trainer) -> None:
    """Train the head, then tune as deep as pays, and while there is time."""
    config, progress = trainer.config, trainer.progress
    judges = len(trainer.truth)
    if judges < LEAST_JUDGES and trainer.judges:
        if trainer.candidates:
            return _tune_as_folds_say(trainer)
        progress.warn(
            f"{judges} images choose how deep to tune, which is few: chance has a "
            "part in it. Folds of the training side could judge instead if there were "
            "one label an image, a probe, and a head that can start from it"
        )
    epochs = HEAD_EPOCHS
    if config.train.epochs or config.train.steps:
        images, batch = len(trainer.manifest.of("train")), config.inputs.batch
        epochs = epochs_of(config.train, -(-images // batch))
    run(trainer, listed(Phase(HEAD, epochs), config))
    for above, name in TRIED.items():
        before = trainer.best()
        if before.accuracy == 1:
            return progress.note("No mistake is left on the validation side to mend")
        if trainer.budget.left < LEAST_SECONDS:
            return progress.note(f"No time is left to tune {name}")
        run(trainer, _keyed(above, trainer))
        after = trainer.best()
        if after is before:
            return progress.note(f"Tuning {name} gains nothing: no deeper then")
        gain, error = after.gain(before)
        said = f"Tuning {name} gains {gain:.4f} ± {error:.4f} in tempered loss"
        if gain <= error:
            return progress.note(f"{said}, no more than chance does: no deeper then")
        progress.note(said)
    return None


def _tune_as_folds_say(trainer: Trainer) -> None:
    """Keep the probe, the tuned network or their mean, as folds of the training say."""

    def tune(one: Trainer, epochs: int = TRIED_EPOCHS) -> None:
        run(one, dataclasses.replace(_keyed(DEEP, one, epochs), half=True))

    monitor = trainer.config.train.monitor
    train = dataclasses.replace(trainer.config.train, monitor=LAST)
    trainer.config = dataclasses.replace(trainer.config, train=train)
    probe, judges = trainer.candidates[0], len(trainer.truth)
    trainer.progress.note(
        f"{judges} images on the validation side are too few to tell by whether "
        "tuning pays"
    )
    if given := given_for_head(trainer.config.train):
        said = ", ".join(f"{name} {value:g}" for name, value in given.items())
        trainer.progress.warn(
            f"{said}: of no effect here, for there is no phase that trains a head "
            "alone; with --phases you list phases yourself, as head:15,deep:30@1e-4"
        )
    trainer.held_out = held_out(trainer, tune, LEAST_SECONDS)
    trainer.clock.lap("folds")
    trainer.put_back(probe)
    if not trainer.held_out:
        return tune(trainer, KEPT_EPOCHS)
    best = choose(trainer.held_out, monitor, trainer.progress)
    if best.name != probe.name:
        half = best.name.endswith(HALF)
        longer = _keyed(DEEP, trainer, KEPT_EPOCHS)
        run(trainer, dataclasses.replace(longer, half=half))
    return None


def _keyed(above: str, trainer: Trainer, epochs: int = TRIED_EPOCHS) -> Planned:
    """A tuning phase as long as the data want: so many steps, not so many epochs."""
    images, batch = len(trainer.manifest.of("train")), trainer.config.inputs.batch
    steps = min(max(epochs * images // batch, LEAST_STEPS), MOST_STEPS)
    train = trainer.config.train
    if train.epochs or train.steps:
        most = train.steps or (train.epochs or 0) * -(-images // batch)
        steps = min(steps, most)
    train = dataclasses.replace(train, epochs=None, steps=steps)
    return _tuning(above, train, TUNE_RATE)


def run(trainer: Trainer, planned: Planned) -> None:
    """Run a phase from the best so far.

    Of one that tunes pretrained layers, the mean of before and after is a candidate
    as well, where it is asked for, or there is something to judge it by.

    Args:
        trainer: As for `follow`.
        planned: The phase.
    """
    before = trainer.best() if trainer.candidates else None
    if before:
        trainer.put_back(before)
    after = trainer.run(planned)
    if before and planned.above != HEAD and (planned.half or trainer.judges):
        trainer.meet(before, after)


def single(config: Config) -> Planned:
    """The one phase of a configuration that names its freeze point."""
    above = config.model.freeze_to
    if above == config.model.cut:
        return Planned(HEAD, config.train)
    return Planned(ALL if above == "none" else str(above), config.train)


def listed(phase: Phase, config: Config) -> Planned:
    """A phase with the settings that it has by its kind."""
    train = dataclasses.replace(config.train, epochs=phase.epochs, steps=None)
    if phase.above != HEAD:
        planned = _tuning(phase.above, train, phase.lr or TUNE_RATE)
        return dataclasses.replace(planned, half=phase.half, ended=phase.ended)
    train = dataclasses.replace(
        train,
        lr=phase.lr or train.lr or HEAD_RATE,
        # What is new has no start to be careful with.
        schedule="constant" if train.schedule == "auto" else train.schedule,
    )
    views = 1 if plain_suffices(config) else None
    return Planned(HEAD, train, ended=phase.ended, views=views)


def plain_suffices(config: Config) -> bool:
    """Whether the kept views of a run are for the phases that tune, not for its head.

    A linear classifier on pooled features gains nothing from augmented views.

    Args:
        config: Resolved.

    Returns:
        Whether its head trains on the plain images; not if nothing else trains.
    """
    phases = str(config.train.phases)
    tunes = phases == AUTO or any(p.above != HEAD for p in parse_phases(phases))
    linear = is_linear(parse_head(config.model.head))
    return tunes and linear and isinstance(config.inputs.views, int)


def _tuning(above: str, train: TrainConfig, lr: float) -> Planned:
    """A phase that tunes pretrained layers.

    Its rate falls over its whole length, so that nothing ends it before its time.

    Returns:
        The phase.
    """
    smoothing = train.label_smoothing
    train = dataclasses.replace(
        train,
        lr=lr,
        label_smoothing=SMOOTHING if smoothing is None else smoothing,
        patience=0,
        lr_patience=0,
    )
    return Planned(above, train)
