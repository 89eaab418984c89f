"""A finished run and a split in, numbers with intervals and pictures of them out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
from sklearn.metrics import (
    confusion_matrix,
    f1_score,
    log_loss,
    precision_recall_fscore_support,
)

from tlkit import files
from tlkit.dataset.manifest import SPLITS, Example, Manifest
from tlkit.errors import RunError, unknown_name
from tlkit.inputs.batches import grouped, plain_batches
from tlkit.inputs.views import Asked
from tlkit.model.classifier import probabilities
from tlkit.progress import Progress, Silent
from tlkit.run import plots
from tlkit.run.record import Run
from tlkit.run.tta import choose_views, describe, view_maker
from tlkit.workers import Aside

SILENT = Silent()
BATCH = 32


def evaluate(
    run: Run | str | Path,
    *,
    split: str | None = None,
    data: str | Path | None = None,
    tta: int | None = None,
    workers: int | None = None,
    progress: Progress = SILENT,
) -> dict[str, Any]:
    """Score a run on one split of its data set, on the model that gets exported.

    Writes `metrics.json` to the run directory, and to evaluation/SPLIT/ the same with
    confusion.csv, confusion.png, predictions.csv, mistakes.csv and mistakes.png.

    Args:
        run: A finished run, or its directory.
        split: "train", "val" or "test"; the test split where there is one, else val.
        data: Where the data set lies now, if it was moved.
        tta: How many views of each picture to average answers over besides, the plain
            picture among them; 2 adds its mirror image.
        workers: Number of processes that read pictures; None is one a processor.
        progress: Told of all long work.

    Returns:
        What metrics.json holds: split, n, accuracy, accuracy_ci95 [low, high], loss,
        macro_f1, per_class (name, precision, recall, f1, support), confusion (rows
        are the true classes) and chose_the_epoch, all for the plain pictures; with
        tta also views, see `compare_views`.

    Raises:
        RunError: The split is empty, or the data set is not the run's.
        UsageError: There is no such split, or no such views.
    """
    run = run if isinstance(run, Run) else Run.read(run)
    chosen = choose_views(run, tta)
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
    asked = [Asked(example, chosen) for example in examples]
    maker = view_maker(run, manifest.source)
    made = maker.stream(asked, most=len(chosen), workers=workers)
    progress.start(f"Scoring {split} pictures", len(examples))
    answers = []
    for pixels in grouped((views for views, _ in made), BATCH):
        answers.append(predict_views(model, pixels))
        progress.advance(len(pixels))
    scores = np.concatenate(answers)
    views = None
    if tta:
        truth = manifest.targets(examples)
        views = compare_views(truth, scores, run.labels, describe(chosen))
    draw = Aside(plots.get_ready, workers=0)
    return report(run, manifest, split, scores[:, 0], draw, views)


def report(
    run: Run,
    manifest: Manifest,
    split: str,
    scores: np.ndarray,
    draw: Aside,
    views: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Write what there is to say of the answers for a split.

    Args:
        run: Gets the files that `evaluate` names.
        manifest: The data set.
        split: Not empty.
        scores: float32 [N, n], class probabilities in the order of the manifest.
        draw: Makes the pictures.
        views: From `compare_views`, to be reported beside it.

    Returns:
        What metrics.json holds; see `evaluate`.
    """
    examples = manifest.of(split)
    truth = manifest.targets(examples)
    metrics = measure(truth, scores, run.labels)
    metrics = {"split": split, "chose_the_epoch": split == "val", **metrics}
    if views:
        metrics["views"] = views
    folder = run.directory / "evaluation" / split
    folder.mkdir(parents=True, exist_ok=True)
    _write_tables(folder, examples, truth, scores, run.labels)
    matrix = np.array(metrics["confusion"])
    draw(plots.draw_confusion, matrix, run.labels, folder / "confusion.png")
    wrong = _mistakes(truth, scores)[: plots.GALLERY]
    captions = [
        f"{run.labels[truth[i]]}, called {run.labels[scores[i].argmax()]}"
        f" ({scores[i].max():.2f})\n{Path(examples[i].path).name}"
        for i in wrong
    ]
    shown = [examples[i] for i in wrong]
    maker = view_maker(run, manifest.source)
    batches = plain_batches(maker, shown, len(shown) or 1, workers=0)
    pictures = next(batches, np.empty(0))
    draw(plots.draw_gallery, pictures, captions, folder / "mistakes.png")
    for place in (folder, run.directory):
        files.write_json(place / "metrics.json", metrics)
    return metrics


def predict_pixels(
    model: keras.Model, pictures: np.ndarray, batch: int = 32
) -> np.ndarray:
    """Class probabilities for fitted pictures.

    Args:
        model: Takes uint8 [B, S, S, 3].
        pictures: uint8 [N, S, S, 3].
        batch: Pictures a step.

    Returns:
        float32 [N, n], rows summing to 1.
    """
    return probabilities(
        np.concatenate(
            [
                np.asarray(model(pictures[i : i + batch], training=False))
                for i in range(0, len(pictures), batch)
            ]
        )
    )


