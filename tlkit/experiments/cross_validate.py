"""A data set and a configuration in, what it reaches on images held out, out.

Repeated stratified group k-fold over the training and the validation side. Each fold
is a run of its own, from the same start: its held-out images are its test side,
which chooses nothing. What the frozen layers give does not depend on the folds, so
that each costs only what it trains.
"""

from __future__ import annotations

import shlex
import time
from collections import Counter
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
from tlkit.experiments import cv_result as folds_record
from tlkit.experiments.cv_result import CVResult
from tlkit.experiments.paired_test import check_same_folds, compare
from tlkit.metrics.intervals import accuracy, spread
from tlkit.metrics.multiclass import measure
from tlkit.progress import Progress, Quiet, Silent
from tlkit.reports import plots
from tlkit.runs import result_dir
from tlkit.runs.leakage import check_folds
from tlkit.runs.timing import Clock
from tlkit.tasks.task import Task
from tlkit.training.auto_cut import with_cut
from tlkit.training.callbacks import Budget
from tlkit.training.data import answers
from tlkit.training.finetune import check_splits, free_place
from tlkit.training.network import Network, build_network
from tlkit.training.splits import Round, outer_rounds
from tlkit.training.train_network import learn

SILENT = Silent()
FOLDS = 5
WORK = "work"


def cross_validate(
    data: str | Path | None = None,
    out: str | Path | None = None,
    *,
    folds: int | None = None,
    repeats: int | None = None,
    against: str | Path | None = None,
    resume: str | Path | None = None,
    recipe: str | Path | None = None,
    overrides: Sequence[str] = (),
    overwrite: bool = False,
    progress: Progress = SILENT,
    **options: Any,
) -> CVResult:
    """Measure a configuration by repeated stratified group k-fold.

    The training and the validation side of the data set are drawn again, fold by fold;
    its test side is not touched. Scores are taken on what a fold holds out, which has
    chosen nothing. Writes `oof.csv`, `metrics.json` and `confusion.png`.

    Args:
        data: What `prepare` wrote; may come from the recipe. With `resume`, where it
            lies now, if it was moved.
        out: The directory to make; runs/DATA-BACKBONE-folds-N where not given.
        folds: How many, at least 2; 5 where not given.
        repeats: How often they are drawn; once where not given.
        against: Finished folds of another configuration, drawn alike, to hold it
            against.
        resume: Go on with this directory as it was; with `against`, finished folds
            are held against others, too.
        recipe: As for `finetune`.
        overrides: As for `finetune`.
        overwrite: Whether earlier folds in `out` may be replaced.
        progress: Told of all long work.
        **options: As for `finetune`.

    Returns:
        The directory. Its metrics: accuracy, macro_f1 and loss, each the mean over
        folds with `_sd` and `_ci95` (Nadeau and Bengio 2003); `pooled`, the figures
        of all answers together, as `evaluate` has them; `kept`, how often each phase
        was the best; and `against`, see `tlkit.experiments.paired_test.compare`.

    Raises:
        UsageError: No data set was named, an option cannot be meant, or `against`
            was measured on other folds.

    Example:
        >>> found = tlkit.cross_validate("ants", "runs/folds", folds=5, repeats=2)
    """
    if resume is not None:
        given = (out, folds, repeats, recipe, *options.values())
        if overrides or overwrite or any(one is not None for one in given):
            raise UsageError(
                "resume goes on with folds as they were and takes no other option but "
                "--baseline.",
                hint="Run: tlkit cross-validate --resume " + shlex.quote(str(resume)),
            )
        return _go_on(Path(resume), data, against, progress)
    config = resolve(
        build_config(
            recipe=recipe,
            options={**options, "data": str(data) if data is not None else None},
            overrides=overrides,
        )
    )
    if not config.data:
        raise UsageError(
            "No data set was named.",
            hint="Run: tlkit cross-validate DATASET, with what tlkit prepare wrote.",
        )
    manifest = check_splits(Manifest.read(config.data))
    pool = [one for one in manifest.examples if one.split != "test"]
    check_folds(pool, config.model.backbone, progress)
    rounds = _rounds(
        manifest,
        config,
        FOLDS if folds is None else folds,
        1 if repeats is None else repeats,
    )
    place = Path(out) if out is not None else free_place(config, "folds")
    with result_dir.run_place(
        place,
        overwrite=overwrite,
        progress=progress,
        marker=folds_record.MARKER,
        what="folder of folds",
        resumable=_has_folds,
    ) as directory:
        found = folds_record.begin(directory, config, manifest, rounds)
        other = CVResult.read(against) if against is not None else None
        if other:
            check_same_folds(found.info, other)
            other.answers()  # before the folds are trained
        return _work(found, manifest, rounds, other, progress)


