"""A validation side too small to judge by in, what folds of the training side say out.

The same tuning on folds of the training side, each from the same start: what it makes
of the images it has not seen says whether it pays, and needs no image more.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from tlkit.dataset.splitting.folds import most_folds
from tlkit.progress import Progress, Quiet
from tlkit.training.candidates import Candidate, best_of, judge
from tlkit.training.splits import inner_rounds
from tlkit.training.trainer import Trainer

# Each costs as much as the tuning itself.
FOLDS = 3
WORK = "folds"
LAST_SHARES = 2


def held_out(
    trainer: Trainer, tune: Callable[[Trainer], None], least: float
) -> list[Candidate]:
    """Tune on folds of the training side, and judge by what each has not seen.

    The time that is left is shared out evenly between the folds and what comes after,
    which gets two shares, for it is what is kept.
    What the folds leave in WORK is gone on with by a run that is resumed.

    Args:
        trainer: Gives data, network and time. The network is as it was built again
            when this returns.
        tune: Trains what it is given, behind its probe.
        least: Seconds that a tuning must be given.

    Returns:
        The probe and all that the tuning has come to, each with the answers of all
        folds together; none where a class is too small for folds, or time too short.
    """
    manifest, seed = trainer.manifest, trainer.config.train.seed
    examples = manifest.of("train")
    groups = np.array([one.group for one in examples])
    fitting = int(min(FOLDS, trainer.budget.left / least - LAST_SHARES))
    possible = most_folds(manifest.targets(examples), groups)
    folds = min(fitting, possible)
    if folds < 2:
        lacking = (
            "some class has a single image or group"
            if possible < 2
            else f"two and what comes after need {(2 + LAST_SHARES) * least:.0f} s, "
            f"and {max(trainer.budget.left, 0):.0f} s are left"
        )
        trainer.progress.note(
            f"Folds of the training side cannot tell either: {lacking}. What is kept "
            "is the mean of the weights before and after tuning"
        )
        return []
    trainer.progress.note(f"{folds} folds of the training side tell instead")
    work = trainer.directory / WORK
    rounds = inner_rounds(manifest, folds, seed=seed)
    trained = []
    for number, one in enumerate(rounds):
        share = trainer.budget.left / (folds - number + LAST_SHARES) / 60
        quiet = Quiet(trainer.progress, f"Fold {one.fold}/{folds}: ")
        fold = trainer.beside(one.manifest, work / str(one.fold), share, quiet)
        fold.probe()
        tune(fold)
        trained.append(fold)
        line = ", ".join(f"{c.name} {c.accuracy:.3f}" for c in fold.candidates)
        trainer.progress.note(f"Fold {one.fold}/{folds}, accuracy: {line}")
    trainer.network.put_back({})
    truth = np.concatenate([one.truth for one in trained])
    return [
        judge(
            trainer.network.trained.task,
            truth,
            first.name,
            first.freeze_to,
            np.concatenate([one.candidates[place].scores for one in trained]),
            seconds=sum(one.candidates[place].seconds for one in trained),
            of=first.of,
        )
        for place, first in enumerate(trained[0].candidates)
    ]


def choose(
    held_out: Sequence[Candidate], monitor: str, progress: Progress
) -> Candidate:
    """The one to keep, by what folds say of them.

    A fold learns from fewer images than there are, and mostly for fewer steps, of
    which tuning suffers most: what has changed less than the tuned network, the probe
    or the mean of the two, has to be ahead of it by more than its standard error.

    Args:
        held_out: As from `held_out`: the probe, then what tuning has come to.
        monitor: What they are judged by, as in TrainConfig.
        progress: Told where another is ahead by less.

    Returns:
        The candidate.
    """
    best, tuned = best_of(held_out, monitor), held_out[:2][-1]
    if best is tuned:
        return best
    gain, error = best.gain(tuned)
    if gain > error:
        return best
    progress.note(
        f"{best.name} does better than {tuned.name}, but what it gains in tempered "
        f"loss, {gain:.4f} ± {error:.4f}, is no more than chance: {tuned.name} then, "
        "as there are more images than folds had"
    )
    return tuned
