"""The search for better settings, and the run with the best of them.

search.json   state, data, given options, limits
config.yaml   the configuration of a run without searched options
trials.log    the study, Optuna's journal, from which a search is resumed
trials.csv    every trial: its options, scores, and why it failed or was stopped
best.yaml     a recipe for `finetune`
search.png    the scores by trial, and the importance of each parameter
run/          the run of that recipe on the whole training split
metrics.json  the scores, and what they were used for
"""

from __future__ import annotations

import math
import shlex
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import yaml
from optuna.trial import FrozenTrial, TrialState

from tlkit import files
from tlkit.cache_root import cap_bytes
from tlkit.config import Config, build_config
from tlkit.dataset.manifest import Manifest
from tlkit.errors import UsageError
from tlkit.experiments.search_space import Settings
from tlkit.experiments.study import (
    JOURNAL,
    Limits,
    Scores,
    StudyResult,
    cut_short,
    objective_of,
    reason_of,
    run_study,
)
from tlkit.progress import SILENT, Progress
from tlkit.recipe import read_recipe
from tlkit.reports import plots
from tlkit.runs.leakage import check_folds
from tlkit.runs.result_dir import METRICS, ResultDir
from tlkit.runs.run import Run
from tlkit.training.finetune import finetune, free_place, read_data

BEST, RECIPE = "best.yaml", "recipe.yaml"
TRIALS, MINUTES = 50, 10.0
LEAST = {"trials": 1, "minutes": 0.01, "folds": 2}


class SearchResult(ResultDir):
    """A directory of a search, open for reading; `config` has the best settings."""

    MARKER = "search.json"
    KIND = "search"
    COMMAND = ("tlkit", "search")

    @classmethod
    def read_config(cls, directory: Path) -> Config:
        """Read the best settings; before there are any, those without a search.

        Args:
            directory: Of the search.

        Returns:
            The configuration.
        """
        if (directory / BEST).is_file():
            return build_config(recipe=directory / BEST)
        return super().read_config(directory)

    @classmethod
    def is_resumable(cls, directory: Path) -> bool:
        """Return whether there is a journal of trials."""
        return (directory / JOURNAL).is_file()

    @property
    def run(self) -> Run:
        """The run with the best settings."""
        return Run.read(self.directory / "run")


def search(
    data: str | Path | None = None,
    out: str | Path | None = None,
    *,
    trials: int | None = None,
    minutes: float | None = None,
    folds: int | None = None,
    resume: str | Path | None = None,
    recipe: str | Path | None = None,
    overrides: Sequence[str] = (),
    overwrite: bool = False,
    progress: Progress = SILENT,
    **options: Any,
) -> SearchResult:
    """Search for better settings with Optuna, on cached features.

    Head, cut, optimizer, learning rate, batch size, label smoothing and weight decay
    are searched, except those that are given. Each trial is scored on folds of the
    training split, by the log loss at the best temperature (by accuracy with
    monitor="val_accuracy"). Then a run is trained with the best settings.

    Args:
        data: Data set directory; may come from the recipe. With `resume`, its place
            now, if it was moved.
        out: Directory to make; runs/DATA-BACKBONE-search-N if None.
        trials: Most trials; 50 if None.
        minutes: Most minutes from this call on; 10 if None.
        folds: Number of folds that score a trial; if None 5, or as many as the
            smallest class allows.
        resume: Directory of the search to resume.
        recipe: As for `finetune`; its searched options are searched nevertheless.
        overrides: As for `finetune`; the options they set are not searched.
        overwrite: Replace an earlier search in `out`.
        progress: Receives progress and messages.
        **options: As for `finetune`; given options are not searched.

    Returns:
        The search. Its metrics: `best`, the trial that was selected by its scores,
        which are optimistic for that reason; `first`, the trial without options;
        `run`, the metrics of the final run on the validation split, which no trial has
        seen, but which selected the epoch; `trials`, how many ended in which state;
        `importances` of the searched parameters.

    Raises:
        UsageError: An option is invalid, or nothing is left to search.
        RunError: No trial finished.

    Example:
        >>> found = tlkit.search("ants", "runs/search", minutes=5)
    """
    asked = {"trials": trials, "minutes": minutes, "folds": folds}
    limits = {name: value for name, value in asked.items() if value is not None}
    for name, value in limits.items():
        if value < LEAST[name]:
            raise UsageError(f"{name} must be {LEAST[name]} or more, got {value}.")
    if resume is not None:
        others = (out, folds, recipe, *options.values())
        if overrides or overwrite or any(value is not None for value in others):
            raise UsageError(
                "resume continues a search unchanged; only --trials and --minutes can "
                "be given again.",
                hint=f"Run: tlkit search --resume {shlex.quote(str(resume))}",
            )
        found = SearchResult.read(resume, finished=False)
        manifest = found.manifest(data)
        return _work(found.update(**limits), manifest, progress)
    given = {name: value for name, value in options.items() if value is not None}
    given |= {"data": str(data)} if data is not None else {}
    settings = Settings(str(recipe) if recipe else None, given, tuple(overrides))
    settings.space()
    config = settings.config({})
    manifest = read_data(config, "search")
    used = [*manifest.of("train"), *manifest.of("val")]
    check_folds(used, config.model.backbone, progress)
    place = Path(out) if out is not None else free_place(config, "search")
    with SearchResult.create(
        place, overwrite=overwrite, progress=progress
    ) as directory:
        found = SearchResult.begin(
            directory,
            config,
            manifest,
            options=given,
            overrides=list(overrides),
            **limits,
        )
        if recipe is not None:
            # A copy: the search must be resumable without the original.
            text = yaml.safe_dump(read_recipe(recipe)[1], allow_unicode=True)
            files.write_text(directory / RECIPE, text)
        return _work(found, manifest, progress)


