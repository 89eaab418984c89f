"""A finished run and a split in, numbers with intervals and pictures of them out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np

from tlkit.dataset.manifest import SPLITS
from tlkit.errors import RunError, unknown_name
from tlkit.inputs.batches import plain_batches
from tlkit.model.task import probabilities
from tlkit.progress import Progress, Silent
from tlkit.run import plots
from tlkit.run.record import Run
from tlkit.run.report import maker_of, report
from tlkit.workers import Aside

SILENT = Silent()
BATCH = 32


def evaluate(
    run: Run | str | Path,
    *,
    split: str | None = None,
    data: str | Path | None = None,
    workers: int | None = None,
    progress: Progress = SILENT,
) -> dict[str, Any]:
    """Score a run on one split of its data set, on the model that gets exported.

    Writes `metrics.json` to the run directory, and to evaluation/SPLIT/ the same with
    predictions.csv, mistakes.csv, mistakes.png, and confusion.csv and confusion.png, or
    classes.csv where pictures have several labels.

    Args:
        run: A finished run, or its directory.
        split: "train", "val" or "test"; the test split where there is one, else val.
        data: Where the data set lies now, if it was moved.
        workers: Number of processes that read pictures; None is one a processor.
        progress: Told of all long work.

    Returns:
        What metrics.json holds: split, chose_the_epoch, n, loss, labels, and

        - of one label each: accuracy, accuracy_ci95 [low, high], macro_f1, per_class
          (name, precision, recall, f1, support), confusion (rows are the true classes);
        - of several labels: map (the mean over classes of the average precision),
          macro_f1, micro_f1, subset_accuracy (the share of pictures with all labels
          right), each with its _ci95; per_class (name, support, predicted, threshold;
          ap, precision, recall, f1, each with its _ci95); chose_the_thresholds.

    Raises:
        RunError: The split is empty, or the data set is not the run's.
        UsageError: There is no such split.
    """
    run = run if isinstance(run, Run) else Run.read(run)
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
            f"{manifest.directory} has no pictures in its {split} split.",
            hint=f"Splits with pictures: {', '.join(filled)}.",
        )
    model = run.model()
    pictures = plain_batches(maker_of(run, manifest), examples, BATCH, workers=workers)
    progress.start(f"Scoring {split} pictures", len(examples))
    answers = []
    for pixels in pictures:
        answers.append(predict_pixels(model, pixels))
        progress.advance(len(pixels))
    draw = Aside(plots.get_ready, workers=0)
    return report(run, manifest, split, np.concatenate(answers), draw)


def predict_pixels(
    model: keras.Model, pictures: np.ndarray, batch: int = 32
) -> np.ndarray:
    """Class probabilities for fitted pictures.

    Args:
        model: Takes uint8 [B, S, S, 3].
        pictures: uint8 [N, S, S, 3].
        batch: Pictures a step.

    Returns:
        float32 [N, n]; rows sum to 1 where each picture has one label.
    """
    return probabilities(
        np.concatenate(
            [
                np.asarray(model(pictures[i : i + batch], training=False))
                for i in range(0, len(pictures), batch)
            ]
        )
    )
