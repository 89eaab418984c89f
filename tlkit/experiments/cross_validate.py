"""Cross-validation: repeated stratified group k-fold over training and validation.

Each fold is a run of its own from the same initial weights. Its held-out images are
its test split, which selects nothing. The features of frozen layers do not depend on
the folds, so each fold costs only what it trains.
"""

from __future__ import annotations

import shlex
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from tlkit import files
from tlkit.cache_root import cap_bytes
from tlkit.config import Config, build_config, resolve
from tlkit.dataset.manifest import Manifest
from tlkit.device import choose_device, choose_precision
from tlkit.errors import UsageError
from tlkit.experiments.cv_result import (
    CVResult,
    check_same_folds,
    compare_with,
    summarize,
)
from tlkit.progress import SILENT, Progress, Quiet
from tlkit.reports import plots
from tlkit.runs.leakage import check_folds
from tlkit.runs.result_dir import METRICS
from tlkit.tasks.task import Task
from tlkit.training.auto_cut import with_cut
from tlkit.training.cv_folds import CVFold, outer_folds
from tlkit.training.finetune import free_place, read_data
from tlkit.training.fit_fold import fit_fold
from tlkit.training.network import Network, build_network

FOLDS = 5
WORK = "work"


def cross_validate(
    data: str | Path | None = None,
    out: str | Path | None = None,
    *,
    folds: int | None = None,
    repeats: int | None = None,
    baseline: str | Path | None = None,
    resume: str | Path | None = None,
    recipe: str | Path | None = None,
    overrides: Sequence[str] = (),
    overwrite: bool = False,
    progress: Progress = SILENT,
    **options: Any,
) -> CVResult:
    """Measure a configuration by repeated stratified group k-fold.

    The training and validation splits are drawn again, fold by fold; the test split is
    not used. A fold is scored on its held-out images, which have selected nothing.
    Writes oof_predictions.csv, metrics.json and confusion.png.

    Args:
        data: Data set directory; may come from the recipe. With `resume`, its place
            now, if it was moved.
        out: Directory to make; runs/DATA-BACKBONE-folds-N if None.
        folds: Number of folds, at least 2; 5 if None.
        repeats: How many times the folds are drawn; 1 if None.
        baseline: Finished cross-validation of another configuration on the same folds,
            to compare with.
        resume: Directory to resume unchanged; with `baseline`, finished folds are
            compared.
        recipe: As for `finetune`.
        overrides: As for `finetune`.
        overwrite: Replace an earlier cross-validation in `out`.
        progress: Receives progress and messages.
        **options: As for `finetune`.

    Returns:
        The result. Its metrics: accuracy, macro_f1 and loss, each the mean over folds,
        with `_sd` and `_ci95` (Nadeau and Bengio 2003); `pooled`, the metrics of all
        predictions together; `selected`, how often each phase was selected; `baseline`,
        the paired comparison.

    Raises:
        UsageError: No data set was named, an option is invalid, or `baseline` was
            measured on other folds.

    Example:
        >>> found = tlkit.cross_validate("ants", "runs/folds", folds=5, repeats=2)
    """
    if resume is not None:
        given = (out, folds, repeats, recipe, *options.values())
        if overrides or overwrite or any(value is not None for value in given):
            raise UsageError(
                "resume continues folds unchanged and takes no other option but "
                "--baseline.",
                hint="Run: tlkit cross-validate --resume " + shlex.quote(str(resume)),
            )
        return _resume(Path(resume), data, baseline, progress)
    config = resolve(
        build_config(
            recipe=recipe,
            options={**options, "data": str(data) if data is not None else None},
            overrides=overrides,
        )
    )
    manifest = read_data(config, "cross-validate")
    pool = [example for example in manifest.examples if example.split != "test"]
    check_folds(pool, config.model.backbone, progress)
    folds = FOLDS if folds is None else folds
    repeats = 1 if repeats is None else repeats
    if repeats < 1:
        raise UsageError(f"repeats must be 1 or more, got {repeats}.")
    splits = outer_folds(manifest, folds, repeats, seed=config.train.seed)
    place = Path(out) if out is not None else free_place(config, "folds")
    with CVResult.create(place, overwrite=overwrite, progress=progress) as directory:
        found = CVResult.begin(
            directory, config, manifest, folds=folds, repeats=repeats, splits=[]
        )
        return _work(found, manifest, splits, _baseline(found, baseline), progress)


def _baseline(found: CVResult, directory: str | Path | None) -> CVResult | None:
    """Open a baseline, and refuse it before anything is trained."""
    if directory is None:
        return None
    baseline = CVResult.read(directory)
    check_same_folds(found.info, baseline)
    baseline.predictions()
    return baseline