def _rounds(
    manifest: Manifest, config: Config, folds: int, repeats: int
) -> list[Round]:
    if repeats < 1:
        raise UsageError(f"Expected 1 repeat or more, got {repeats}.")
    return outer_rounds(manifest, folds, repeats, seed=config.train.seed)


def _go_on(
    directory: Path,
    data: str | Path | None,
    against: str | Path | None,
    progress: Progress,
) -> CVResult:
    found = CVResult.read(directory, finished=False)
    other = CVResult.read(against) if against is not None else None
    if other:
        check_same_folds(found.info, other)
    if found.state == "finished" and not other:
        raise UsageError(
            f"The folds in {directory} are finished; there is nothing to go on with.",
            hint="Compare them with others: tlkit cross-validate --resume "
            f"{shlex.quote(str(directory))} --baseline OTHER_FOLDS",
        )
    manifest = found.manifest(data)
    draw = found.info["folds"], found.info["repeats"]
    rounds = _rounds(manifest, found.config, *draw)
    return _work(found, manifest, rounds, other, progress)


def _has_folds(directory: Path) -> bool:
    return (directory / folds_record.ANSWERS).is_file()


def _work(
    found: CVResult,
    manifest: Manifest,
    rounds: Sequence[Round],
    other: CVResult | None,
    progress: Progress,
) -> CVResult:
    """Run what is still to be run, and whatever happens leave a state that says so."""
    try:
        if len(found.info["rounds"]) < len(rounds):
            found = _run(found.update(state="training"), manifest, rounds, progress)
    except KeyboardInterrupt:
        found = CVResult.read(found.directory, finished=False).update(
            state="interrupted"
        )
        if found.info["rounds"]:
            command = ("tlkit", "cross-validate", "--resume", str(found.directory))
            progress.note(f"Go on with: {shlex.join(command)}")
        raise
    except BaseException:
        CVResult.read(found.directory, finished=False).update(state="failed")
        raise
    found = found.update(state="finished")
    metrics = summarize(found)
    if other:
        metrics["against"] = compare(found, other)
    files.write_json(found.directory / folds_record.METRICS, metrics)
    plots.draw_confusion(
        np.array(metrics["pooled"]["confusion"]),
        found.labels,
        found.directory / "confusion.png",
    )
    return found


def _run(
    found: CVResult, manifest: Manifest, rounds: Sequence[Round], progress: Progress
) -> CVResult:
    config = found.config
    if config.train.cache:
        cap_bytes()
    device = choose_device(config.train.device)
    policy = choose_precision(config.train.precision, device)
    _describe(manifest, rounds, config, progress)
    networks: dict[str, Network] = {}
    for number, one in enumerate(rounds, start=1):
        if number <= len(found.info["rounds"]):
            continue
        quiet = Quiet(progress, f"Fold {number} of {len(rounds)}: ")
        began = time.perf_counter()
        settled, choice = with_cut(config, one.manifest, quiet)
        cut = str(settled.model.cut)
        with keras.device(device):
            if cut not in networks:
                networks[cut] = build_network(
                    settled, Task(len(found.labels)), device, policy
                )
            scores, about = held_out(
                settled, one, networks[cut], found.directory, quiet
            )
        if choice:
            about["cut"] = cut
        about["seconds"] = round(time.perf_counter() - began, 2)
        found = found.add(one, scores, **about)
        _tell(found, rounds, progress)
    return found


