"""A data set in, settings that a search has found, and a run with them, out.

search.json     state, data, what was given, limits
trials.db     the study, by Optuna; a search that was interrupted goes on from it
trials.csv    every trial: its settings, scores, and why it failed or was given up
best.yaml     a recipe for `finetune`
search.png    how it went, and which setting mattered
run/          the run of that recipe on the whole training side
nested/       with `nested`, the folds that the whole search was repeated for
metrics.json  the scores, and what each of them is worth
"""

from __future__ import annotations

import json
import math
import shlex
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import pandas as pd
import yaml
from optuna.trial import TrialState

from tlkit import files
from tlkit.cache_root import cap_bytes
from tlkit.config import Config
from tlkit.dataset.manifest import Manifest
from tlkit.device import choose_device, choose_precision
from tlkit.errors import RunError, UsageError
from tlkit.experiments import cv_result as folds_record
from tlkit.experiments.cross_validate import held_out, summarize
from tlkit.experiments.cv_result import CVResult
from tlkit.experiments.study import (
    Limits,
    Searched,
    Settings,
    cut_short,
    reason_of,
    run_study,
)
from tlkit.experiments.trials import judged_by
from tlkit.progress import Progress, Quiet, Silent
from tlkit.recipe import read_recipe
from tlkit.reports import plots
from tlkit.runs import result_dir as record
from tlkit.runs.leakage import check_folds
from tlkit.runs.result_dir import Run
from tlkit.tasks.task import Task
from tlkit.training.finetune import check_splits, finetune, free_place
from tlkit.training.network import build_network
from tlkit.training.splits import Round, outer_rounds

SILENT = Silent()
MARKER = "search.json"
DATABASE = "trials.db"
TRIALS, MINUTES = 50, 10.0


@dataclass(frozen=True)
class SearchResult:
    """What a search has left.

    Attributes:
        directory: Where it is.
        config: The best settings.
        run: Trained with them.
        metrics: The content of metrics.json; see `tune`.
    """

    directory: Path
    config: Config
    run: Run
    metrics: dict[str, Any]


def search(
    data: str | Path | None = None,
    out: str | Path | None = None,
    *,
    trials: int | None = None,
    minutes: float | None = None,
    folds: int | None = None,
    nested: int | None = None,
    resume: str | Path | None = None,
    recipe: str | Path | None = None,
    overrides: Sequence[str] = (),
    overwrite: bool = False,
    progress: Progress = SILENT,
    **options: Any,
) -> SearchResult:
    """Search for settings, by Optuna, on cached features.

    Searched are head, cut, optimizer, learning rate, batch, label smoothing and weight
    decay, whatever of them is not given. Each trial is scored on folds of the training
    side; then a run is trained with the best.

    Args:
        data: What `prepare` wrote; may come from the recipe. With `resume`, where it
            lies now, if it was moved.
        out: The directory to make; runs/DATA-BACKBONE-search-N where not given.
        trials: After how many trials to end; 50 where not given.
        minutes: After how long to end, counted from this call; 10 where not given.
        folds: On how many each trial is scored; 5 where not given, or as many as the
            smallest class allows.
        nested: Repeat the whole search for so many folds of training and validation
            side, for a score that has chosen nothing.
        resume: Go on with the search in this directory.
        recipe: As for `finetune`; what it says of searched options is searched.
        overrides: As for `finetune`; what they set is not searched.
        overwrite: Whether an earlier search in `out` may be replaced.
        progress: Told of all long work.
        **options: As for `finetune`; what is given is not searched.

    Returns:
        What was found. Its metrics: `best` of so many trials, whose `loss` and
        `accuracy` have chosen it and are on the bright side; `first`, the same of the
        first trial, a run that says nothing; `run`, the figures of the final run on
        the validation side, which no trial has seen but which chose its epoch; and
        `nested`, see `cross_validate`.

    Raises:
        UsageError: An option cannot be meant, or there is nothing to search.

    Example:
        >>> found = tlkit.search("ants", "runs/tuned", minutes=5)
    """
    limits = {"trials": trials, "minutes": minutes, "folds": folds}
    _check(limits, nested)
    if resume is not None:
        given = (out, folds, nested, recipe, *options.values())
        if overrides or overwrite or any(one is not None for one in given):
            raise UsageError(
                "resume goes on with a search as it was; only --trials and --minutes "
                "can be given again.",
                hint=f"tlkit search --resume {shlex.quote(str(resume))}",
            )
        return _go_on(Path(resume), data, limits, progress)
    said = {name: value for name, value in options.items() if value is not None}
    said |= {"data": str(data)} if data is not None else {}
    settings = Settings(str(recipe) if recipe else None, said, tuple(overrides))
    settings.space()
    config = settings.config({})
    if not config.data:
        raise UsageError(
            "No data set was named.",
            hint="tlkit search DATASET, where DATASET is what tlkit prepare wrote.",
        )
    manifest = check_splits(Manifest.read(config.data))
    known = [*manifest.of("train"), *manifest.of("val")]
    check_folds(known, config.model.backbone, progress)
    _outer(manifest, nested, config)
    place = Path(out) if out is not None else free_place(config, "search")
    with record.run_place(
        place,
        overwrite=overwrite,
        progress=progress,
        marker=MARKER,
        what="folder of a search",
        resumable=_has_trials,
    ) as directory:
        info = record.settle_in(directory, config, manifest)
        if recipe is not None:
            text = yaml.safe_dump(read_recipe(recipe)[1], allow_unicode=True)
            files.write_text(directory / "recipe.yaml", text)
        info |= {"options": said, "overrides": list(overrides), "nested": nested}
        info |= {name: value for name, value in limits.items() if value is not None}
        return _work(directory, info, manifest, progress)