def _resume(
    directory: Path,
    data: str | Path | None,
    baseline: str | Path | None,
    progress: Progress,
) -> CVResult:
    found = CVResult.read(directory, finished=False)
    other = _baseline(found, baseline)
    if found.state == "finished":
        if not other:
            raise UsageError(
                f"The folds in {directory} are finished; there is nothing to resume.",
                hint="Compare them with others: tlkit cross-validate --resume "
                f"{shlex.quote(str(directory))} --baseline OTHER_FOLDS",
            )
        _write_metrics(found, other)
        return found
    manifest = found.manifest(data)
    splits = outer_folds(
        manifest,
        found.info["folds"],
        found.info["repeats"],
        seed=found.config.train.seed,
    )
    return _work(found, manifest, splits, other, progress)


def _work(
    found: CVResult,
    manifest: Manifest,
    splits: Sequence[CVFold],
    baseline: CVResult | None,
    progress: Progress,
) -> CVResult:
    """Train the splits that are left, and write the metrics."""
    with found.recorded(progress) as found:
        if len(found.info["splits"]) < len(splits):
            found = _train(found, manifest, splits, progress)
        _write_metrics(found, baseline)
    return CVResult.read(found.directory)


def _write_metrics(found: CVResult, baseline: CVResult | None) -> None:
    metrics = summarize(found)
    if baseline:
        metrics["baseline"] = compare_with(found, baseline)
    files.write_json(found.directory / METRICS, metrics)
    plots.draw_confusion(
        np.array(metrics["pooled"]["confusion"]),
        found.labels,
        found.directory / "confusion.png",
    )


def _train(
    found: CVResult, manifest: Manifest, splits: Sequence[CVFold], progress: Progress
) -> CVResult:
    config = found.config
    if config.train.cache:
        cap_bytes()
    device = choose_device(config.train.device)
    policy = choose_precision(config.train.precision, device)
    _describe(manifest, splits, config, progress)
    # Splits with the same cut share a network, and so its compiled steps.
    networks: dict[str, Network] = {}
    done = len(found.info["splits"])
    for number, split in enumerate(splits[done:], start=done + 1):
        quiet = Quiet(progress, f"Fold {number} of {len(splits)}: ")
        began = time.perf_counter()
        resolved, choice = with_cut(config, split.manifest, quiet)
        cut = str(resolved.model.cut)
        with keras.device(device):
            if cut not in networks:
                task = Task(len(found.labels))
                networks[cut] = build_network(resolved, task, device, policy)
            fitted = fit_fold(
                resolved, split, networks[cut], found.directory / WORK, progress=quiet
            )
        more: dict[str, Any] = {
            "selected": fitted.selected.name, "best_epoch": fitted.best_epoch,
            "selected_weights": fitted.weights,
        }  # fmt: skip
        if choice:
            more["cut"] = cut
        more["seconds"] = round(time.perf_counter() - began, 2)
        found = found.add(split, fitted.probabilities, **more)
        _report(found, progress)
    return found


def _describe(
    manifest: Manifest, splits: Sequence[CVFold], config: Config, progress: Progress
) -> None:
    tested = len(manifest.of("test"))
    unused = f"; the {tested} of the test split are not used" if tested else ""
    progress.note(
        f"Folds: {splits[-1].fold}"
        + (f", drawn {splits[-1].repeat} times" if splits[-1].repeat > 1 else "")
        + f", of the {len(manifest.of('train'))} training and "
        f"{len(manifest.of('val'))} validation images{unused}. Of what a fold "
        f"learns from, {len(splits[0].manifest.of('val'))} select the epoch, as in a "
        "run"
    )
    if config.train.minutes:
        minutes = config.train.minutes
        progress.note(
            f"Time: at most {minutes:g} minutes to train each fold (--minutes), "
            f"{minutes * len(splits):g} for all"
        )


def _report(found: CVResult, progress: Progress) -> None:
    rows = found.info["splits"]
    row, mean = rows[-1], np.mean([one["accuracy"] for one in rows])
    repeat = f" of repeat {row['repeat']}" if found.info["repeats"] > 1 else ""
    selected = row["selected_weights"]
    if "cut" in row:
        selected += f" on {row['cut']}"
    progress.note(
        f"fold {row['fold']}{repeat}: accuracy {row['accuracy']:.3f}, loss "
        f"{row['loss']:.4f} on {row['n']} held out; selected {selected}; "
        f"{row['seconds']:.1f} s; mean so far {mean:.3f}"
    )
