"""Settings to choose among and a training side in, a study of Optuna's out.

Every trial is a whole run on each of a few folds of the training side; the first is
what a run is that says nothing. Validation and test side are not looked at.
"""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import optuna
import sqlalchemy
from optuna.trial import FrozenTrial, TrialState

from tlkit import files
from tlkit.config import AUTO_CUT, Config, build_config, parse_override, resolve
from tlkit.dataset.manifest import Manifest
from tlkit.dataset.splitting.folds import most_folds
from tlkit.device import choose_device, choose_precision
from tlkit.errors import DatasetError, RunError, UsageError
from tlkit.experiments.search_space import Space, build_space
from tlkit.experiments.trials import OutOfTime, judged_by, run_trial
from tlkit.model.head import is_linear, parse_head
from tlkit.model.phases import ONE
from tlkit.progress import Progress, Quiet
from tlkit.runs import result_dir
from tlkit.tasks.task import Task
from tlkit.training.augmentation_check import settle
from tlkit.training.network import build_network
from tlkit.training.splits import Round, inner_rounds

FOLDS = 5
# So many trials and so many epochs of each are left to themselves before any is given
# up for being worse than half of the others.
FREE_TRIALS, FREE_EPOCHS = 5, 5
# If none of so many has come to its end, it is not for their settings.
HOPELESS = 5
# Why a trial that can be tried again has not come to its end, and which one it repeats.
INTERRUPTED, LATE = "it was interrupted", "the time was over"
AGAIN = "again"
DONE = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)


@dataclass(frozen=True)
class Settings:
    """What every trial has in common.

    Attributes:
        recipe: Name or path of a recipe; what it says is searched nevertheless.
        options: Options that were given, which are not searched.
        overrides: Likewise, as "section.option=value".
    """

    recipe: str | None
    options: Mapping[str, Any]
    overrides: tuple[str, ...]

    @property
    def given(self) -> set[str]:
        """Names of the options that were given."""
        said = {name for name, value in self.options.items() if value is not None}
        return said | {parse_override(text)[1] for text in self.overrides}

    def space(self) -> Space:
        """What is left to search."""
        if self._build(self.options).model.cut == AUTO_CUT:
            raise UsageError(
                "cut: auto with tune, which searches the cut itself.",
                hint="Leave --cut away, or name a layer.",
            )
        config = self.config({})
        if config.train.phases != ONE:
            raise UsageError(
                f"phases: {config.train.phases!r} with tune: it searches the head and "
                "how that is trained, in one phase on cached features.",
                hint="Tune, then go on from what was found: tlkit finetune DATA "
                "--recipe OUT/best.yaml --phases auto",
            )
        return build_space(self.given, config.model, config.train)

    def config(self, chosen: Mapping[str, Any]) -> Config:
        """A run with settings that a trial has chosen."""
        options = {**self.options, **chosen}
        if not {"phases", "freeze_to"} & self.given:
            options["phases"] = ONE
            config = resolve(self._build(options))
            if config.model.weights != "none":
                options["freeze_to"] = config.model.cut
        return resolve(self._build(options))

    def _build(self, options: Mapping[str, Any]) -> Config:
        return build_config(
            recipe=self.recipe, options=options, overrides=self.overrides
        )


@dataclass(frozen=True)
class Limits:
    """When a search ends.

    Attributes:
        trials: After so many, those that failed or were given up among them.
        minutes: After so long.
        folds: On how many folds each is measured; None for 5, or as many as the
            smallest class allows.
    """

    trials: int
    minutes: float
    folds: int | None


@dataclass(frozen=True)
class Searched:
    """What a search has found.

    Attributes:
        trials: All of them; each knows its loss and accuracy by `user_attrs`.
        best: The one with the best score, which is thereby on the bright side.
        config: The run that it was, resolved.
        importances: Share of the differences between trials that each setting
            explains (fANOVA, Hutter et al. 2014); empty where there are too few.
    """

    trials: tuple[FrozenTrial, ...]
    best: FrozenTrial
    config: Config
    importances: dict[str, float]