def _check(limits: dict[str, Any], nested: int | None) -> None:
    least = {"trials": 1, "minutes": 0.01, "folds": 2}
    for name, value in {**limits, "nested": nested}.items():
        if value is not None and value < least.get(name, 2):
            raise UsageError(
                f"{name}: expected {least.get(name, 2)} or more, got {value}."
            )


def _has_trials(directory: Path) -> bool:
    return (directory / DATABASE).is_file()


def _outer(manifest: Manifest, nested: int | None, config: Config) -> list[Round]:
    if nested is None:
        return []
    return outer_rounds(manifest, nested, 1, seed=config.train.seed)


def _go_on(
    directory: Path,
    data: str | Path | None,
    limits: dict[str, Any],
    progress: Progress,
) -> SearchResult:
    try:
        info = json.loads((directory / MARKER).read_text(encoding="utf-8"))
        config = _settings(directory, info).config({})
        run = Run(directory, config, tuple(info["labels"]), info)
    except (OSError, ValueError, KeyError) as error:
        raise RunError(
            f"{directory} holds no search: {error}.",
            hint="Name the --out folder of a tlkit search.",
        ) from error
    new = {name: value for name, value in limits.items() if value is not None}
    if info["nested"] and new:
        raise UsageError(
            "Each fold of a nested search has the same limits: it goes on as it was, "
            f"not with {', '.join(new)}."
        )
    return _work(directory, {**info, **new}, run.manifest(data), progress)


def _settings(directory: Path, info: dict[str, Any]) -> Settings:
    recipe = directory / "recipe.yaml"
    return Settings(
        str(recipe) if recipe.is_file() else None,
        info["options"],
        tuple(info["overrides"]),
    )


def _work(
    directory: Path, info: dict[str, Any], manifest: Manifest, progress: Progress
) -> SearchResult:
    """Do what is still to be done, and whatever happens leave a state that says so."""

    def state(name: str) -> None:
        files.write_json(directory / MARKER, {**info, "state": name})

    state("searching")
    try:
        tuned = _tune(directory, info, manifest, progress)
    except KeyboardInterrupt:
        state("interrupted")
        command = ("tlkit", "search", "--resume", str(directory))
        progress.note(f"Go on with: {shlex.join(command)}")
        raise
    except BaseException:
        state("failed")
        raise
    state("finished")
    return tuned


def _tune(
    directory: Path, info: dict[str, Any], manifest: Manifest, progress: Progress
) -> SearchResult:
    settings = _settings(directory, info)
    limits = Limits(
        info.get("trials", TRIALS), info.get("minutes", MINUTES), info.get("folds")
    )
    if settings.config({}).train.cache:
        cap_bytes()
    _describe(settings, limits, info["nested"], manifest, progress)
    found = run_study(settings, manifest, directory, limits, progress)
    metrics = _write(directory, found)
    if info["nested"]:
        metrics["nested"] = _nested(
            settings, manifest, directory / "nested", info["nested"], limits, progress
        )
    progress.note("Training with the best settings on the whole training side")
    run = _refit(directory, found.config, manifest, progress)
    metrics["run"] = run.metrics()
    files.write_json(directory / "metrics.json", metrics)
    return SearchResult(directory, found.config, run, metrics)


