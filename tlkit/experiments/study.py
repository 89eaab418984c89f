"""The study: Optuna's trials, each scored on folds of the training split.

A trial is the run that its options mean, on each fold from the same initial weights;
the first one is a run without options. Validation and test split are not used.
"""

from __future__ import annotations

import dataclasses
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import optuna
from optuna.storages import journal
from optuna.trial import FrozenTrial, TrialState

from tlkit.config import Config
from tlkit.dataset.manifest import Manifest
from tlkit.dataset.splitting.folds import most_folds
from tlkit.device import choose_device, choose_precision
from tlkit.errors import DatasetError, RunError, UsageError
from tlkit.experiments.search_space import Settings
from tlkit.model.head import is_linear, parse_head
from tlkit.progress import Progress, Quiet
from tlkit.tasks.task import Task
from tlkit.training.augmentation_check import decide
from tlkit.training.cv_folds import CVFold, inner_folds
from tlkit.training.fit_fold import fit_fold
from tlkit.training.network import build_network

JOURNAL = "trials.log"
FOLDS = 5
# A trial ends early where the folds so far are worse than those of the best trial, by
# Wilcoxon's signed-rank test: at this level, from two folds on if both are worse.
LEVEL = 0.26
# If the first trials all fail, the reason is not their options.
HOPELESS = 5
# Why a trial ended that can be repeated.
INTERRUPTED, LATE = "it was interrupted", "the time was over"
DONE = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)


class OutOfTime(Exception):
    """The time of the whole search is over in the middle of a trial."""


class Deadline(keras.callbacks.Callback):  # type: ignore[misc]
    """The end of a search, checked after every batch; in `time.monotonic` seconds."""

    def __init__(self, until: float) -> None:
        super().__init__()
        self.until = until

    def on_train_batch_end(
        self, batch: int, logs: dict[str, float] | None = None
    ) -> None:
        """Raise OutOfTime when the time is over."""
        if time.monotonic() > self.until:
            raise OutOfTime


class Scores(NamedTuple):
    """Scores on held-out images: of the selected epoch, or means of folds.

    `scaled_loss` is the log loss at the best temperature. Label smoothing changes how
    confident predictions are, and with it the loss, without making them any better.
    """

    scaled_loss: float
    loss: float
    accuracy: float


class Limits(NamedTuple):
    """When a search ends; `folds` is None for as many as the classes allow, up to 5."""

    trials: int
    minutes: float
    folds: int | None


class StudyResult(NamedTuple):
    """The trials, the best of them, its resolved configuration, and the importances.

    Each trial has its scores and options in `user_attrs`. Importances are the share of
    the variance between trials that a parameter explains (fANOVA, Hutter et al. 2014);
    empty where there are too few.
    """

    trials: list[FrozenTrial]
    best: FrozenTrial
    config: Config
    importances: dict[str, float]


def objective_of(config: Config) -> str:
    """Return the score that trials are ranked by."""
    by_accuracy = config.train.monitor == "val_accuracy"
    return "accuracy" if by_accuracy else "scaled_loss"


def run_study(
    settings: Settings,
    manifest: Manifest,
    directory: Path,
    limits: Limits,
    progress: Progress,
) -> StudyResult:
    """Run a search, or continue it, until its limits."""
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.CRITICAL)
    try:
        return _run(settings, manifest, directory, limits, progress)
    finally:
        optuna.logging.set_verbosity(verbosity)


