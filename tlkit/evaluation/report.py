"""Probabilities for a split in, the files that tell how good they are out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tlkit import files
from tlkit.config import val_chooses
from tlkit.dataset.manifest import Example, Manifest
from tlkit.dataset.splitting.examples import BETWEEN
from tlkit.evaluation.decision import Decision, decision_of
from tlkit.evaluation.tta import view_maker
from tlkit.inputs.batches import plain_batches
from tlkit.reports import plots
from tlkit.runs.result_dir import Run
from tlkit.tasks.prediction import ScoredSplit
from tlkit.workers import Aside


def report(
    run: Run,
    manifest: Manifest,
    side: ScoredSplit,
    draw: Aside,
    views: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Write what there is to say of the answers for a split.

    Args:
        run: Gets the files that `tlkit.evaluate` names.
        manifest: The data set.
        side: From `side_of`, not empty.
        draw: Makes the images.
        views: From `tta.compare_views`, to be reported beside it.

    Returns:
        What metrics.json holds; see `tlkit.evaluate`.
    """
    split, decision = side.split, decision_of(run)
    examples = manifest.of(split)
    metrics = {
        "split": split,
        "chose_the_epoch": split == "val" and val_chooses(run.config),
        **decision.measure(side),
    }
    if views:
        metrics["views"] = views
    folder = run.directory / "evaluation" / split
    folder.mkdir(parents=True, exist_ok=True)
    wrong = _write_answers(folder, examples, side, run.labels, decision)
    decision.draw(side, metrics, folder, draw)
    shown = wrong[: plots.GALLERY]
    said = [decision.caption(side.truth[i], side.scores[i]) for i in shown]
    names = [Path(examples[i].path).name for i in shown]
    captions = ["\n".join(pair) for pair in zip(said, names, strict=True)]
    maker = view_maker(run, manifest.source)
    held = [examples[i] for i in shown]
    batches = plain_batches(maker, held, len(held) or 1, workers=0)
    images = next(batches, np.empty(0))
    draw(plots.draw_gallery, images, captions, folder / "mistakes.png")
    for place in (folder, run.directory):
        files.write_json(place / "metrics.json", metrics)
    return metrics


def side_of(
    manifest: Manifest,
    split: str,
    scores: np.ndarray,
    distances: np.ndarray | None = None,
) -> ScoredSplit:
    """Put what is known of a side beside what the network says of it.

    Args:
        manifest: The data set.
        split: Which side.
        scores: float32 [N, n], class probabilities in the order of the manifest.
        distances: float32 [N], likewise, where they are known.

    Returns:
        All of it.
    """
    examples = manifest.of(split)
    groups = tuple(example.group for example in examples)
    return ScoredSplit(split, manifest.shares(examples), scores, groups, distances)


def _write_answers(
    folder: Path,
    examples: Sequence[Example],
    side: ScoredSplit,
    labels: Sequence[str],
    decision: Decision,
) -> np.ndarray:
    """Write every answer, and the wrong ones; returns these, the surest first."""
    names = np.array(labels, object)
    weights = decision.weights(side)
    answers = decision.answers(side.scores, side.distances)
    table = pd.DataFrame(
        {
            "id": [example.id for example in examples],
            "path": [example.path for example in examples],
            "label": [BETWEEN.join(names[row > 0]) for row in side.truth],
            "predicted": [answer.guess or answer.label for answer in answers],
            "probability": weights,
            **decision.columns(side),
            **{f"p_{label}": side.scores[:, i] for i, label in enumerate(labels)},
        }
    )
    files.write_text(folder / "predictions.csv", table.to_csv(index=False))
    differ = np.flatnonzero((table["label"] != table["predicted"]).to_numpy())
    wrong: np.ndarray = differ[np.argsort(-weights[differ], kind="stable")]
    files.write_text(folder / "mistakes.csv", table.iloc[wrong].to_csv(index=False))
    return wrong