def _work(found: SearchResult, manifest: Manifest, progress: Progress) -> SearchResult:
    """Search until the limits, write the results, and train the best settings."""
    directory, info = found.directory, found.info
    recipe = directory / RECIPE
    settings = Settings(
        str(recipe) if recipe.is_file() else None,
        info["options"],
        tuple(info["overrides"]),
    )
    limits = Limits(
        info.get("trials", TRIALS), info.get("minutes", MINUTES), info.get("folds")
    )
    with found.recorded(progress):
        if found.config.train.cache:
            cap_bytes()
        progress.note(
            f"Search: {', '.join(settings.space().searched)}; at most {limits.trials} "
            f"trials in {limits.minutes:g} minutes, on folds of the "
            f"{len(manifest.of('train'))} training images; validation and test images "
            "are not used"
        )
        study = run_study(settings, manifest, directory, limits, progress)
        metrics = _write(directory, study)
        progress.note("Training with the best settings on the whole training split")
        run = _train_best(directory, study.config, manifest, progress)
        metrics["run"] = run.metrics()
        files.write_json(directory / METRICS, metrics)
    return SearchResult.read(directory)


def _write(directory: Path, study: StudyResult) -> dict[str, Any]:
    """Write the trials, the recipe and the plot, and return the metrics."""
    rows = [
        {
            "trial": trial.number + 1,
            "state": "cut short" if cut_short(trial) else trial.state.name.lower(),
            **{name: trial.user_attrs.get(name) for name in Scores._fields},
            "seconds": trial.user_attrs.get("seconds"),
            **trial.user_attrs.get("options", {}),
            "reason": reason_of(trial),
        }
        for trial in study.trials
    ]
    table = pd.DataFrame(rows)
    files.write_text(directory / "trials.csv", table.to_csv(index=False))
    best = _scores(study.best)
    files.write_text(
        directory / BEST,
        f"# The best of {len(rows)} trials of tlkit search, on folds of the training\n"
        f"# split: temperature-scaled loss {best['scaled_loss']:.4f}, accuracy "
        f"{best['accuracy']:.3f}.\n# Optimistic, as they selected it.\n"
        + study.config.to_yaml(),
    )
    objective = objective_of(study.config)
    plots.draw_search(
        [math.nan if row[objective] is None else row[objective] for row in rows],
        objective,
        study.importances,
        directory / "search.png",
    )
    return {
        "best": best,
        "first": _scores(next(one for one in study.trials if not cut_short(one))),
        "trials": dict(Counter(row["state"] for row in rows)),
        "importances": study.importances,
    }


def _scores(trial: FrozenTrial) -> dict[str, Any]:
    if trial.state != TrialState.COMPLETE:
        return {"trial": trial.number + 1, "reason": reason_of(trial)}
    scores = {name: trial.user_attrs[name] for name in Scores._fields}
    return {"trial": trial.number + 1, **scores}


def _train_best(
    directory: Path, config: Config, manifest: Manifest, progress: Progress
) -> Run:
    """Train with the best settings, unless an earlier call has done that."""
    place = directory / "run"
    if (place / Run.MARKER).is_file():
        run = Run.read(place, finished=False)
        if run.state == "finished" and run.config == config:
            return run
    return finetune(
        manifest.directory,
        place,
        recipe=directory / BEST,
        overwrite=True,
        progress=progress,
    )
