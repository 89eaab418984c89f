"""The automatic choice of phases: the head first, then tuning as long as it pays.

Where the validation split is too small to select on, folds of the training split show
whether tuning pays: the same tuning on each fold, scored on the images held out.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from tlkit.config import given_for_head
from tlkit.dataset.splitting.folds import most_folds
from tlkit.model.freezing import tunable
from tlkit.model.phases import DEEP, HEAD, HEAD_EPOCHS, LAST, TOP, TUNE_RATE, Phase
from tlkit.progress import Progress, Quiet
from tlkit.training.candidates import (
    AVERAGED,
    Candidate,
    score_candidate,
    select_best,
)
from tlkit.training.cv_folds import inner_folds
from tlkit.training.fit import epochs_of
from tlkit.training.plan import PlannedPhase, plan, plan_tuning
from tlkit.training.trainer import Trainer

TUNED = {TOP: "the upper third", DEEP: "the upper two thirds"}
# On fewer images, random differences exceed what tuning usually gains.
LEAST_IMAGES = 50
# With less time a phase would hardly begin.
LEAST_SECONDS = 15.0
# A tuning phase sees every image so many times, within these numbers of steps: BiT's
# 500 (Kolesnikov et al. 2020, arXiv 1912.11370) at most. A trial of whether it pays
# need not be as long as the final phase.
TRIED_EPOCHS, FINAL_EPOCHS, LEAST_STEPS, MOST_STEPS = 12, 32, 60, 500
# Each fold costs as much as the tuning itself; the final phase gets so many shares of
# the time of one fold.
FOLDS, FINAL_SHARES = 3, 2
FOLDS_DIR = "folds"


def choose_phases(trainer: Trainer) -> None:
    """Train the head, then tune deeper as long as that pays and there is time."""
    config, progress = trainer.config, trainer.progress
    images = len(trainer.truth)
    base_model = trainer.network.reference.base_model
    depths = {k: name for k, name in TUNED.items() if tunable(base_model, k)}
    for name in [name for k, name in TUNED.items() if k not in depths]:
        progress.note(f"No layer to freeze up to leaves {name} to tune")
    if images < LEAST_IMAGES and trainer.selects:
        if trainer.candidates and DEEP in depths:
            return _tune_by_folds(trainer)
        if depths:
            progress.warn(
                f"The fine-tuning depth is selected on {images} images, too few for a "
                "reliable choice. Folds of the training split would select it with one "
                "label per image, a probe, and a head that starts from the probe"
            )
    epochs = HEAD_EPOCHS
    if config.train.epochs or config.train.steps:
        epochs = epochs_of(config.train, _steps(trainer))
    trainer.run(plan(Phase(HEAD, epochs), config))
    for above, name in depths.items():
        before = trainer.best()
        if before.accuracy == 1:
            return progress.note("No error is left on the validation split to fix")
        if trainer.budget.left < LEAST_SECONDS:
            return progress.note(f"No time is left to tune {name}")
        trainer.run(_tuning(above, trainer))
        after = trainer.best()
        if after is before:
            return progress.note(f"Tuning {name} gains nothing: no deeper then")
        gain, error = after.gain(before)
        gained = (
            f"Tuning {name} gains {gain:.4f} ± {error:.4f} in temperature-scaled log "
            "loss"
        )
        if gain <= error:
            return progress.note(f"{gained}, which is not significant: no deeper then")
        progress.note(gained)
    return None


def _tune_by_folds(trainer: Trainer) -> None:
    """Select the probe, the tuned network or their mean by folds of the training."""

    def tune(one: Trainer, epochs: int = TRIED_EPOCHS, *, average: bool = True) -> None:
        planned = _tuning(DEEP, one, epochs)
        one.run(dataclasses.replace(planned, average=average))

    monitor = trainer.config.train.monitor
    train = dataclasses.replace(trainer.config.train, monitor=LAST)
    trainer.config = dataclasses.replace(trainer.config, train=train)
    probe = trainer.candidates[0]
    trainer.progress.note(
        f"{len(trainer.truth)} validation images are too few to decide whether tuning "
        "pays"
    )
    if given := given_for_head(train):
        listed = ", ".join(f"{name} {value:g}" for name, value in given.items())
        trainer.progress.warn(
            f"{listed}: of no effect here, as no phase trains a head alone. List the "
            "phases with --phases, such as head:15,deep:30@1e-4"
        )
    trainer.held_out = score_on_folds(trainer, tune)
    trainer.clock.lap("folds")
    trainer.restore(probe)
    if not trainer.held_out:
        return tune(trainer, FINAL_EPOCHS)
    best = select_tuned(trainer.held_out, monitor, trainer.progress)
    if best.name != probe.name:
        tune(trainer, FINAL_EPOCHS, average=best.name.endswith(AVERAGED))
    return None


def _steps(trainer: Trainer) -> int:
    """Return the batches of an epoch."""
    return -(-len(trainer.manifest.of("train")) // trainer.config.inputs.batch)


def _tuning(above: str, trainer: Trainer, epochs: int = TRIED_EPOCHS) -> PlannedPhase:
    """Plan a tuning phase as long as the data need: so many steps, in whole epochs."""
    images, batch = len(trainer.manifest.of("train")), trainer.config.inputs.batch
    steps = min(max(epochs * images // batch, LEAST_STEPS), MOST_STEPS)
    train = trainer.config.train
    passes = -(-steps // _steps(trainer))
    if train.epochs:
        passes = min(passes, train.epochs)
    return plan_tuning(above, dataclasses.replace(train, epochs=passes), TUNE_RATE)


def score_on_folds(
    trainer: Trainer, tune: Callable[[Trainer], None]
) -> list[Candidate]:
    """Tune on folds of the training split, and score what each holds out.

    The time left is shared out evenly between the folds and the final phase. What the
    folds leave in FOLDS_DIR is used again by a run that is resumed. The network is as
    it was built when this returns.

    Returns:
        The probe and all candidates of the tuning, each with its predictions of all
        folds; empty where a class is too small for folds, or the time too short.
    """
    manifest, seed = trainer.manifest, trainer.config.train.seed
    examples = manifest.of("train")
    groups = np.array([one.group for one in examples])
    possible = most_folds(manifest.targets(examples), groups)
    fitting = int(min(FOLDS, trainer.budget.left / LEAST_SECONDS - FINAL_SHARES))
    folds = min(fitting, possible)
    if folds < 2:
        needed = (2 + FINAL_SHARES) * LEAST_SECONDS
        lacking = (
            "some class has a single image or group"
            if possible < 2
            else f"two and the final phase need {needed:.0f} s, and "
            f"{max(trainer.budget.left, 0):.0f} s are left"
        )
        trainer.progress.note(
            f"No folds of the training split either: {lacking}. The mean of the "
            "weights before and after tuning is selected"
        )
        return []
    trainer.progress.note(f"{folds} folds of the training split select instead")
    work = trainer.directory / FOLDS_DIR
    trained = []
    for number, one in enumerate(inner_folds(manifest, folds, seed=seed)):
        share = trainer.budget.left / (folds - number + FINAL_SHARES) / 60
        quiet = Quiet(trainer.progress, f"Fold {one.fold}/{folds}: ")
        fold = trainer.for_fold(one.manifest, work / str(one.fold), share, quiet)
        fold.probe()
        tune(fold)
        trained.append(fold)
        line = ", ".join(f"{c.name} {c.accuracy:.3f}" for c in fold.candidates)
        trainer.progress.note(f"Fold {one.fold}/{folds}, accuracy: {line}")
    trainer.network.restore_weights({})
    return [
        score_candidate(
            trainer.network.trained.task,
            np.concatenate([one.truth for one in trained]),
            np.concatenate([one.groups for one in trained]),
            first.name,
            first.freeze_to,
            np.concatenate([one.candidates[place].scores for one in trained]),
            seconds=sum(one.candidates[place].seconds for one in trained),
            averaged=first.averaged,
        )
        for place, first in enumerate(trained[0].candidates)
    ]


def select_tuned(
    held_out: Sequence[Candidate], monitor: str, progress: Progress
) -> Candidate:
    """Select by folds; the tuned network unless another is significantly better."""
    # A fold learns from fewer images than there are, and mostly for fewer steps, of
    # which tuning suffers most. So the probe and the mean of the weights have to be
    # better by more than the standard error.
    best, tuned = select_best(held_out, monitor), held_out[:2][-1]
    if best is tuned:
        return best
    gain, error = best.gain(tuned)
    if gain > error:
        return best
    progress.note(
        f"{best.name} is better than {tuned.name}, but its gain in temperature-scaled "
        f"log loss, {gain:.4f} ± {error:.4f}, is not significant: {tuned.name} then, "
        "as the folds had fewer images"
    )
    return tuned