def run_study(
    settings: Settings,
    manifest: Manifest,
    directory: Path,
    limits: Limits,
    progress: Progress,
) -> Searched:
    """Search, or go on with a search."""
    space = settings.space()
    until = time.monotonic() + 60 * limits.minutes
    seed = settings.config({}).train.seed
    rounds = _rounds(manifest, limits.folds, seed)
    with opened(directory, settings, seed) as study:
        for left in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            study.tell(left.number, state=TrialState.FAIL)
        if not study.get_trials(deepcopy=False):
            study.enqueue_trial(space.defaults())
        _again(study)
        settings = _settled(settings, manifest, directory, study, progress)
        while (begun := _begun(study)) < limits.trials:
            if complete(study):
                if time.monotonic() > until:
                    break
            elif begun >= HOPELESS:
                break
            trial = study.ask()
            quiet = Quiet(progress, f"Trial {trial.number + 1}, ")
            try:
                config = settings.config(_chosen(space, trial))
                # The first one is seen to its end, so that there is a result.
                end = until if complete(study) else float("inf")
                _try(study, trial, config, rounds, directory, end, quiet)
            except OutOfTime:
                _fail(study, trial, LATE)
                break
            _tell(study, trial.number, progress)
        if not complete(study):
            reasons = {reason_of(one) for one in study.get_trials(deepcopy=False)}
            raise RunError(
                f"Not one of {len(study.trials)} trials came to its end: "
                + "; ".join(sorted(reasons))
            )
        return Searched(
            tuple(study.get_trials(deepcopy=False, states=DONE)),
            study.best_trial,
            settings.config(study.best_trial.user_attrs["chosen"]),
            _importances(study),
        )


@contextlib.contextmanager
def opened(directory: Path, settings: Settings, seed: int) -> Iterator[optuna.Study]:
    """The study in a directory, a new one where there is none."""
    judged = judged_by(settings.config({}))
    # As a URL object's own text, so that no character of a path is misread.
    place = str(directory.resolve() / "trials.db")
    url = sqlalchemy.URL.create("sqlite", database=place)
    try:
        storage = optuna.storages.RDBStorage(url.render_as_string(hide_password=False))
    except sqlalchemy.exc.DatabaseError as error:
        raise RunError(
            f"{place} is damaged: {error.orig}.",
            hint="Take it from a backup, or search again.",
        ) from error
    spoken = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.CRITICAL)
    try:
        study = optuna.create_study(
            storage=storage,
            study_name="search",
            direction="maximize" if judged == "accuracy" else "minimize",
            load_if_exists=True,
            pruner=optuna.pruners.MedianPruner(FREE_TRIALS, FREE_EPOCHS),
        )
        # A search that is gone on with does not choose again what it began with.
        study.sampler = optuna.samplers.TPESampler(seed=seed + len(study.trials))
        yield study
    finally:
        storage.remove_session()
        storage.engine.dispose()
        optuna.logging.set_verbosity(spoken)


def _rounds(manifest: Manifest, folds: int | None, seed: int) -> list[Round]:
    examples = manifest.of("train")
    groups = np.array([example.group for example in examples])
    most = most_folds(manifest.targets(examples), groups)
    return inner_rounds(manifest, folds or max(2, min(FOLDS, most)), seed=seed)


def _settled(
    settings: Settings,
    manifest: Manifest,
    directory: Path,
    study: optuna.Study,
    progress: Progress,
) -> Settings:
    """With what is found out once for all trials: whether flips are right."""
    config = settings.config({})
    hflip = study.user_attrs.get("hflip", config.inputs.hflip)
    if hflip is None:
        device = choose_device(config.train.device)
        policy = choose_precision(config.train.precision, device)
        with keras.device(device):
            task = Task(len(manifest.labels))
            network = build_network(config, task, device, policy)
            with files.passing_directory(directory / "work") as work:
                run = result_dir.begin(work, config, manifest)
                run = settle(
                    run, manifest, network.reference, device=device, progress=progress
                )
        hflip = run.config.inputs.hflip
    study.set_user_attr("hflip", hflip)
    return Settings(
        settings.recipe, {**settings.options, "hflip": hflip}, settings.overrides
    )