def predict_views(model: keras.Model, pixels: np.ndarray) -> np.ndarray:
    """Class probabilities for every view of some pictures.

    Args:
        model: Takes uint8 [B, S, S, 3].
        pixels: uint8 [N, K, S, S, 3].

    Returns:
        float32 [N, K, n].
    """
    pictures, views = pixels.shape[:2]
    scores = predict_pixels(model, pixels.reshape(-1, *pixels.shape[2:]))
    return scores.reshape(pictures, views, -1)


def compare_views(
    truth: np.ndarray, scores: np.ndarray, labels: Sequence[str], kinds: str
) -> dict[str, Any]:
    """What averaging answers over several views changes.

    Args:
        truth: int [N], indices of the true classes.
        scores: float [N, K, n], of K views, the plain one first.
        labels: The n class names.
        kinds: What the views are.

    Returns:
        n, kinds, accuracy, accuracy_ci95, loss and macro_f1 of the averages, and how
        many answers were turned_right and turned_wrong.
    """
    averaged = scores.mean(axis=1)
    before = scores[:, 0].argmax(axis=1) == truth
    after = averaged.argmax(axis=1) == truth
    figures = measure(truth, averaged, labels)
    kept = ("accuracy", "accuracy_ci95", "loss", "macro_f1")
    return {
        "n": scores.shape[1],
        "kinds": kinds,
        **{name: figures[name] for name in kept},
        "turned_right": int((after & ~before).sum()),
        "turned_wrong": int((before & ~after).sum()),
    }


def measure(
    truth: np.ndarray, scores: np.ndarray, labels: Sequence[str]
) -> dict[str, Any]:
    """Accuracy with its interval, loss, and figures for each class.

    Args:
        truth: int [N], indices of the true classes.
        scores: float [N, n], rows summing to 1.
        labels: The n class names.

    Returns:
        See `evaluate`. A class never predicted has precision 0.
    """
    called = scores.argmax(axis=1)
    every = list(range(len(labels)))
    shares = scores.astype(np.float64)
    shares /= shares.sum(axis=1, keepdims=True)
    right = int((called == truth).sum())
    columns = precision_recall_fscore_support(
        truth, called, labels=every, zero_division=0
    )
    return {
        "n": len(truth),
        "accuracy": right / len(truth),
        "accuracy_ci95": list(wilson_interval(right, len(truth))),
        "loss": float(log_loss(truth, shares, labels=every)),
        "macro_f1": float(
            f1_score(truth, called, labels=every, average="macro", zero_division=0)
        ),
        "per_class": [
            {
                "name": name,
                "precision": float(precision),
                "recall": float(recall),
                "f1": float(f1),
                "support": int(support),
            }
            for name, precision, recall, f1, support in zip(
                labels, *columns, strict=True
            )
        ],
        "labels": list(labels),
        "confusion": confusion_matrix(truth, called, labels=every).tolist(),
    }


def wilson_interval(right: float, n: float, z: float = 1.959964) -> tuple[float, float]:
    """The score interval of a proportion (Wilson 1927).

    Args:
        right: Number of successes; as a mean it need not be whole.
        n: Number of trials, at least 1; not whole where they are not independent.
        z: Normal quantile; the default gives 95 %.

    Returns:
        Low and high, within 0 and 1; exactly 0 where none is right, 1 where all are.
    """
    share = right / n
    middle = share + z * z / (2 * n)
    half = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    # Exact at the ends, where rounding would leave 1e-17 or 0.9999999.
    low = (middle - half) / scale if right else 0.0
    high = (middle + half) / scale if right < n else 1.0
    return low, high


def _mistakes(truth: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Indices of the wrong answers, the most confident first."""
    wrong = np.flatnonzero(scores.argmax(axis=1) != truth)
    return wrong[np.argsort(-scores[wrong].max(axis=1), kind="stable")]


def _write_tables(
    folder: Path,
    examples: Sequence[Example],
    truth: np.ndarray,
    scores: np.ndarray,
    labels: Sequence[str],
) -> None:
    called = scores.argmax(axis=1)
    table = pd.DataFrame(
        {
            "id": [example.id for example in examples],
            "path": [example.path for example in examples],
            "label": [labels[i] for i in truth],
            "predicted": [labels[i] for i in called],
            "probability": scores.max(axis=1),
            **{f"p_{label}": scores[:, i] for i, label in enumerate(labels)},
        }
    )
    files.write_text(folder / "predictions.csv", table.to_csv(index=False))
    wrong = table.iloc[_mistakes(truth, scores)]
    files.write_text(folder / "mistakes.csv", wrong.to_csv(index=False))
    matrix = confusion_matrix(truth, called, labels=list(range(len(labels))))
    named = pd.DataFrame(matrix, index=list(labels), columns=list(labels))
    named.index.name = "true \\ predicted"
    files.write_text(folder / "confusion.csv", named.to_csv())
