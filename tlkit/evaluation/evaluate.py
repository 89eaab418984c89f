"""A finished run and a split in, numbers with intervals and images of them out."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import keras
import numpy as np

from tlkit.dataset.manifest import SPLITS, Manifest
from tlkit.errors import RunError, UsageError, unknown_name
from tlkit.evaluation.decision import decision_of, set_unknown
from tlkit.evaluation.familiarity import Familiarity, learn, remember
from tlkit.evaluation.rejection import check_rule
from tlkit.evaluation.report import report, side_of
from tlkit.evaluation.tta import choose_views, compare_views, describe, view_maker
from tlkit.inputs.batches import grouped
from tlkit.inputs.views import PLAIN, Asked
from tlkit.progress import Progress, Silent
from tlkit.reports import plots
from tlkit.runs.result_dir import Run
from tlkit.tasks.task import probabilities
from tlkit.workers import Aside

SILENT = Silent()
BATCH = 32


def evaluate(
    run: Run | str | Path,
    *,
    split: str | None = None,
    unknown: str | None = None,
    unknown_by: str = "confidence",
    data: str | Path | None = None,
    tta: int | None = None,
    workers: int | None = None,
    progress: Progress = SILENT,
) -> dict[str, Any]:
    """Score a run on one split of its data set, on the model that gets exported.

    Writes `metrics.json` to the run directory, and to evaluation/SPLIT/ the same with
    predictions.csv, mistakes.csv, mistakes.png; and confusion.csv, confusion.png,
    coverage.csv and coverage.png, or classes.csv where images have several labels.

    Args:
        run: A finished run, or its directory.
        split: "train", "val" or "test"; the test split where there is one, else val.
        unknown: From where on an answer is unknown: "coverage:0.95" keeps that share of
            the validation images, "accuracy:0.98" as many as can be with that share
            right, "confidence:0.7" those that are so sure; "none" ends it. It is chosen
            once and kept in the run, for `predict` and `export` as well.
        unknown_by: What tells: "confidence", the highest probability at the temperature
            fitted on validation, or "distance" from the training images.
        data: Where the data set lies now, if it was moved.
        tta: How many views of each image to average answers over besides, the plain
            image among them; 2 adds its horizontal flip.
        workers: Number of processes that read images; None is one a processor.
        progress: Told of all long work.

    Returns:
        What metrics.json holds: split, chose_the_epoch, n, loss, labels, and

        - of one label each: accuracy, accuracy_ci95 [low, high], macro_f1, per_class
          (name, precision, recall, f1, support), confusion (rows are the true classes),
          calibration (temperature; error, the expected calibration error, and
          error_tempered), risk_area (under the risk-coverage curve, by each measure of
          certainty), unknown (rule, by, means, n, coverage, accuracy, chose_the_limit),
          None where none was set;
        - of several labels: map (the mean over classes of the average precision),
          macro_f1, micro_f1, subset_accuracy (the share of images with all labels
          right), each with its _ci95; per_class (name, support, predicted, threshold;
          ap, precision, recall, f1, each with its _ci95); chose_the_thresholds.

        All of it is for the plain images; with tta also views, see `compare_views`.

    Raises:
        RunError: The split is empty, or the data set is not the run's.
        UsageError: There is no such split, or no such views, or the rule
            cannot be meant.
    """
    run = run if isinstance(run, Run) else Run.read(run)
    chosen = choose_views(run, tta)
    if unknown is None and unknown_by != "confidence":
        raise UsageError(
            f"--unknown-by {unknown_by} says by what a limit is set, and none is asked "
            "for.",
            hint="Add --unknown coverage:0.95, say.",
        )
    if unknown is not None:
        check_rule(run, unknown, unknown_by)
    manifest = run.manifest(data)
    if split is None:
        split = "test" if manifest.of("test") else "val"
    if split not in SPLITS:
        error = unknown_name("split", split, SPLITS)
        raise error
    examples = manifest.of(split)
    if not examples:
        filled = [name for name in SPLITS if manifest.of(name)]
        raise RunError(
            f"{manifest.directory} has no images in its {split} split.",
            hint=f"Splits with images: {', '.join(filled)}.",
        )
    model = run.model()
    familiar = None
    if unknown_by == "distance":
        familiar = learn(run, manifest, model, workers=workers, progress=progress)
    elif unknown is None and decision_of(run).by_distance:
        familiar = remember(run, model)
    scored = functools.partial(
        _scored, run, manifest, model, familiar, workers=workers, progress=progress
    )
    if unknown is not None:
        scores, distances = scored("val", (PLAIN,))
        val = side_of(manifest, "val", scores[:, 0], distances)
        run = set_unknown(run, unknown, unknown_by, val)
    scores, distances = scored(split, chosen)
    side = side_of(manifest, split, scores[:, 0], distances)
    views = None
    if tta:
        views = compare_views(decision_of(run), side, scores, describe(chosen))
    return report(run, manifest, side, Aside(plots.get_ready, workers=0), views)


def _scored(
    run: Run,
    manifest: Manifest,
    model: keras.Model,
    familiar: Familiarity | None,
    split: str,
    views: tuple[int, ...],
    *,
    workers: int | None,
    progress: Progress,
) -> tuple[np.ndarray, np.ndarray | None]:
    """Probabilities of each view, [N, K, n], and distances if they are asked for."""
    asked = [Asked(example, views) for example in manifest.of(split)]
    maker = view_maker(run, manifest.source)
    made = maker.stream(asked, most=len(views), workers=workers)
    progress.start(f"Scoring {split} images", len(asked))
    scores, distances = [], []
    for pixels in grouped((each for each, _ in made), BATCH):
        scores.append(predict_views(model, pixels))
        if familiar:
            plain = pixels[:, 0]
            distances.append(familiar.distances(plain, trained_on=split == "train"))
        progress.advance(len(pixels))
    far = np.concatenate(distances) if distances else None
    return np.concatenate(scores), far


def predict_pixels(
    model: keras.Model, images: np.ndarray, batch: int = 32
) -> np.ndarray:
    """Class probabilities for fitted images.

    Args:
        model: Takes uint8 [B, S, S, 3].
        images: uint8 [N, S, S, 3].
        batch: Images a step.

    Returns:
        float32 [N, n]; rows sum to 1 where each image has one label.
    """
    return probabilities(
        np.concatenate(
            [
                np.asarray(model(images[i : i + batch], training=False))
                for i in range(0, len(images), batch)
            ]
        )
    )


def predict_views(model: keras.Model, pixels: np.ndarray) -> np.ndarray:
    """Class probabilities for every view of some images."""
    images, views = pixels.shape[:2]
    scores = predict_pixels(model, pixels.reshape(-1, *pixels.shape[2:]))
    return scores.reshape(images, views, -1)