def _run(
    settings: Settings,
    manifest: Manifest,
    directory: Path,
    limits: Limits,
    progress: Progress,
) -> StudyResult:
    until = time.monotonic() + 60 * limits.minutes
    space, config = settings.space(), settings.config({})
    splits = _splits(manifest, limits.folds, config.train.seed)
    study = open_study(directory, config)
    for left in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        study.enqueue_trial(left.params)
        study.tell(left.number, state=TrialState.FAIL)
    if not study.get_trials(deepcopy=False):
        study.enqueue_trial(space.defaults)
    settings = _with_hflip(settings, manifest, study, progress)
    while (begun := _count(study)) < limits.trials:
        if complete(study):
            if time.monotonic() > until:
                break
        elif begun >= HOPELESS:
            break
        trial = study.ask(space.distributions)
        trial.set_user_attr("options", space.options(trial.params))
        # The first one has all the time it needs, so that there is a result.
        end = until if complete(study) else float("inf")
        try:
            _try(study, trial, settings, splits, directory / "work", end, progress)
        except OutOfTime:
            study.enqueue_trial(trial.params)
            _fail(study, trial, LATE)
            break
        _report(study, trial.number, progress)
    trials = study.get_trials(deepcopy=False, states=DONE)
    if not complete(study):
        reasons = sorted({reason_of(one) for one in trials})
        raise RunError(f"None of {len(trials)} trials finished: {'; '.join(reasons)}")
    best = study.best_trial
    return StudyResult(
        trials, best, settings.config(best.user_attrs["options"]), _importances(study)
    )


def open_study(directory: Path, config: Config) -> optuna.Study:
    """Open the study of a directory, or begin one."""
    path = directory / JOURNAL
    try:
        _drop_partial_line(path)
        # A lock that works on every file system, without symbolic links.
        lock = journal.JournalFileOpenLock(str(path))
        backend = journal.JournalFileBackend(str(path), lock)
        with warnings.catch_warnings():
            # Some versions of Optuna call this pruner experimental.
            category = optuna.exceptions.ExperimentalWarning
            warnings.simplefilter("ignore", category)
            pruner = optuna.pruners.WilcoxonPruner(p_threshold=LEVEL)
        study = optuna.create_study(
            storage=journal.JournalStorage(backend),
            study_name="search",
            direction="maximize" if objective_of(config) == "accuracy" else "minimize",
            load_if_exists=True,
            pruner=pruner,
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise RunError(
            f"{path} is damaged: {error}.",
            hint="Restore it from a backup, or search again.",
        ) from error
    # A resumed search must not repeat the choices that it began with.
    seed = config.train.seed + len(study.get_trials(deepcopy=False))
    study.sampler = optuna.samplers.TPESampler(seed=seed)
    return study


def _drop_partial_line(path: Path) -> None:
    """Remove what a power cut left of the last line, or Optuna would append to it."""
    text = path.read_bytes() if path.is_file() else b""
    if text and not text.endswith(b"\n"):
        path.write_bytes(text[: text.rindex(b"\n") + 1])


def _splits(manifest: Manifest, folds: int | None, seed: int) -> list[CVFold]:
    examples = manifest.of("train")
    groups = np.array([example.group for example in examples])
    most = most_folds(manifest.targets(examples), groups)
    return inner_folds(manifest, folds or max(2, min(FOLDS, most)), seed=seed)


def _with_hflip(
    settings: Settings, manifest: Manifest, study: optuna.Study, progress: Progress
) -> Settings:
    """Decide once for all trials whether images may be flipped."""
    config = settings.config({})
    hflip = study.user_attrs.get("hflip", config.inputs.hflip)
    if hflip is None:
        device = choose_device(config.train.device)
        policy = choose_precision(config.train.precision, device)
        with keras.device(device):
            task = Task(len(manifest.labels))
            network = build_network(config, task, device, policy)
            decided, _ = decide(config, manifest, network.reference, progress=progress)
        hflip = decided.inputs.hflip
    study.set_user_attr("hflip", hflip)
    return dataclasses.replace(settings, options={**settings.options, "hflip": hflip})


def _try(
    study: optuna.Study,
    trial: optuna.Trial,
    settings: Settings,
    splits: Sequence[CVFold],
    work: Path,
    until: float,
    progress: Progress,
) -> None:
    """Run a trial, and record its scores or why it has none."""
    began = time.perf_counter()
    config = settings.config(trial.user_attrs["options"])
    if not is_linear(parse_head(config.model.head)):
        # Such a head cannot take over the weights of a probe.
        train = dataclasses.replace(config.train, probe=False)
        config = dataclasses.replace(config, train=train)
    quiet = Quiet(progress, f"Trial {trial.number + 1}, ")
    try:
        scores = run_trial(trial, config, splits, work, until=until, progress=quiet)
    except optuna.TrialPruned:
        study.tell(trial, state=TrialState.PRUNED)
        return
    except (OutOfTime, DatasetError, UsageError):
        # Faulty data would fail every trial.
        raise
    except Exception as error:  # noqa: BLE001 - a failed trial must not end a search
        lines = str(error).splitlines() or [""]
        _fail(study, trial, f"{type(error).__name__}: {lines[0][:300]}")
        return
    for name, value in scores._asdict().items():
        trial.set_user_attr(name, value)
    trial.set_user_attr("seconds", round(time.perf_counter() - began, 2))
    study.tell(trial, getattr(scores, objective_of(config)))


def run_trial(
    trial: optuna.Trial,
    config: Config,
    splits: Sequence[CVFold],
    work: Path,
    *,
    until: float,
    progress: Progress,
) -> Scores:
    """Train on every fold; raise TrialPruned once the trial is clearly worse."""
    device = choose_device(config.train.device)
    policy = choose_precision(config.train.precision, device)
    scores: list[Scores] = []
    with keras.device(device):
        task = Task(len(splits[0].manifest.labels))
        network = build_network(config, task, device, policy)
        for fold, split in enumerate(splits):
            selected = fit_fold(
                config,
                split,
                network,
                work,
                progress=Quiet(progress, f"Fold {fold + 1} of {len(splits)}: "),
                callbacks=[Deadline(until)],
            ).selected
            scores.append(
                Scores(selected.scaled_loss, selected.loss, selected.accuracy)
            )
            trial.report(getattr(scores[-1], objective_of(config)), fold)
            if fold + 1 < len(splits) and trial.should_prune():
                raise optuna.TrialPruned
    return Scores(*map(float, np.mean(scores, axis=0)))


def _fail(study: optuna.Study, trial: optuna.Trial, reason: str) -> None:
    trial.set_user_attr("reason", reason)
    study.tell(trial, state=TrialState.FAIL)


def reason_of(trial: FrozenTrial) -> str:
    """Return why a trial did not finish, "" if it did."""
    if trial.state == TrialState.PRUNED:
        return "worse than the best trial on the same folds"
    if trial.state == TrialState.FAIL:
        return str(trial.user_attrs.get("reason", INTERRUPTED))
    return ""


def cut_short(trial: FrozenTrial) -> bool:
    """Return whether the user or the clock ended a trial, and not its options."""
    return reason_of(trial) in (INTERRUPTED, LATE)


def complete(study: optuna.Study) -> list[FrozenTrial]:
    """Return the trials that finished."""
    return study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))