def _chosen(space: Space, trial: optuna.Trial) -> dict[str, Any]:
    chosen = space.suggest(trial)
    trial.set_user_attr("chosen", chosen)
    return chosen


def _try(
    study: optuna.Study,
    trial: optuna.Trial,
    config: Config,
    rounds: Sequence[Round],
    directory: Path,
    until: float,
    progress: Progress,
) -> None:
    """Run a trial, and write down what came of it, a failure too."""
    began = time.perf_counter()
    if not is_linear(parse_head(config.model.head)):
        # It would be told of, and nothing else.
        train = dataclasses.replace(config.train, probe=False)
        config = dataclasses.replace(config, train=train)
    try:
        reached = run_trial(
            trial, config, rounds, directory / "work", until=until, progress=progress
        )
    except optuna.TrialPruned:
        study.tell(trial, state=TrialState.PRUNED)
        return
    except (OutOfTime, DatasetError, UsageError):
        # What is wrong with the data is wrong with every trial.
        raise
    except Exception as error:  # noqa: BLE001 - one trial more or less
        lines = str(error).splitlines() or [""]
        _fail(study, trial, f"{type(error).__name__}: {lines[0][:300]}")
        return
    trial.set_user_attr("loss", reached.loss)
    trial.set_user_attr("accuracy", reached.accuracy)
    trial.set_user_attr("seconds", round(time.perf_counter() - began, 2))
    study.tell(trial, getattr(reached, judged_by(config)))


def _fail(study: optuna.Study, trial: optuna.Trial, reason: str) -> None:
    trial.set_user_attr("reason", reason)
    study.tell(trial, state=TrialState.FAIL)


def reason_of(trial: FrozenTrial) -> str:
    """Why a trial has not come to its end, "" if it has."""
    if trial.state == TrialState.PRUNED:
        return "worse than half of the trials before at this point"
    if trial.state == TrialState.FAIL:
        return str(trial.user_attrs.get("reason", INTERRUPTED))
    return ""


def cut_short(trial: FrozenTrial) -> bool:
    """Whether it was ended by the user or by the clock, and not by what it is."""
    return reason_of(trial) in (INTERRUPTED, LATE)


def _begun(study: optuna.Study) -> int:
    """How many trials count."""
    done = study.get_trials(deepcopy=False, states=DONE)
    return sum(not cut_short(trial) for trial in done)


def _again(study: optuna.Study) -> None:
    """Queue what was cut short, once for each time."""
    trials = study.get_trials(deepcopy=False)
    queued = {trial.user_attrs.get(AGAIN) for trial in trials}
    for trial in trials:
        if cut_short(trial) and trial.params and trial.number not in queued:
            study.enqueue_trial(trial.params, user_attrs={AGAIN: trial.number})


def _importances(study: optuna.Study) -> dict[str, float]:
    if len({trial.value for trial in complete(study)}) < 2:
        return {}
    evaluator = optuna.importance.FanovaImportanceEvaluator(seed=0)
    found = optuna.importance.get_param_importances(study, evaluator=evaluator)
    return {name: float(share) for name, share in found.items()}


def complete(study: optuna.Study) -> list[FrozenTrial]:
    """The trials that have come to their end."""
    return study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))


def _tell(study: optuna.Study, number: int, progress: Progress) -> None:
    trial = study.get_trials(deepcopy=False)[number]
    about = trial.user_attrs
    what = ", ".join(f"{k} {_short(v)}" for k, v in about["chosen"].items() if v)
    if trial.state == TrialState.COMPLETE:
        came = f"loss {about['loss']:.4f} (accuracy {about['accuracy']:.3f})"
    elif trial.state == TrialState.PRUNED:
        came = f"given up at {trial.value:.4f}"
    else:
        came = f"failed, {reason_of(trial)}"
    best = ""
    if complete(study):
        best = f"; best so far {study.best_value:.4f} by trial "
        best += str(study.best_trial.number + 1)
    progress.note(f"trial {number + 1}: {came}{best}; {what}")


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
