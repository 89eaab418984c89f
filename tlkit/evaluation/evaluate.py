"""Evaluation of a finished run on a split of its data set."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np

from tlkit.dataset.example import SPLITS
from tlkit.dataset.manifest import Manifest
from tlkit.errors import RunError, unknown_name
from tlkit.evaluation.postprocessing import (
    check_rejection,
    postprocessing_of,
    select_rejection,
)
from tlkit.evaluation.predict import BATCH, predict_views
from tlkit.evaluation.report import report, scored_split
from tlkit.evaluation.tta import choose_views, compare_views, describe, view_maker
from tlkit.inputs.batches import grouped
from tlkit.inputs.views import PLAIN, ViewRequest
from tlkit.progress import SILENT, Progress
from tlkit.runs.run import Run


def evaluate(
    run: Run | str | Path,
    *,
    split: str | None = None,
    unknown: str | None = None,
    data: str | Path | None = None,
    tta: int | None = None,
    workers: int | None = None,
    progress: Progress = SILENT,
) -> dict[str, Any]:
    """Evaluate a run on one split of its data set, with the model that gets exported.

    Writes `metrics.json` to the run directory, and to evaluation/SPLIT/ the same with
    predictions.csv, errors.csv, errors.png; and confusion.csv, confusion.png,
    coverage.csv and coverage.png, or classes.csv where images have several labels.

    Args:
        run: A finished run, or its directory.
        split: "train", "val" or "test"; by default test where it has images, else val.
        unknown: The rule of the confidence below which a label is "unknown":
            "coverage:0.95" keeps that share of the validation images, "accuracy:0.98"
            as many as reach that accuracy, "confidence:0.7" those at or above that
            confidence; "none" ends it. The threshold is chosen on the validation split
            and recorded in the run, for `predict` and `export` too.
        data: The data set directory, if it was moved.
        tta: Number of views of each image to average probabilities over as well, the
            plain image included; 2 adds its horizontal flip.
        workers: Number of processes that read images; None is one per processor.
        progress: Receiver of reports on long work.

    Returns:
        The content of metrics.json: split, used_for_selection (what this split
        selected), n, loss, labels, and

        - of one label each: accuracy, accuracy_ci95 [low, high], macro_f1, per_class
          (name, precision, recall, f1, support), confusion (rows are the true classes),
          calibration (temperature; ece, the expected calibration error, and
          ece_calibrated, that at the temperature), aurc (area under the risk-coverage
          curve), unknown (rule, means, n, coverage, accuracy), None without a rule;
        - of several labels: map (the mean over classes of the average precision),
          macro_f1, micro_f1, subset_accuracy (share of images with all labels correct),
          each with its _ci95; per_class (name, support, predicted, threshold; ap,
          precision, recall, f1, each with its _ci95).

        Intervals are 95 % and count the images of one group as dependent. All of it is
        for the plain images; with tta also views, see `compare_views`.

    Raises:
        RunError: The split is empty, or the data set is not the run's.
        UsageError: Unknown split, invalid number of views, or invalid rule.
    """
    run = run if isinstance(run, Run) else Run.read(run)
    views = choose_views(run, tta)
    if unknown is not None:
        check_rejection(run, unknown)
    manifest = run.manifest(data)
    if split is None:
        split = "test" if manifest.of("test") else "val"
    if split not in SPLITS:
        error = unknown_name("split", split, SPLITS)
        raise error
    if not manifest.of(split):
        filled = [name for name in SPLITS if manifest.of(name)]
        raise RunError(
            f"{manifest.directory} has no images in its {split} split.",
            hint=f"Splits with images: {', '.join(filled)}.",
        )
    model = run.model()
    scores = _scores(run, manifest, model, split, views, workers, progress)
    if unknown is not None:
        on_val = (
            scores
            if split == "val"
            else _scores(run, manifest, model, "val", (PLAIN,), workers, progress)
        )
        run = select_rejection(
            run, unknown, scored_split(manifest, "val", on_val[:, 0])
        )
    scored = scored_split(manifest, split, scores[:, 0])
    averaged = None
    if tta:
        averaged = compare_views(
            postprocessing_of(run), scored, scores, describe(views)
        )
    return report(run, manifest, scored, averaged)


def _scores(
    run: Run,
    manifest: Manifest,
    model: keras.Model,
    split: str,
    views: tuple[int, ...],
    workers: int | None,
    progress: Progress,
) -> np.ndarray:
    """Compute the probabilities of each view of a split's images, [N, K, n]."""
    requests = [ViewRequest(example, views) for example in manifest.of(split)]
    maker = view_maker(run, manifest.source)
    made = maker.stream(requests, most=len(views), workers=workers)
    progress.start(f"Scoring {split} images", len(requests))
    scores = []
    for pixels in grouped((each for each, _ in made), BATCH):
        scores.append(predict_views(model, pixels))
        progress.advance(len(pixels))
    return np.concatenate(scores)