def _count(study: optuna.Study) -> int:
    """Return how many trials count towards the limit."""
    done = study.get_trials(deepcopy=False, states=DONE)
    return sum(not cut_short(trial) for trial in done)


def _importances(study: optuna.Study) -> dict[str, float]:
    if len({trial.value for trial in complete(study)}) < 2:
        return {}
    evaluator = optuna.importance.FanovaImportanceEvaluator(seed=0)
    found = optuna.importance.get_param_importances(study, evaluator=evaluator)
    return {name: float(share) for name, share in found.items()}


def _report(study: optuna.Study, number: int, progress: Progress) -> None:
    trial = study.get_trials(deepcopy=False)[number]
    about = trial.user_attrs
    options = ", ".join(f"{k} {_short(v)}" for k, v in about["options"].items() if v)
    if trial.state == TrialState.COMPLETE:
        result = f"temperature-scaled loss {about['scaled_loss']:.4f} (accuracy "
        result += f"{about['accuracy']:.3f})"
    elif trial.state == TrialState.PRUNED:
        result = "stopped early, worse than the best trial"
    else:
        result = f"failed, {reason_of(trial)}"
    best = ""
    if complete(study):
        best = f"; best so far {study.best_value:.4f} by trial "
        best += str(study.best_trial.number + 1)
    progress.note(f"trial {number + 1}: {result}{best}; {options}")


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
