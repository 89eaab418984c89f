"""The files of an evaluation, and the errors read back from them."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tlkit import files
from tlkit.config import val_chooses
from tlkit.dataset.example import Example
from tlkit.dataset.manifest import Manifest
from tlkit.dataset.records import BETWEEN
from tlkit.errors import RunError
from tlkit.evaluation.postprocessing import postprocessing_of
from tlkit.evaluation.tta import view_maker
from tlkit.inputs.batches import plain_batches
from tlkit.reports import plots
from tlkit.runs.run import Run
from tlkit.tasks.postprocessing import Postprocessing
from tlkit.tasks.prediction import ScoredSplit


def report(
    run: Run,
    manifest: Manifest,
    scored: ScoredSplit,
    views: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Write metrics, tables and plots of a split to a run.

    Args:
        run: Gets the files that `tlkit.evaluate` names.
        manifest: Its data set.
        scored: From `scored_split`, not empty.
        views: From `tta.compare_views`, to be reported as well.

    Returns:
        The content of metrics.json; see `tlkit.evaluate`.
    """
    split, postprocessing = scored.split, postprocessing_of(run)
    examples = manifest.of(split)
    selected = [
        *(["epoch"] if val_chooses(run.config) else []),
        *postprocessing.selected,
    ]
    metrics = {
        "split": split,
        "used_for_selection": selected if split == "val" else [],
        **postprocessing.measure(scored),
    }
    if views:
        metrics["views"] = views
    folder = run.directory / "evaluation" / split
    folder.mkdir(parents=True, exist_ok=True)
    errors = _write_predictions(folder, examples, scored, run.labels, postprocessing)
    postprocessing.write(scored, metrics, folder)
    shown = errors[: plots.GALLERY]
    captions = [
        f"{postprocessing.caption(scored.truth[i], scored.scores[i])}\n"
        f"{Path(examples[i].path).name}"
        for i in shown
    ]
    maker = view_maker(run, manifest.source)
    batches = plain_batches(
        maker, [examples[i] for i in shown], len(shown) or 1, workers=0
    )
    images = next(batches, np.empty(0))
    plots.draw_gallery(images, captions, folder / "errors.png")
    for place in (folder, run.directory):
        files.write_json(place / "metrics.json", metrics)
    return metrics


def scored_split(manifest: Manifest, split: str, scores: np.ndarray) -> ScoredSplit:
    """Combine the labels and groups of a split with its probabilities.

    Args:
        manifest: The data set.
        split: "train", "val" or "test".
        scores: float32 [N, n], class probabilities in the order of the manifest.

    Returns:
        The split.
    """
    examples = manifest.of(split)
    groups = tuple(example.group for example in examples)
    return ScoredSplit(split, manifest.multi_hot(examples), scores, groups)


def _write_predictions(
    folder: Path,
    examples: Sequence[Example],
    scored: ScoredSplit,
    labels: Sequence[str],
    postprocessing: Postprocessing,
) -> np.ndarray:
    """Write all predictions and the errors; return the errors, most confident first."""
    names = np.array(labels, object)
    confidence = postprocessing.confidence(scored)
    predictions = postprocessing.predictions(scored.scores)
    table = pd.DataFrame(
        {
            "id": [example.id for example in examples],
            "path": [example.path for example in examples],
            "label": [BETWEEN.join(names[row > 0]) for row in scored.truth],
            "predicted": [each.guess or each.label for each in predictions],
            "probability": confidence,
            **postprocessing.columns(scored),
            **{f"p_{label}": scored.scores[:, i] for i, label in enumerate(labels)},
        }
    )
    files.write_text(folder / "predictions.csv", table.to_csv(index=False))
    differ = np.flatnonzero((table["label"] != table["predicted"]).to_numpy())
    errors: np.ndarray = differ[np.argsort(-confidence[differ], kind="stable")]
    files.write_text(folder / "errors.csv", table.iloc[errors].to_csv(index=False))
    return errors


def read_errors(run: Path) -> list[str]:
    """Read the misclassified images of all evaluations of a run.

    Args:
        run: The directory of an evaluated run.

    Returns:
        Paths relative to the source root, each once, the most confident errors first.

    Raises:
        RunError: The run has no evaluation, or a file of it was changed.
    """
    tables = sorted(run.glob("evaluation/*/predictions.csv"))
    if not tables:
        raise RunError(f"{run} has no evaluation.", hint=f"Run: tlkit evaluate {run}")
    errors = []
    for path in tables:
        try:
            with path.open(encoding="utf-8", newline="") as file:
                errors += [
                    (-float(row["probability"]), row["path"])
                    for row in csv.DictReader(file)
                    if row["label"] != row["predicted"]
                ]
        except (OSError, ValueError, KeyError, TypeError, csv.Error) as error:
            raise RunError(
                f"{path} is not as it was written: {error!r}.",
                hint=f"Write it again: tlkit evaluate {run}",
            ) from error
    return list(dict.fromkeys(path for _, path in sorted(errors)))