def held_out(
    config: Config, one: Round, network: Network, directory: Path, progress: Progress
) -> tuple[np.ndarray, dict[str, Any]]:
    """Train on a fold as a run would, and answer for what it holds out."""
    network.put_back({})
    with files.passing_directory(directory / WORK) as work:
        lesson = learn(
            result_dir.begin(work, config, one.manifest),
            one.manifest,
            network,
            budget=Budget(config.train.minutes),
            clock=Clock(),
            progress=progress,
        )
    network.freeze(lesson.kept.freeze_to)
    scores = answers(
        lesson.run.config,
        one.manifest,
        "test",
        network.reference,
        device=network.device,
        progress=progress,
    )
    best = lesson.trainer.epoch_of(lesson.kept)
    return scores, {"kept": lesson.kept.name, "best_epoch": best}


def summarize(found: CVResult) -> dict[str, Any]:
    """What all folds together say."""
    rows, table = found.info["rounds"], found.answers()
    repeats = found.info["repeats"]
    metrics: dict[str, Any] = {
        "folds": found.info["folds"],
        "repeats": repeats,
        "n": len(table) // repeats,
        "interval": "over folds, corrected for their dependence (Nadeau, Bengio 2003)",
    }
    tested = float(np.mean([row["n"] / row["learned"] for row in rows]))
    for name in ("accuracy", "macro_f1", "loss"):
        one = spread(np.array([row[name] for row in rows]), tested)
        most = np.inf if name == "loss" else 1.0
        metrics[name] = one.mean
        metrics[f"{name}_sd"] = one.sd
        metrics[f"{name}_ci95"] = [max(one.low, 0.0), min(one.high, most)]
    metrics["kept"] = dict(Counter(row["kept"] for row in rows))
    pooled = measure(
        found.truth(table), found.scores(table), list(table["group"]), found.labels
    )
    # Repeats are more answers, not more images, and neither are images of a group.
    table["right"] = table["predicted"] == table["label"]
    images = table.groupby("id").agg(right=("right", "mean"), group=("group", "first"))
    share = accuracy(images["right"].to_numpy(), images["group"].to_numpy())
    pooled["accuracy_ci95"] = [share.low, share.high]
    if not metrics["accuracy_sd"]:
        # Folds that all score the same leave the doubt that few images leave.
        metrics["accuracy_ci95"] = pooled["accuracy_ci95"]
        metrics["interval"] = "over images (Wilson 1927), as all folds are alike"
    return {**metrics, "pooled": pooled}


def _describe(
    manifest: Manifest, rounds: Sequence[Round], config: Config, progress: Progress
) -> None:
    tested = len(manifest.of("test"))
    kept_out = f"; the {tested} of the test side are not touched" if tested else ""
    progress.note(
        f"Folds: {rounds[-1].fold}"
        + (f", drawn {rounds[-1].repeat} times" if rounds[-1].repeat > 1 else "")
        + f", of the {len(manifest.of('train'))} training and "
        f"{len(manifest.of('val'))} validation images{kept_out}. Of what a fold "
        f"learns from, {len(rounds[0].manifest.of('val'))} choose the epoch, as in a "
        "run"
    )
    if config.train.minutes:
        minutes = config.train.minutes
        progress.note(
            f"Time: {minutes:g} minutes at most for training a fold (--minutes), "
            f"{minutes * len(rounds):g} for all"
        )


def _tell(found: CVResult, rounds: Sequence[Round], progress: Progress) -> None:
    rows = found.info["rounds"]
    row, mean = rows[-1], np.mean([one["accuracy"] for one in rows])
    repeat = f" of repeat {row['repeat']}" if rounds[-1].repeat > 1 else ""
    kept = "the probe"
    if row["best_epoch"]:
        kept = f"{row['kept']}, epoch {row['best_epoch']}"
    if "cut" in row:
        kept += f" on {row['cut']}"
    progress.note(
        f"fold {row['fold']}{repeat}: accuracy {row['accuracy']:.3f}, loss "
        f"{row['loss']:.4f} on {row['n']} held out; kept {kept}; "
        f"{row['seconds']:.1f} s; mean so far {mean:.3f}"
    )