def _write(directory: Path, found: Searched) -> dict[str, Any]:
    """Write what a search has found, but for its run."""
    rows = [
        {
            "trial": trial.number + 1,
            "state": "cut short" if cut_short(trial) else trial.state.name.lower(),
            "loss": trial.user_attrs.get("loss"),
            "accuracy": trial.user_attrs.get("accuracy"),
            "seconds": trial.user_attrs.get("seconds"),
            **trial.user_attrs.get("chosen", {}),
            "reason": reason_of(trial),
        }
        for trial in found.trials
    ]
    table = pd.DataFrame(rows)
    files.write_text(directory / "trials.csv", table.to_csv(index=False))
    metrics: dict[str, Any] = {
        "best": _scores(found.best),
        "first": _scores(next(one for one in found.trials if not cut_short(one))),
        "trials": dict(Counter(row["state"] for row in rows)),
        "importances": found.importances,
    }
    best = metrics["best"]
    files.write_text(
        directory / "best.yaml",
        f"# The best of {len(rows)} trials of tlkit search: loss {best['loss']:.4f},\n"
        f"# accuracy {best['accuracy']:.3f} on folds of the training side. That score "
        "has chosen it\n# and is on the bright side.\n" + found.config.to_yaml(),
    )
    judged = judged_by(found.config)
    values = [row[judged] for row in rows]
    plots.draw_search(
        [math.nan if value is None else value for value in values],
        judged,
        found.importances,
        directory / "search.png",
    )
    return metrics


def _scores(trial: Any) -> dict[str, Any]:
    if trial.state != TrialState.COMPLETE:
        return {"trial": trial.number + 1, "reason": reason_of(trial)}
    about = trial.user_attrs
    return {
        "trial": trial.number + 1,
        "loss": about["loss"],
        "accuracy": about["accuracy"],
    }


def _refit(
    directory: Path, config: Config, manifest: Manifest, progress: Progress
) -> Run:
    place = directory / "run"
    if (place / record.MARKER).is_file():
        run = Run.read(place, finished=False)
        if run.state == "finished" and run.config == config:
            return run
    return finetune(
        manifest.directory,
        place,
        recipe=directory / "best.yaml",
        overwrite=True,
        progress=progress,
    )


def _nested(
    settings: Settings,
    manifest: Manifest,
    directory: Path,
    folds: int,
    limits: Limits,
    progress: Progress,
) -> dict[str, Any]:
    """Search again for each fold, and score what was found on what it holds out."""
    config = settings.config({})
    rounds = _outer(manifest, folds, config)
    if (directory / folds_record.MARKER).is_file():
        done = CVResult.read(directory, finished=False)
    else:
        files.make_directory(directory)
        done = folds_record.begin(directory, config, manifest, rounds)
    device = choose_device(config.train.device)
    policy = choose_precision(config.train.precision, device)
    for number, one in enumerate(rounds, start=1):
        if number <= len(done.info["rounds"]):
            continue
        place = directory / f"fold-{number}"
        files.make_directory(place)
        quiet = Quiet(progress, f"Nested fold {number} of {folds}: ")
        found = run_study(settings, one.manifest, place, limits, quiet)
        with keras.device(device):
            task = Task(len(done.labels))
            network = build_network(found.config, task, device, policy)
            scores, about = held_out(found.config, one, network, directory, quiet)
        about["chosen"] = found.best.user_attrs["chosen"]
        done = done.add(one, scores, **about)
        row = done.info["rounds"][-1]
        progress.note(
            f"nested fold {number} of {folds}: accuracy {row['accuracy']:.3f} on "
            f"{row['n']} held out"
        )
    metrics = summarize(done.update(state="finished"))
    files.write_json(directory / folds_record.METRICS, metrics)
    return metrics


def _describe(
    settings: Settings,
    limits: Limits,
    nested: int | None,
    manifest: Manifest,
    progress: Progress,
) -> None:
    space = settings.space()
    progress.note(
        f"Search: {', '.join(space.searched)}; at most {limits.trials} trials in "
        f"{limits.minutes:g} minutes, on folds of the {len(manifest.of('train'))} "
        "training images; validation and test images are not looked at"
    )
    if nested:
        progress.note(
            f"Nested: the search is repeated for each of {nested} folds, "
            f"{limits.minutes * (nested + 1):g} minutes at most in all"
        )
